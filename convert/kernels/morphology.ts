import { backend_util } from '@tensorflow/tfjs-core';
import type { Shape } from '../shapes.ts';
import { plain } from '../values.ts';
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
      const c = geometry(x!.shape, filter!.shape, attrs);
      const [rows, columns] = [(c.outHeight - 1) * c.strideHeight + 1, (c.outWidth - 1) * c.strideWidth + 1];
      const { top, left } = c.padInfo;
      const bottom = Math.max(0, rows + c.effectiveFilterHeight - 1 - c.inHeight - top);
      const right = Math.max(0, columns + c.effectiveFilterWidth - 1 - c.inWidth - left);
      const pads = [0, top, left, 0, 0, bottom, right, 0];
      // As tfjs-backend-cpu kernels/Dilation2D.js: a window without any pixel gives this number.
      const wide = constantPad(g, plain(g, x!), pads, g.scalar(Number.MIN_SAFE_INTEGER, x!.dtype));
      const taps: string[] = [];
      for (let i = 0; i < c.filterHeight; i++)
        for (let j = 0; j < c.filterWidth; j++) {
          const [row, column] = [i * c.dilationHeight, j * c.dilationWidth];
          const starts = g.ints([row, column]);
          const ends = g.ints([row + rows, column + columns]);
          const shifted = g.op('Slice', [
            wide,
            starts,
            ends,
            g.ints([1, 2]),
            g.ints([c.strideHeight, c.strideWidth]),
          ]);
          const weights = g.op('Slice', [
            plain(g, filter!),
            g.ints([i, j]),
            g.ints([i + 1, j + 1]),
            g.ints([0, 1]),
          ]);
          taps.push(g.op('Add', [shifted, weights]));
        }
      out!.plain = taps.length === 1 ? taps[0]! : g.op('Max', taps);
    },
  }),
};

function geometry(x: Shape, filter: Shape, { strides, pad, dilations }: DilationAttrs) {
  type Rank3 = [number, number, number];
  const images = [...x] as [number, number, number, number];
  return backend_util.computeDilation2DInfo(images, [...filter] as Rank3, strides, pad, 'NHWC', dilations);
}
