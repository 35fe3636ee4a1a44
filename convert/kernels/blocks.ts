import { backend_util } from '@tensorflow/tfjs-core';
import type { Graph } from '../graph.ts';
import { elements, type Shape } from '../shapes.ts';
import { channelsFirst, plain } from '../values.ts';
import { type HandlerTable, handler, UnsupportedKernelError } from './handler.ts';
import { constantPad } from './pad.ts';

type Pairs = number[][];

/** Kernels that move blocks of an image into its batch or its channels and back. */
export const BLOCKS: HandlerTable = {
  BatchToSpaceND: handler<{ blockShape: number[]; crops: Pairs }>({
    outputs: ({ x }, { blockShape, crops }) => {
      const grown = backend_util.getReshapedPermuted([...x!.shape], blockShape, elements(blockShape));
      const cut = backend_util.getSliceSize(grown, crops, blockShape.length);
      return [{ shape: [...cut, ...grown.slice(cut.length)], dtype: x!.dtype }];
    },
    emit: (g, { x }, { blockShape, crops }, [out]) => {
      const shape = [...x!.shape];
      const size = elements(blockShape);
      const split = backend_util.getReshaped(shape, blockShape, size);
      const grown = backend_util.getReshapedPermuted(shape, blockShape, size);
      const perm = backend_util.getPermuted(split.length, blockShape.length);
      const whole = interleave(g, plain(g, x!), split, perm, grown);
      const axes = blockShape.map((_, i) => i + 1);
      const starts = crops.map(([before]) => before!);
      const ends = crops.map(([, behind], i) => grown[i + 1]! - behind!);
      out!.plain = g.op('Slice', [whole, g.ints(starts), g.ints(ends), g.ints(axes)]);
    },
  }),
  SpaceToBatchND: handler<{ blockShape: number[]; paddings: Pairs }>({
    outputs: ({ x }, { blockShape, paddings }) => [
      { shape: movedToBatch(padded(x!.shape, paddings), blockShape), dtype: x!.dtype },
    ],
    emit: (g, { x }, { blockShape, paddings }, [out]) => {
      const shape = padded(x!.shape, paddings);
      const all = x!.shape.map((_, i) => paddings[i - 1] ?? [0, 0]);
      const pads = [...all.map(([before]) => before!), ...all.map(([, behind]) => behind!)];
      const grown = pads.some((p) => p > 0)
        ? constantPad(g, plain(g, x!), pads, g.scalar(0, x!.dtype))
        : plain(g, x!);
      const split = backend_util.getReshaped(shape, blockShape, elements(blockShape), false);
      const perm = backend_util.getPermuted(split.length, blockShape.length, false);
      out!.plain = interleave(g, grown, split, perm, out!.shape);
    },
  }),
  DepthToSpace: handler<{ blockSize: number; dataFormat: string }>({
    outputs: ({ x }, { blockSize, dataFormat }) => {
      if (dataFormat !== 'NHWC')
        throw new UnsupportedKernelError('DepthToSpace', `dataFormat is "${dataFormat}"; use NHWC`);
      const [n, height, width, channels] = x!.shape as [number, number, number, number];
      const shape = [n, height * blockSize, width * blockSize, channels / blockSize ** 2];
      return [{ shape, dtype: x!.dtype }];
    },
    emit: (g, { x }, { blockSize }, [out]) => {
      out!.channelsFirst = g.op('DepthToSpace', [channelsFirst(g, x!)], {
        blocksize: blockSize,
        mode: 'DCR',
      });
    },
  }),
};

function interleave(g: Graph, name: string, split: Shape, perm: Shape, joined: Shape): string {
  const blocks = g.op('Transpose', [g.reshape(name, split)], { perm });
  return g.reshape(blocks, joined);
}

function padded(shape: Shape, paddings: Pairs): number[] {
  return shape.map((size, i) => size + (paddings[i - 1] ?? []).reduce((sum, p) => sum + p, 0));
}

function movedToBatch(shape: number[], blockShape: number[]): number[] {
  return backend_util.getReshapedPermuted(shape, blockShape, elements(blockShape), false);
}
