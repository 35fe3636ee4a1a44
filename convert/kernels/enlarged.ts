/** Convolutions of images enlarged by repetition, and their gradients by these, computed on the small images. */
import type { Graph } from '../graph.ts';
import { channelsFirst, plain, type Value } from '../values.ts';
import { convolve } from './blocked.ts';
import type { Geometry } from './conv.ts';

/**
 * onnxruntime computes the outputs of a convolution in blocks of 8 or 16 channels; three cost as much as sixteen. The
 * small image has `factor` squared times as many channels and as much fewer pixels, so that up to here it is that much
 * faster; beyond it the multiplications are as many as before.
 */
export const MAX_FOLDED_CHANNELS = 16;

/** Where the taps of a filter, `size` wide, meet a small image whose pixels each stand for `factor` x `factor`. */
export function foldedTaps(size: number, factor: number) {
  const border = (size - 1) / 2;
  const reach = Math.ceil(border / factor);
  /** The row of the small filter for row `k` of the large one, at place `phase` within a pixel; columns alike. */
  const target = (phase: number, k: number) => Math.floor((phase + k - border) / factor) + reach;
  return { reach, width: 2 * reach + 1, target };
}

/** A convolution of `small` enlarged by `factor`. */
export function enlargedConvolution(
  g: Graph,
  small: Value,
  filter: Value,
  c: Geometry,
  factor: number,
): (bias?: string) => string {
  const phases = factor ** 2;
  const [out, width] = [c.outChannels * phases, foldedTaps(c.filterHeight, factor).width];
  const byPhase = foldedFilter(g, filter, c, factor, false);
  const dims = [out, c.inChannels, width, width] as const;
  const folded = g.reshape(g.op('Transpose', [byPhase], { perm: [0, 2, 1, 3] }), dims);
  const images = channelsFirst(g, small);
  const repeat = (bias: string) => {
    const columns = g.op('Expand', [g.reshape(bias, [c.outChannels, 1]), g.ints([c.outChannels, phases])]);
    return g.reshape(columns, [out]);
  };
  return (bias) => {
    const repeated = bias === undefined ? undefined : repeat(bias);
    const attributes = foldedAttributes(c, factor);
    const low = convolve(g, { images, filter: folded, bias: repeated, dims, attributes });
    return g.op('DepthToSpace', [low], { blocksize: factor, mode: 'CRD' });
  };
}

/** The sums over blocks of `factor` x `factor` of the gradient of a convolution by its images. */
export function enlargedInputGradient(
  g: Graph,
  dy: Value,
  filter: Value,
  c: Geometry,
  factor: number,
): string {
  const width = foldedTaps(c.filterHeight, factor).width;
  const byPhase = foldedFilter(g, filter, c, factor, true);
  const dims = [c.inChannels, c.outChannels * factor ** 2, width, width] as const;
  const folded = g.reshape(g.op('Transpose', [byPhase], { perm: [1, 2, 0, 3] }), dims);
  const images = g.op('SpaceToDepth', [channelsFirst(g, dy)], { blocksize: factor });
  const attributes = foldedAttributes(c, factor);
  return convolve(g, { images, filter: folded, bias: undefined, dims, attributes });
}

/** Whether a convolution of images enlarged by `factor` is faster on the small ones. In files `foldUpsampling` does it. */
export function isFoldable(g: Graph, c: Geometry, factor: number): boolean {
  const border = (c.filterHeight - 1) / 2;
  const { top, left, bottom, right } = c.padInfo;
  return (
    !g.portable &&
    c.filterHeight === c.filterWidth &&
    Number.isInteger(border) &&
    c.outChannels * factor ** 2 <= MAX_FOLDED_CHANNELS &&
    [c.strideHeight, c.strideWidth, c.dilationHeight, c.dilationWidth].every((d) => d === 1) &&
    [top, left, bottom, right].every((pad) => pad === border)
  );
}

function foldedAttributes(c: Geometry, factor: number) {
  const { reach, width } = foldedTaps(c.filterHeight, factor);
  return { kernel_shape: [width, width], pads: [reach, reach, reach, reach] };
}

/** [out, in, phase, tap] of a filter [size, size, in, out]: for each place within a pixel, taps that meet one pixel added. */
function foldedFilter(g: Graph, filter: Value, c: Geometry, factor: number, flipped: boolean): string {
  const size = c.filterHeight;
  const { width, target } = foldedTaps(size, factor);
  const [phases, taps] = [factor ** 2, width ** 2];
  const table = new Float32Array(size ** 2 * phases * taps);
  for (let tap = 0; tap < size ** 2; tap++)
    for (let phase = 0; phase < phases; phase++) {
      const row = target(Math.floor(phase / factor), Math.floor(tap / size));
      const at = row * width + target(phase % factor, tap % size);
      table[(tap * phases + phase) * taps + (flipped ? taps - 1 - at : at)] = 1;
    }
  const oihw = g.transpose(plain(g, filter), [3, 2, 0, 1], filter.shape);
  const rows = g.reshape(oihw, [c.outChannels * c.inChannels, size ** 2]);
  const folded = g.op('MatMul', [rows, g.constant('float32', [size ** 2, phases * taps], table)]);
  return g.reshape(folded, [c.outChannels, c.inChannels, phases, taps]);
}
