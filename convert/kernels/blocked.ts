import type { Attribute, Graph } from '../graph.ts';
import { constantPad } from './pad.ts';

/** onnxruntime's operators on images of which each pixel holds a block of channels side by side. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** A convolution of NCHW images as emitted; filters are [out, in, height, width]. */
export interface Convolution {
  readonly images: string;
  readonly filter: string;
  readonly bias: string | undefined;
  /** The filter's dimensions. */
  readonly dims: readonly [out: number, inputs: number, height: number, width: number];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/**
 * Emits a convolution. onnxruntime itself changes to its blocked layout, which its convolutions are made for, only
 * where filters are constants; in training they are inputs, hence the same is done here, with the filter reordered in
 * the graph (onnxruntime/core/optimizer/nchwc_transformer.cc says when, mlas/lib/reorder.cpp how).
 */
export function convolve(g: Graph, convolution: Convolution): string {
  const { images, filter, bias, dims, attributes } = convolution;
  const block = g.channelBlock;
  // One tap is a matrix product already, which reordering would only delay.
  if (block === undefined || dims[2] * dims[3] === 1 || !suitsBlocks(dims, block))
    return g.op('Conv', bias === undefined ? [images, filter] : [images, filter, bias], attributes);
  const [out, inputs, height, width] = dims;
  const filled = Math.ceil(out / block) * block;
  const few = inputs < block; // such images stay as they are
  const [blocks, perm] = few
    ? [
        [filled / block, block, inputs, height, width],
        [0, 2, 3, 4, 1],
      ]
    : [
        [filled / block, block, inputs / block, block, height, width],
        [0, 2, 4, 5, 3, 1],
      ];
  const whole = appendZeros(g, filter, dims.length, filled - out);
  const reordered = g.op('Transpose', [g.reshape(whole, blocks)], { perm });
  const source = few ? images : g.op('ReorderInput', [images], { channels_last: 0 }, BLOCKED_DOMAIN);
  const blocked = [source, g.reshape(reordered, [filled, inputs, height, width])];
  if (bias !== undefined) blocked.push(appendZeros(g, bias, 1, filled - out));
  const convolved = g.op('Conv', blocked, attributes, BLOCKED_DOMAIN);
  return g.op('ReorderOutput', [convolved], { channels: out, channels_last: 0 }, BLOCKED_DOMAIN);
}

/**
 * Whether a convolution is faster in blocks of channels: onnxruntime takes no others of its inputs, and where its outputs
 * leave a block open, it must be filled with filters of zeros, which pays from a quarter of a block on.
 */
function suitsBlocks([out, inputs]: Convolution['dims'], block: number): boolean {
  if (inputs > block && inputs % block !== 0) return false;
  return out % block === 0 || (out >= block / 4 && inputs >= block / 2);
}

/** The tensor with `count` more entries of zeros along its first axis. */
function appendZeros(g: Graph, name: string, rank: number, count: number): string {
  if (count === 0) return name;
  const pads = Array.from({ length: 2 * rank }, (_, i) => (i === rank ? count : 0));
  return constantPad(g, name, pads, g.scalar(0));
}

/** Lets blocked convolutions compute the Relu behind them, where nobody else reads their results. */
export function fuseRectifiers(g: Graph): void {
  const producer = new Map(g.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const readers = new Map<string, number>();
  for (const name of [...g.nodes.flatMap((node) => node.inputs), ...g.outputs.map(({ name }) => name)])
    readers.set(name, (readers.get(name) ?? 0) + 1);
  const onlyReader = (name: string) => readers.get(name) === 1;
  const fused = new Set<unknown>();
  for (const relu of g.nodes) {
    const reorder = relu.type === 'Relu' ? producer.get(relu.inputs[0]!) : undefined;
    if (reorder?.type !== 'ReorderOutput' || !onlyReader(reorder.outputs[0]!)) continue;
    const convolution = producer.get(reorder.inputs[0]!)!;
    if (!onlyReader(convolution.outputs[0]!)) continue;
    convolution.attributes = { ...convolution.attributes, activation: 'Relu' };
    reorder.outputs = relu.outputs;
    fused.add(relu);
  }
  g.nodes = g.nodes.filter((node) => !fused.has(node));
}
