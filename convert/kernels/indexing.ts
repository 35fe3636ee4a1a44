import { normalizeAxis } from '../shapes.ts';
import { type DataType, plain, type Value, view } from '../values.ts';
import { type HandlerTable, handler, UnsupportedKernelError } from './handler.ts';

/** Kernels that choose or place elements by index. */
export const INDEX: HandlerTable = {
  GatherV2: handler<{ axis: number; batchDims: number }>({
    outputs: ({ x, indices }, { axis, batchDims }) => {
      if (batchDims)
        throw new UnsupportedKernelError('GatherV2', `batchDims is ${batchDims}; only 0 is supported`);
      const at = normalizeAxis(axis, x!.shape.length);
      const shape = [...x!.shape.slice(0, at), ...indices!.shape, ...x!.shape.slice(at + 1)];
      return [{ shape, dtype: x!.dtype }];
    },
    emit: (g, { x, indices }, { axis }, [out]) => {
      const at = normalizeAxis(axis, x!.shape.length);
      out!.plain = g.op('Gather', [plain(g, x!), plain(g, indices!)], { axis: at });
    },
  }),
  /** Negative segment ids are dropped: they go to one row too many, which is cut off again. */
  UnsortedSegmentSum: handler<{ numSegments: number }>({
    outputs: ({ x }, { numSegments }) => [{ shape: [numSegments, ...x!.shape.slice(1)], dtype: x!.dtype }],
    emit: (g, { x, segmentIds }, { numSegments }, [out]) => {
      const ids = plain(g, view(g, segmentIds!, [segmentIds!.shape[0]!, 1]));
      const dropped = g.scalar(numSegments, 'int32');
      const targets = g.op('Where', [g.op('Less', [ids, g.scalar(0, 'int32')]), dropped, ids]);
      const shape = [numSegments + 1, ...x!.shape.slice(1)];
      const zeros: Value = { shape, dtype: x!.dtype, fill: 0, uses: 1 };
      const data = [plain(g, zeros), g.cast(targets, 'int64'), plain(g, x!)];
      const sums = g.op('ScatterND', data, { reduction: 'add' });
      out!.plain = g.op('Slice', [sums, g.ints([0]), g.ints([numSegments]), g.ints([0])]);
    },
  }),
  TopK: handler<{ k: number; sorted: boolean }>({
    outputs: ({ x }, { k }) => {
      const shape = [...x!.shape.slice(0, -1), k];
      return [
        { shape, dtype: x!.dtype },
        { shape, dtype: 'int32' },
      ];
    },
    emit: (g, { x }, { k, sorted }, [values, indices]) => {
      const attributes = { axis: x!.shape.length - 1, sorted: sorted ? 1 : 0 };
      const [top, at] = g.ops('TopK', [plain(g, x!), g.ints([k])], attributes, 2);
      values!.plain = top!;
      indices!.plain = g.cast(at!, 'int32');
    },
  }),
  /** ONNX counts negative indices from the end; TensorFlow.js gives a row of `offValue`. */
  OneHot: handler<{ depth: number; onValue: number; offValue: number; dtype?: DataType }>({
    outputs: ({ indices }, { depth, dtype }) => [
      { shape: [...indices!.shape, depth], dtype: dtype ?? 'float32' },
    ],
    emit: (g, { indices }, { depth, onValue, offValue }, [out]) => {
      const index = g.cast(plain(g, indices!), 'int64');
      const negative = g.op('Less', [index, g.scalar(0, 'int64')]);
      const safe = g.op('Where', [negative, g.scalar(depth, 'int64'), index]);
      const values = g.constant('float32', [2], [offValue, onValue]);
      const rows = g.op('OneHot', [safe, g.ints([depth]), values], { axis: -1 });
      out!.plain = out!.dtype === 'float32' ? rows : g.cast(rows, out!.dtype);
    },
  }),
};
