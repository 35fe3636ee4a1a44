import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import {
  type Attribute,
  assertConsistent,
  type Graph,
  type Initializer,
  type Node,
  ONNX_TYPE,
  type Port,
} from './graph.ts';
import { lowerOpset } from './lower_opset.ts';
import { OPSET } from './opset.ts';

/** AttributeProto.AttributeType of onnx.proto. */
const ATTRIBUTE = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** The IR version that came with each operator set, as far as older runtimes care. */
const irVersion = (opset: number): bigint => (opset < 15 ? 7n : opset < 19 ? 8n : opset < 21 ? 9n : 10n);

/**
 * The graph as a serialised ONNX ModelProto: operator set 18 (with its IR version 8) unless another is wanted,
 * little-endian raw data. Equal graphs give equal bytes. Lowering to an older set changes the graph.
 */
export function serializeModel(given: Graph, opset = OPSET): Uint8Array<ArrayBuffer> {
  const graph = lowerOpset(given, opset);
  const domains = [{ domain: '', version: BigInt(opset) }];
  for (const domain of new Set(graph.nodes.map((node) => node.domain)))
    if (domain !== '') domains.push({ domain, version: 1n });
  const model = create(onnx.ModelProtoSchema, {
    irVersion: irVersion(opset),
    producerName: 'plumbline',
    opsetImport: domains.map((d) => create(onnx.OperatorSetIdProtoSchema, d)),
    graph: graphProto(graph, 'plumbline'),
  });
  return toBinary(onnx.ModelProtoSchema, model);
}

/** The graph alone, as a node's attribute holds it too. */
export function graphProto(graph: Graph, name: string): onnx.GraphProto {
  assertConsistent(graph);
  return create(onnx.GraphProtoSchema, {
    name,
    initializer: [...graph.initializers].map(([name, value]) => tensorProto(name, value)),
    input: graph.inputs.map(valueInfo),
    output: graph.outputs.map(valueInfo),
    node: graph.nodes.map(nodeProto),
  });
}

function nodeProto(node: Node, index: number): onnx.NodeProto {
  return create(onnx.NodeProtoSchema, {
    name: `${node.type}_${index}`,
    opType: node.type,
    domain: node.domain,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, value]) => attributeProto(name, value)),
  });
}

function attributeProto(name: string, value: Attribute): onnx.AttributeProto {
  if (typeof value === 'string')
    return create(onnx.AttributeProtoSchema, {
      name,
      type: ATTRIBUTE.string,
      s: new TextEncoder().encode(value),
    });
  if (typeof value === 'number')
    return create(onnx.AttributeProtoSchema, { name, type: ATTRIBUTE.int, i: BigInt(value) });
  if ('encoded' in value) return fromBinary(onnx.AttributeProtoSchema, Buffer.from(value.encoded, 'base64'));
  if ('float' in value)
    return create(onnx.AttributeProtoSchema, { name, type: ATTRIBUTE.float, f: value.float });
  return create(onnx.AttributeProtoSchema, { name, type: ATTRIBUTE.ints, ints: value.map(BigInt) });
}

function valueInfo({ name, type, dims }: Port): onnx.ValueInfoProto {
  const dim = dims.map((d) =>
    create(onnx.TensorShapeProto_DimensionSchema, {
      value: typeof d === 'string' ? { case: 'dimParam', value: d } : { case: 'dimValue', value: BigInt(d) },
    }),
  );
  const shape = create(onnx.TensorShapeProtoSchema, { dim });
  const tensor = create(onnx.TypeProto_TensorSchema, { elemType: ONNX_TYPE[type], shape });
  const typeProto = create(onnx.TypeProtoSchema, { value: { case: 'tensorType', value: tensor } });
  return create(onnx.ValueInfoProtoSchema, { name, type: typeProto });
}

function tensorProto(name: string, { type, dims, data }: Initializer): onnx.TensorProto {
  const values = typedArray(type, data);
  const rawData = new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  return create(onnx.TensorProtoSchema, { name, dataType: ONNX_TYPE[type], dims: dims.map(BigInt), rawData });
}

function typedArray(type: Initializer['type'], data: ArrayLike<number>) {
  switch (type) {
    case 'float32':
      return data instanceof Float32Array ? data : Float32Array.from(data);
    case 'float64':
      return Float64Array.from(data);
    case 'int32':
      return data instanceof Int32Array ? data : Int32Array.from(data);
    case 'int64':
      return BigInt64Array.from(Array.from(data, BigInt));
    default:
      return data instanceof Uint8Array ? data : Uint8Array.from(data);
  }
}
