import type { Graph } from '../graph.ts';
import { elements, normalizeAxis } from '../shapes.ts';
import { type DataType, plain, type Value, view } from '../values.ts';
import { type HandlerTable, handler, UnsupportedKernelError } from './handler.ts';

/** Kernels that choose or place elements by index. */
export const INDEX: HandlerTable = {
  GatherV2: handler<{ axis: number; batchDims: number }>({
    outputs: ({ x, indices }, { axis, batchDims }) => {
      const at = normalizeAxis(axis, x!.shape.length);
      const chosen = indices!.shape.slice(batchDims);
      return [{ shape: [...x!.shape.slice(0, at), ...chosen, ...x!.shape.slice(at + 1)], dtype: x!.dtype }];
    },
    emit: (g, { x, indices }, { axis, batchDims }, [out]) => {
      const at = normalizeAxis(axis, x!.shape.length);
      if (batchDims > 0) out!.plain = gatherInBatches(g, x!, indices!, at, batchDims);
      else out!.plain = g.op('Gather', [plain(g, x!), plain(g, indices!)], { axis: at });
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
  Diag: handler({
    outputs: ({ x }) => [{ shape: [...x!.shape, ...x!.shape], dtype: x!.dtype }],
    emit: (g, { x }, _, [out]) => {
      const size = elements(x!.shape);
      const places = Array.from({ length: size }, (_, i) => i);
      const column = g.constant('int32', [size, 1], places);
      const onDiagonal = g.op('Equal', [column, g.constant('int32', [size], places)]);
      const zero = g.scalar(0, x!.dtype);
      const square = g.op('Where', [onDiagonal, plain(g, view(g, x!, [size])), zero]);
      out!.plain = g.reshape(square, out!.shape);
    },
  }),
  /** Padded with zeros to `maxOutputSize`, so that its size does not depend on the boxes. */
  NonMaxSuppressionV4: handler<SuppressionAttrs>({
    outputs: (_, { maxOutputSize, padToMaxOutputSize }) => {
      if (!padToMaxOutputSize)
        throw new UnsupportedKernelError(
          'NonMaxSuppressionV4',
          'how many boxes it gives depends on their values; set padToMaxOutputSize',
        );
      return [
        { shape: [maxOutputSize], dtype: 'int32' },
        { shape: [], dtype: 'int32' },
      ];
    },
    emit: (g, { boxes, scores }, attrs, [selected, count]) => {
      const { maxOutputSize: most, iouThreshold, scoreThreshold } = attrs;
      const inputs = [
        g.reshape(plain(g, boxes!), [1, ...boxes!.shape]),
        g.reshape(plain(g, scores!), [1, 1, ...scores!.shape]),
        g.ints([most]),
        // TensorFlow.js drops a box whose overlap equals the threshold, ONNX one whose overlap exceeds it.
        g.constant('float32', [1], [largestBelow(iouThreshold)]),
        g.constant('float32', [1], [scoreThreshold]),
      ];
      const found = g.op('NonMaxSuppression', inputs);
      const column = g.op('Slice', [found, g.ints([2]), g.ints([3]), g.ints([1])]);
      const zeros = g.constant('int64', [most], new Array(most).fill(0));
      const filled = g.op('Concat', [g.reshape(column, [-1]), zeros], { axis: 0 });
      const cut = g.op('Slice', [filled, g.ints([0]), g.ints([most]), g.ints([0])]);
      selected!.plain = g.cast(cut, 'int32');
      count!.plain = g.cast(
        g.op('Gather', [g.op('Shape', [found]), g.scalar(0, 'int64')], { axis: 0 }),
        'int32',
      );
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

interface SuppressionAttrs {
  maxOutputSize: number;
  iouThreshold: number;
  scoreThreshold: number;
  padToMaxOutputSize: boolean;
}

/** Each row of the first `batchDims` axes gathers by its own indices: the gathered axis comes right behind those. */
function gatherInBatches(g: Graph, x: Value, indices: Value, axis: number, batchDims: number): string {
  const rank = x.shape.length;
  const axes = x.shape.map((_, i) => i);
  const others = axes.filter((i) => i >= batchDims && i !== axis);
  const front = g.transpose(plain(g, x), [...axes.slice(0, batchDims), axis, ...others], x.shape);
  const at = g.cast(g.reshape(plain(g, indices), [...indices.shape, 1]), 'int64');
  const rows = g.op('GatherND', [front, at], { batch_dims: batchDims });
  const between = axis - batchDims;
  const chosen = indices.shape.length - batchDims;
  const shape = [...indices.shape, ...others.map((i) => x.shape[i]!)];
  const places = shape.map((_, i) => i);
  const perm = [
    ...places.slice(0, batchDims),
    ...places.slice(batchDims + chosen, batchDims + chosen + between),
    ...places.slice(batchDims, batchDims + chosen),
    ...places.slice(batchDims + chosen + between, rank + chosen),
  ];
  return g.transpose(rows, perm, shape);
}

/** The largest single-precision number below a positive one. */
function largestBelow(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  if (bits[0] === 0) return 0;
  bits[0]!--;
  return new Float32Array(bits.buffer)[0]!;
}
