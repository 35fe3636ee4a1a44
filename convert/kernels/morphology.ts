import { backend_util } from '@tensorflow/tfjs-core';
import type { Graph } from '../graph.ts';
import type { Shape } from '../shapes.ts';
import { plain, type Value } from '../values.ts';
import { type Geometry, nodeAttributes, outputPadding } from './conv.ts';
import { type HandlerTable, handler } from './handler.ts';
import { constantPad } from './pad.ts';

interface DilationAttrs {
  strides: number | [number, number];
  pad: 'same' | 'valid';
  dilations: number | [number, number];
}

/** Grey-scale dilation of [N, H, W, C] images: ONNX has none, so one shifted copy for each tap of the filter. */
export const MORPHOLOGY: HandlerTable = {
  Dilation2D: handler<DilationAttrs>({
    outputs: ({ x, filter }, attrs) => [
      { shape: geometry(x!.shape, filter!.shape, attrs).outShape, dtype: x!.dtype },
    ],
    emit: (g, { x, filter }, attrs, [out]) => {
      const sums = tapSums(g, x!, filter!, geometry(x!.shape, filter!.shape, attrs));
      out!.plain = sums.length === 1 ? sums[0]! : g.op('Max', sums);
    },
  }),
  Dilation2DBackpropInput: handler<DilationAttrs>({
    outputs: ({ x }) => [x!],
    emit: (g, { x, filter, dy }, attrs, [out]) => {
      const c = geometry(x!.shape, filter!.shape, attrs);
      out!.channelsFirst = spreadShares(g, shares(g, x!, filter!, dy!, c), c);
    },
  }),
  Dilation2DBackpropFilter: handler<DilationAttrs>({
    outputs: ({ filter }) => [filter!],
    emit: (g, { x, filter, dy }, attrs, [out]) => {
      const c = geometry(x!.shape, filter!.shape, attrs);
      const sums = g.op('ReduceSum', [shares(g, x!, filter!, dy!, c), g.ints([1, 2, 3])], { keepdims: 0 });
      out!.plain = g.reshape(sums, filter!.shape);
    },
  }),
};

/** What the maximum is taken of: for each tap of the filter, the pixels below it and its weight, [N, H, W, C]. */
function tapSums(g: Graph, x: Value, filter: Value, c: Geometry): string[] {
  const [rows, columns] = [(c.outHeight - 1) * c.strideHeight + 1, (c.outWidth - 1) * c.strideWidth + 1];
  const { top, left } = c.padInfo;
  const bottom = Math.max(0, rows + c.effectiveFilterHeight - 1 - c.inHeight - top);
  const right = Math.max(0, columns + c.effectiveFilterWidth - 1 - c.inWidth - left);
  const pads = [0, top, left, 0, 0, bottom, right, 0];
  // As tfjs-backend-cpu kernels/Dilation2D.js: a window without any pixel gives this number.
  const wide = constantPad(g, plain(g, x), pads, g.scalar(Number.MIN_SAFE_INTEGER, x.dtype));
  const strides = g.ints([c.strideHeight, c.strideWidth]);
  const sums: string[] = [];
  for (let i = 0; i < c.filterHeight; i++)
    for (let j = 0; j < c.filterWidth; j++) {
      const [row, column] = [i * c.dilationHeight, j * c.dilationWidth];
      const bounds = [g.ints([row, column]), g.ints([row + rows, column + columns])];
      const shifted = g.op('Slice', [wide, ...bounds, g.ints([1, 2]), strides]);
      const tap = [g.ints([i, j]), g.ints([i + 1, j + 1]), g.ints([0, 1])];
      sums.push(g.op('Add', [shifted, g.op('Slice', [plain(g, filter), ...tap])]));
    }
  return sums;
}

/** What each tap gets of `dy`: all of it where its sum is the (first) largest, [taps, N, H, W, C]. */
function shares(g: Graph, x: Value, filter: Value, dy: Value, c: Geometry): string {
  const outShape = [c.batchSize, c.outHeight, c.outWidth, c.inChannels];
  const sums = tapSums(g, x, filter, c).map((sum) => g.reshape(sum, [1, ...outShape]));
  const all = sums.length === 1 ? sums[0]! : g.op('Concat', sums, { axis: 0 });
  const largest = g.op('ArgMax', [all], { axis: 0, keepdims: 1 });
  const taps = g.constant(
    'int64',
    [sums.length, 1, 1, 1, 1],
    sums.map((_, i) => i),
  );
  const one = g.reshape(plain(g, dy), [1, ...outShape]);
  return g.op('Where', [g.op('Equal', [largest, taps]), one, g.scalar(0)]);
}

/** Adds each share to the pixel that its tap looked at: a transposed convolution with ones, [N, C, H, W]. */
function spreadShares(g: Graph, shares: string, c: Geometry): string {
  const taps = c.filterHeight * c.filterWidth;
  const byChannel = g.op('Transpose', [shares], { perm: [1, 4, 0, 2, 3] });
  const planes = g.reshape(byChannel, [c.batchSize, c.inChannels * taps, c.outHeight, c.outWidth]);
  const places = Array.from({ length: c.inChannels * taps * taps }, (_, i) =>
    Math.floor(i / taps) % taps === i % taps ? 1 : 0,
  );
  const window = [c.inChannels * taps, 1, c.filterHeight, c.filterWidth];
  const attributes = { ...nodeAttributes(c), output_padding: outputPadding(c), group: c.inChannels };
  return g.op('ConvTranspose', [planes, g.constant('float32', window, places)], attributes);
}

function geometry(x: Shape, filter: Shape, { strides, pad, dilations }: DilationAttrs): Geometry {
  type Rank3 = [number, number, number];
  const images = [...x] as [number, number, number, number];
  return backend_util.computeDilation2DInfo(images, [...filter] as Rank3, strides, pad, 'NHWC', dilations);
}
