/**
 * Layers of a model in integers, in the form that ONNX calls QDQ: each tensor that an integer layer reads or gives goes
 * through QuantizeLinear and DequantizeLinear, and onnxruntime joins these with the layer between them to one kernel.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import { type Activation, quantizeRange, quantizeWeights } from './integers.ts';
import { constant, findLayers, floatsOf, type Layer, type Network, nameOf, openNetwork } from './network.ts';
import type { Range } from './ranges.ts';

/** Operators that only move values or choose among them: what is in integers before is so behind, at the same scale. */
const CARRIERS = new Set(['MaxPool', 'Resize', 'Reshape', 'Transpose']);

/**
 * The model with the layers of these names in integers; their weights are in the file as int8.
 * @param ranges of what these layers read and give.
 */
export function writeQdq(
  bytes: Uint8Array,
  names: ReadonlySet<string>,
  ranges: ReadonlyMap<string, Range>,
): Uint8Array {
  const network = openNetwork(bytes);
  const { model, graph } = network;
  const layers = findLayers(network).filter((layer) => names.has(nameOf(layer)));
  const made = new Set(layers.map(({ output }) => output));
  const origins = findOrigins(network, layers, made);
  const scales = new Map([...origins.values()].map((name) => [name, quantizeRange(ranges.get(name)!)]));
  const inIntegers = new Map(layers.map((layer) => [layer.node, layer]));
  /** What was made in integers is the same for all; what was made in floats is rounded for integer layers only. */
  const readsRounded = (node: onnx.NodeProto, name: string) =>
    origins.has(name) && (made.has(origins.get(name)!) || inIntegers.has(node));

  const rewritten: onnx.NodeProto[] = [];
  const add = (type: string, input: string[], output: string, axis?: number) => {
    const attribute = axis === undefined ? [] : [integer('axis', axis)];
    const name = `${type}_${output}`;
    rewritten.push(create(onnx.NodeProtoSchema, { opType: type, name, input, output: [output], attribute }));
    return output;
  };
  const quantize = (name: string) => {
    const scaled = [`${origins.get(name)!}_scale`, `${origins.get(name)!}_zero`];
    add('QuantizeLinear', [name, ...scaled], `${name}_integer`);
    add('DequantizeLinear', [`${name}_integer`, ...scaled], floatAgain(name));
  };
  for (const [name, { scale, zeroPoint }] of scales)
    graph.initializer.push(
      constant(`${name}_scale`, Float32Array.of(scale), []),
      constant(`${name}_zero`, Uint8Array.of(zeroPoint), []),
    );

  for (const { name } of graph.input) if (origins.has(name)) quantize(name);
  for (const node of graph.node) {
    const layer = inIntegers.get(node);
    const inputs = node.input.map((name) => (readsRounded(node, name) ? floatAgain(name) : name));
    if (layer !== undefined) {
      const { weight, bias } = addWeights(graph, layer, scales.get(origins.get(layer.input)!)!);
      inputs[1] = add('DequantizeLinear', weight, `${nameOfWeights(layer)}_float`, 0);
      if (bias !== null) inputs[2] = add('DequantizeLinear', bias, `${nameOfWeights(layer)}_bias_float`, 0);
    }
    node.input = inputs;
    rewritten.push(node);
    for (const name of node.output) if (origins.has(name)) quantize(name);
  }
  graph.node = rewritten;
  const used = new Set([...rewritten.flatMap(({ input }) => input), ...graph.output.map(({ name }) => name)]);
  graph.initializer = graph.initializer.filter(({ name }) => used.has(name));
  return toBinary(onnx.ModelProtoSchema, model);
}

/**
 * Tensors that are quantised, each with the one whose range gives its scale: itself, or the output of an integer layer
 * (one of `made`) from where carriers brought it.
 */
function findOrigins(
  { makers }: Network,
  layers: readonly Layer[],
  made: ReadonlySet<string>,
): Map<string, string> {
  const origins = new Map([...made].map((name) => [name, name]));
  const originOf = (name: string): string | null => {
    if (made.has(name)) return name;
    const maker = makers.get(name);
    return maker && isCarrier(maker) ? originOf(maker.input[0]!) : null;
  };
  for (const { input } of layers) {
    const origin = originOf(input);
    for (let name = input; !origins.has(name); name = makers.get(name)!.input[0]!) {
      origins.set(name, origin ?? name);
      if (origin === null) break;
    }
  }
  return origins;
}

/** A Resize that repeats is one; one that mixes neighbours computes. */
function isCarrier({ opType, attribute }: onnx.NodeProto): boolean {
  const mode = attribute.find(({ name }) => name === 'mode')?.s;
  return CARRIERS.has(opType) && (opType !== 'Resize' || new TextDecoder().decode(mode) === 'nearest');
}

/** Adds integer weights to the file; the inputs of their DequantizeLinear. */
function addWeights(graph: onnx.GraphProto, layer: Layer, { scale }: Activation) {
  const name = nameOfWeights(layer);
  const dims = layer.weight.dims.map(Number);
  const channels = dims[0]!;
  const floats = layer.bias && floatsOf(layer.bias);
  const { weights, scales, bias } = quantizeWeights(floatsOf(layer.weight), floats, channels, scale);
  graph.initializer.push(
    constant(`${name}_integer`, weights, dims),
    constant(`${name}_scale`, scales, [channels]),
    constant(`${name}_zero`, new Int8Array(channels), [channels]),
  );
  const weight = [`${name}_integer`, `${name}_scale`, `${name}_zero`];
  if (bias === null) return { weight, bias };
  graph.initializer.push(
    constant(`${name}_bias_integer`, bias, [channels]),
    constant(
      `${name}_bias_scale`,
      scales.map((unit) => unit * scale),
      [channels],
    ),
    constant(`${name}_bias_zero`, new Int32Array(channels), [channels]),
  );
  return { weight, bias: [`${name}_bias_integer`, `${name}_bias_scale`, `${name}_bias_zero`] };
}

const floatAgain = (name: string): string => `${name}_float`;
const nameOfWeights = ({ node }: Layer): string => `${node.output[0]!}_weight`;

function integer(name: string, value: number): onnx.AttributeProto {
  const type = onnx.AttributeProto_AttributeType.INT;
  return create(onnx.AttributeProtoSchema, { name, type, i: BigInt(value) });
}
