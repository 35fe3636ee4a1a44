/** Layers of a model in float16, with float32 before the first of them, behind the last, and for everything that adds up. */
import { create, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import { findLayers, floatsOf, integer, type Network, nameOf, openNetwork } from './network.ts';

/**
 * Operators that work in float16 where they lie between two layers, with how many of their inputs are data. Sums over
 * many values, quotients and powers are not among them: they leave the range or lose the digits.
 */
const BETWEEN: Readonly<Record<string, number>> = {
  Add: 2,
  Clip: 3,
  Concat: Number.POSITIVE_INFINITY,
  Conv: 3,
  DepthToSpace: 1,
  LeakyRelu: 1,
  MaxPool: 1,
  Mul: 2,
  Relu: 1,
  Reshape: 1,
  Resize: 1,
  Sigmoid: 1,
  Sub: 2,
  Tanh: 1,
  Transpose: 1,
};

const { FLOAT, FLOAT16 } = onnx.TensorProto_DataType;

/** The model with the layers of these names, and what lies between them, in float16; its inputs and outputs stay. */
export function writeHalf(bytes: Uint8Array, names: ReadonlySet<string>): Uint8Array {
  const network = openNetwork(bytes);
  const { model, graph, constants, readers, outputs } = network;
  const inHalf = findHalf(network, names);
  const rewritten: onnx.NodeProto[] = [];
  const there = new Set<string>();
  const halfOf = (name: string): string => {
    const half = `${name}_half`;
    if (name === '' || there.has(half)) return name === '' ? '' : half;
    there.add(half);
    const constant = constants.get(name);
    if (constant === undefined) rewritten.push(cast(name, half, FLOAT16));
    else graph.initializer.push(halfConstant(half, constant));
    return half;
  };
  for (const node of graph.node) {
    if (!inHalf.has(node)) {
      rewritten.push(node);
      continue;
    }
    const result = node.output[0]!;
    const half = `${result}_half`;
    node.input = node.input.map((name, i) => (i < BETWEEN[node.opType]! ? halfOf(name) : name));
    node.output = [half];
    there.add(half);
    rewritten.push(node);
    const readInFloat = (readers.get(result) ?? []).some((reader) => !inHalf.has(reader));
    if (readInFloat || outputs.has(result)) rewritten.push(cast(half, result, FLOAT));
  }
  graph.node = rewritten;
  const used = new Set([...rewritten.flatMap(({ input }) => input), ...outputs]);
  graph.initializer = graph.initializer.filter(({ name }) => used.has(name));
  return toBinary(onnx.ModelProtoSchema, model);
}

/** The layers of these names, and the nodes on ways from one to another that have nothing but such operators on them. */
function findHalf(network: Network, names: ReadonlySet<string>): Set<onnx.NodeProto> {
  const { makers, readers } = network;
  const layers = findLayers(network).flatMap((layer) => (names.has(nameOf(layer)) ? layer.node : []));
  const reach = (next: (node: onnx.NodeProto) => readonly (onnx.NodeProto | undefined)[]) => {
    const reached = new Set<onnx.NodeProto>();
    const visit = (node: onnx.NodeProto) => {
      for (const one of next(node))
        if (one !== undefined && one.opType in BETWEEN && one.opType !== 'Conv' && !reached.has(one)) {
          reached.add(one);
          visit(one);
        }
    };
    for (const layer of layers) visit(layer);
    return reached;
  };
  const data = ({ input, opType }: onnx.NodeProto) => input.slice(0, BETWEEN[opType]);
  const behind = reach(({ output }) =>
    output.flatMap((name) => (readers.get(name) ?? []).filter((reader) => data(reader).includes(name))),
  );
  const before = reach((node) => data(node).map((name) => makers.get(name)));
  return new Set([...layers, ...[...behind].filter((node) => before.has(node))]);
}

function halfConstant(name: string, constant: onnx.TensorProto): onnx.TensorProto {
  const values = Float16Array.from(floatsOf(constant));
  const rawData = new Uint8Array(values.buffer);
  return create(onnx.TensorProtoSchema, { name, dataType: FLOAT16, dims: constant.dims, rawData });
}

function cast(from: string, output: string, to: onnx.TensorProto_DataType): onnx.NodeProto {
  const attribute = [integer('to', to)];
  return create(onnx.NodeProtoSchema, {
    opType: 'Cast',
    name: `Cast_${output}`,
    input: [from],
    output: [output],
    attribute,
  });
}
