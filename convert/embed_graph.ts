/** The part of a foreign ONNX graph that some results need, in the operator set of our files. */
import { create, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import type { Attribute } from './graph.ts';
import type { EmbeddedGraph, EmbeddedNode } from './kernels/embedded.ts';
import { type Constants, carryToOpset, NEWEST_OPSET } from './opset.ts';
import { elements } from './shapes.ts';

/** @throws Error when an operator cannot be carried, or weights lie in another file. */
export function prepareGraph(
  model: onnx.ModelProto,
  input: string,
  wanted: readonly string[],
): Pick<EmbeddedGraph, 'input' | 'nodes' | 'weights'> {
  const opset = operatorSet(model);
  const { needed, names } = neededNodes(model.graph!.node, wanted);
  const weights = new Map<string, { dims: number[]; data: Float32Array }>();
  const nodes: EmbeddedNode[] = [];
  const constants: Constants = {
    ints: (values) => addConstant(nodes, onnx.TensorProto_DataType.INT64, values),
    float: (value) => addConstant(nodes, onnx.TensorProto_DataType.FLOAT, [value]),
  };
  for (const tensor of model.graph!.initializer) {
    if (!names.has(tensor.name)) continue;
    if (tensor.externalData.length > 0)
      throw new Error(`weight ${tensor.name} lies in another file; save the ONNX model as one file`);
    if (tensor.dataType === onnx.TensorProto_DataType.FLOAT) weights.set(tensor.name, floats(tensor));
    else nodes.push(constantNode(tensor.name, tensor));
  }
  for (const node of needed) nodes.push(carryToOpset(foreignNode(node), opset, constants));
  return { input, nodes, weights };
}

function operatorSet(model: onnx.ModelProto): number {
  const { version } = model.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx') ?? {};
  const opset = Number(version ?? 1n);
  if (opset > NEWEST_OPSET)
    throw new Error(
      `the ONNX file has operator set ${opset}; sets up to ${NEWEST_OPSET} can be carried into a bundle. Export it with one of those`,
    );
  return opset;
}

/** Nodes in order that the wanted results depend on, and the names they read. */
export function neededNodes(
  nodes: readonly onnx.NodeProto[],
  wanted: readonly string[],
): { needed: onnx.NodeProto[]; names: ReadonlySet<string> } {
  const names = new Set(wanted);
  const needed: onnx.NodeProto[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.output.some((name) => names.has(name))) continue;
    for (const name of node.input) names.add(name);
    needed.push(node);
  }
  return { needed: needed.reverse(), names };
}

function foreignNode({ opType, input, output, attribute }: onnx.NodeProto): EmbeddedNode {
  const outputs = [...output];
  while (outputs.at(-1) === '') outputs.pop();
  const attributes = Object.fromEntries(attribute.map((a) => [a.name, foreignAttribute(a)]));
  return { type: opType, inputs: input, outputs, attributes };
}

/** Simple attributes as emitters write them, so that the operator set can be changed; all others untouched. */
function foreignAttribute(a: onnx.AttributeProto): Attribute {
  const { INT, FLOAT, STRING, INTS } = onnx.AttributeProto_AttributeType;
  if (a.type === INT && Number.isSafeInteger(Number(a.i))) return Number(a.i);
  if (a.type === FLOAT) return { float: a.f };
  if (a.type === STRING) return new TextDecoder().decode(a.s);
  if (a.type === INTS && a.ints.every((v) => Number.isSafeInteger(Number(v)))) return a.ints.map(Number);
  return { encoded: Buffer.from(toBinary(onnx.AttributeProtoSchema, a)).toString('base64') };
}

/** Constants of other types than float32 are small (shapes, indices) and travel as they are. */
function constantNode(name: string, tensor: onnx.TensorProto): EmbeddedNode {
  const value = create(onnx.AttributeProtoSchema, {
    name: 'value',
    type: onnx.AttributeProto_AttributeType.TENSOR,
    t: create(onnx.TensorProtoSchema, { ...tensor, name: '' }),
  });
  return { type: 'Constant', inputs: [], outputs: [name], attributes: { value: foreignAttribute(value) } };
}

function addConstant(nodes: EmbeddedNode[], dataType: number, values: readonly number[]): string {
  const integers = dataType === onnx.TensorProto_DataType.INT64;
  const tensor = create(onnx.TensorProtoSchema, {
    dataType,
    dims: integers ? [BigInt(values.length)] : [],
    ...(integers ? { int64Data: values.map(BigInt) } : { floatData: [...values] }),
  });
  const name = `plumbline constant ${nodes.length}`;
  nodes.push(constantNode(name, tensor));
  return name;
}

function floats(tensor: onnx.TensorProto): { dims: number[]; data: Float32Array } {
  const dims = tensor.dims.map(Number);
  const { rawData } = tensor;
  const data =
    rawData.length > 0
      ? new Float32Array(new Uint8Array(rawData).buffer)
      : Float32Array.from(tensor.floatData);
  if (data.length !== elements(dims))
    throw new Error(
      `weight ${tensor.name} has ${data.length} elements, its shape [${dims}] wants ${elements(dims)}`,
    );
  return { dims, data };
}
