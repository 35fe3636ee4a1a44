/** A serialised ONNX model, taken apart to be rewritten. */
import { create, fromBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';

export interface Network {
  readonly model: onnx.ModelProto;
  readonly graph: onnx.GraphProto;
  /** The node that makes a tensor; none for inputs and constants. */
  readonly makers: ReadonlyMap<string, onnx.NodeProto>;
  readonly readers: ReadonlyMap<string, readonly onnx.NodeProto[]>;
  readonly constants: ReadonlyMap<string, onnx.TensorProto>;
  readonly outputs: ReadonlySet<string>;
}

/** A convolution with constant weights, named after the tensor that it gives. */
export interface Layer {
  readonly node: onnx.NodeProto;
  readonly input: string;
  readonly weight: onnx.TensorProto;
  readonly bias: onnx.TensorProto | null;
  /** What it gives, behind the Relu that is computed with it, where there is one. */
  readonly output: string;
}

export function openNetwork(bytes: Uint8Array): Network {
  const model = fromBinary(onnx.ModelProtoSchema, bytes);
  const graph = model.graph!;
  writeOutBiases(graph);
  const readers = new Map<string, onnx.NodeProto[]>();
  for (const node of graph.node)
    for (const name of new Set(node.input)) readers.set(name, [...(readers.get(name) ?? []), node]);
  return {
    model,
    graph,
    makers: new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const))),
    readers,
    constants: new Map(graph.initializer.map((tensor) => [tensor.name, tensor])),
    outputs: new Set(graph.output.map(({ name }) => name)),
  };
}

/** A bias of equal numbers, as of a layer that is not trained yet, stands in a file as one of them, repeated by Expand. */
function writeOutBiases(graph: onnx.GraphProto): void {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const biases = new Set(
    graph.node.flatMap(({ opType, input }) => (opType === 'Conv' ? input.slice(2) : [])),
  );
  const repeated = graph.node.filter(
    ({ opType, input, output }) =>
      opType === 'Expand' &&
      biases.has(output[0]!) &&
      input.every((name) => constants.get(name)?.rawData.length),
  );
  for (const { input, output } of repeated) {
    const [value, shape] = input.map((name) => constants.get(name)!) as [onnx.TensorProto, onnx.TensorProto];
    const dims = [...new BigInt64Array(Uint8Array.from(shape.rawData).buffer)].map(Number);
    const size = dims.reduce((product, dim) => product * dim, 1);
    graph.initializer.push(constant(output[0]!, new Float32Array(size).fill(floatsOf(value)[0]!), dims));
  }
  graph.node = graph.node.filter((node) => !repeated.includes(node));
}

/** Layers that can be computed with integers, in the order of the graph. */
export function findLayers(network: Network): Layer[] {
  const { graph, constants, readers, outputs } = network;
  const float = (name: string | undefined) => {
    const tensor = name === undefined ? undefined : constants.get(name);
    return tensor?.dataType === onnx.TensorProto_DataType.FLOAT ? tensor : undefined;
  };
  return graph.node.flatMap((node) => {
    if (node.opType !== 'Conv') return [];
    const [input, weightName, biasName] = node.input as [string, string, string | undefined];
    const weight = float(weightName);
    const bias = biasName ? float(biasName) : null;
    if (weight === undefined || bias === undefined || constants.has(input)) return [];
    const result = node.output[0]!;
    const [next, ...others] = readers.get(result) ?? [];
    const alone = next?.opType === 'Relu' && others.length === 0 && !outputs.has(result);
    return [{ node, input, weight, bias, output: alone ? next.output[0]! : result }];
  });
}

export const nameOf = ({ node }: Layer): string => node.output[0]!;

/** Values of a float32 constant, copied: a file need not align them, and a Buffer's own slice would be no copy. */
export function floatsOf({ name, rawData, dims }: onnx.TensorProto): Float32Array {
  const values = new Float32Array(Uint8Array.from(rawData).buffer);
  if (values.length !== dims.reduce((product, dim) => product * Number(dim), 1))
    throw new Error(
      `The constant ${name} holds ${values.length} values as raw data, and its shape is [${dims}]. Write the model with raw data inside the file, as trace and convertModel do.`,
    );
  return values;
}

/** A constant. */
export function constant(
  name: string,
  values: Float32Array | Int8Array | Uint8Array | Int32Array,
  dims: readonly number[],
): onnx.TensorProto {
  const rawData = new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  return create(onnx.TensorProtoSchema, { name, dataType: typeOf(values), dims: dims.map(BigInt), rawData });
}

function typeOf(values: Float32Array | Int8Array | Uint8Array | Int32Array): onnx.TensorProto_DataType {
  const { FLOAT, INT8, UINT8, INT32 } = onnx.TensorProto_DataType;
  if (values instanceof Float32Array) return FLOAT;
  if (values instanceof Int8Array) return INT8;
  return values instanceof Uint8Array ? UINT8 : INT32;
}
