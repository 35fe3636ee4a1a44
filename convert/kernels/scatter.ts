import { backend_util } from '@tensorflow/tfjs-core';
import type { Graph } from '../graph.ts';
import { elements, type Shape } from '../shapes.ts';
import { plain, type TensorSpec, type Value, view } from '../values.ts';
import { type Handler, type HandlerTable, handler } from './handler.ts';

/** Kernels that read or write elements at computed places, and that count them. */
export const SCATTER: HandlerTable = {
  GatherNd: handler({
    outputs: ({ params, indices }) => {
      const depth = indices!.shape.at(-1)!;
      return [
        { shape: [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)], dtype: params!.dtype },
      ];
    },
    emit: (g, { params, indices }, _, [out]) => {
      out!.plain = g.op('GatherND', [plain(g, params!), g.cast(plain(g, indices!), 'int64')]);
    },
  }),
  ScatterNd: handler<{ shape: number[] }>({
    outputs: ({ updates }, { shape }) => [{ shape, dtype: updates!.dtype }],
    emit: (g, { indices, updates }, { shape }, [out]) => {
      const zeros: Value = { shape, dtype: updates!.dtype, fill: 0, uses: 1 };
      out!.plain = scatter(g, plain(g, zeros), indices!, updates!, shape, 'add');
    },
  }),
  TensorScatterUpdate: handler({
    outputs: ({ tensor }) => [tensor!],
    emit: (g, { tensor, indices, updates }, _, [out]) => {
      out!.plain = scatter(g, plain(g, tensor!), indices!, updates!, tensor!.shape, 'none');
    },
  }),
  SparseToDense: handler<{ outputShape: number[] }>({
    outputs: ({ sparseValues }, { outputShape }) => [{ shape: outputShape, dtype: sparseValues!.dtype }],
    emit: (g, { sparseIndices, sparseValues, defaultValue }, { outputShape }, [out]) => {
      const background = g.op('Expand', [plain(g, defaultValue!), g.ints(outputShape)]);
      out!.plain = scatter(g, background, sparseIndices!, sparseValues!, outputShape, 'none');
    },
  }),
  Bincount: bincount(),
  DenseBincount: bincount(),
  /** The place of each value in its row: how many of the sorted numbers are smaller (`left`), or not larger. */
  SearchSorted: handler<{ side: 'left' | 'right' }>({
    outputs: ({ values }) => [{ shape: values!.shape, dtype: 'int32' }],
    emit: (g, { sortedSequence, values }, { side }, [out]) => {
      const [rows, length] = sortedSequence!.shape as [number, number];
      const row = g.reshape(plain(g, sortedSequence!), [rows, 1, length]);
      const column = g.reshape(plain(g, values!), [rows, values!.shape[1]!, 1]);
      const before = g.op(side === 'left' ? 'Less' : 'LessOrEqual', [row, column]);
      out!.plain = g.op('ReduceSum', [g.cast(before, 'int32'), g.ints([2])], { keepdims: 0 });
    },
  }),
};

function scatter(
  g: Graph,
  onto: string,
  indices: Value,
  updates: Value,
  shape: Shape,
  reduction: 'add' | 'none',
): string {
  const info = backend_util.calculateShapes(
    { shape: [...updates.shape] } as never, // its helper reads shapes only
    { shape: [...indices.shape], rank: indices.shape.length } as never,
    [...shape],
  );
  const at = g.cast(plain(g, view(g, indices, [info.numUpdates, info.sliceRank])), 'int64');
  const slices = [info.numUpdates, ...shape.slice(info.sliceRank)];
  const written =
    elements(slices) === elements(updates.shape)
      ? plain(g, view(g, updates, slices))
      : g.op('Expand', [plain(g, updates), g.ints(slices)]);
  return g.op('ScatterND', [onto, at, written], { reduction });
}

/** How often each of 0 .. size - 1 occurs in a vector, or in each row of a matrix; numbers beyond are not counted. */
function bincount(): Handler {
  const shapeOf = (x: TensorSpec, size: number) => [...(x.shape.length === 2 ? [x.shape[0]!] : []), size];
  return handler<{ size: number; binaryOutput?: boolean }>({
    outputs: ({ x, weights }, { size }) => [{ shape: shapeOf(x!, size), dtype: weights!.dtype }],
    emit: (g, { x, weights }, { size, binaryOutput }, [out]) => {
      const numbers = g.reshape(plain(g, x!), [...x!.shape, 1]);
      const bins = g.constant(
        x!.dtype as 'int32',
        [size],
        Array.from({ length: size }, (_, i) => i),
      );
      const hits = g.cast(g.op('Equal', [numbers, bins]), out!.dtype);
      const axis = g.ints([x!.shape.length - 1]);
      if (binaryOutput) out!.plain = g.op('ReduceMax', [hits, axis], { keepdims: 0 });
      else if (elements(weights!.shape) === 0) out!.plain = g.op('ReduceSum', [hits, axis], { keepdims: 0 });
      else {
        const heavy = g.reshape(plain(g, weights!), [...x!.shape, 1]);
        out!.plain = g.op('ReduceSum', [g.op('Mul', [hits, heavy]), axis], { keepdims: 0 });
      }
    },
  });
}
