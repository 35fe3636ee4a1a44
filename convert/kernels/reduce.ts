import type { Graph } from '../graph.ts';
import { elements, normalizeAxes, normalizeAxis } from '../shapes.ts';
import {
  alias,
  channelsFirst,
  type DataType,
  elementwise,
  type Fold,
  isChannelsFirst,
  plain,
  reduce,
  type Value,
  view,
} from '../values.ts';
import { across } from './across.ts';
import { type Handler, type HandlerTable, handler, sameShapeHandler } from './handler.ts';
import { constantPad } from './pad.ts';

type Axis = number | number[] | undefined;

interface ReductionAttrs {
  /** Every reduction but Max calls it `axis`. */
  axis?: Axis;
  reductionIndices?: Axis;
  keepDims?: boolean;
}

/** Kernels that fold axes away, and those that normalise along one. */
export const REDUCE: HandlerTable = {
  Sum: reduction((g, x, out, axes, keepDims) => {
    if (sumOfSpread(g, x, out, axes)) return;
    const fold = by('ReduceSum');
    reduce(g, out, x, x.dtype === 'float32' ? across('Sum', fold) : fold, axes, keepDims);
  }),
  Mean: reduction((g, x, out, axes, keepDims) => {
    const float: Value = { shape: x.shape, dtype: 'float32', uses: x.uses };
    if (x.dtype === 'float32') alias(g, float, x);
    else elementwise(g, float, [x], (name) => g.cast(name, 'float32'));
    reduce(g, out, float, across('Mean', by('ReduceMean')), axes, keepDims);
  }, 'float32'),
  Max: reduction((g, x, out, axes, keepDims) => reduce(g, out, x, by('ReduceMax'), axes, keepDims)),
  Min: reduction((g, x, out, axes, keepDims) => reduce(g, out, x, by('ReduceMin'), axes, keepDims)),
  Prod: reduction((g, x, out, axes, keepDims) => reduce(g, out, x, by('ReduceProd'), axes, keepDims)),
  All: reduction(logical('ReduceMin'), 'bool'),
  Any: reduction(logical('ReduceMax'), 'bool'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  /** TensorFlow.js normalises along the last axis only, which is axis 1 of an image held in NCHW. */
  Softmax: sameShapeHandler((g, x, out) => {
    const images = x.shape.length === 4 && isChannelsFirst(x);
    if (images) out.channelsFirst = g.op('Softmax', [channelsFirst(g, x)], { axis: 1 });
    else out.plain = g.op('Softmax', [plain(g, x)], { axis: x.shape.length - 1 });
  }),
  Cumsum: sameShapeHandler((g, x, out, a: { axis: number; exclusive?: boolean; reverse?: boolean }) => {
    const axis = g.scalar(normalizeAxis(a.axis, x.shape.length), 'int32');
    const attributes = { exclusive: a.exclusive ? 1 : 0, reverse: a.reverse ? 1 : 0 };
    out.plain = g.op('CumSum', [plain(g, x), axis], attributes);
  }),
  Cumprod: sameShapeHandler((g, x, out, a: { axis: number; exclusive?: boolean; reverse?: boolean }) => {
    const axis = normalizeAxis(a.axis, x.shape.length);
    const length = x.shape[axis]!;
    const shift = (name: string, by: number) => shifted(g, name, x, axis, a.reverse ? -by : by);
    let product = a.exclusive ? shift(plain(g, x), 1) : plain(g, x);
    for (let by = 1; by < length; by *= 2) product = g.op('Mul', [product, shift(product, by)]);
    out.plain = product;
  }),
};

/** The elements moved `by` places along an axis; ones come in. */
function shifted(g: Graph, name: string, { shape, dtype }: Value, axis: number, by: number): string {
  const length = shape[axis]!;
  const [start, end] = by > 0 ? [0, length - by] : [-by, length];
  const kept = g.op('Slice', [name, g.ints([start]), g.ints([end]), g.ints([axis])]);
  const side = (size: number) => shape.map((_, i) => (i === axis ? size : 0));
  return constantPad(g, kept, [...side(Math.max(0, by)), ...side(Math.max(0, -by))], g.scalar(1, dtype));
}

/** One node of ONNX. */
function by(type: string): Fold {
  return (g, name, _, axes, keepDims) => g.op(type, [name, g.ints(axes)], { keepdims: keepDims ? 1 : 0 });
}

function reduction(
  emit: (g: Graph, x: Value, out: Value, axes: number[], keepDims: boolean) => void,
  dtype?: DataType,
): Handler {
  const axesOf = (a: ReductionAttrs, rank: number) => normalizeAxes(a.axis ?? a.reductionIndices, rank);
  return handler<ReductionAttrs>({
    outputs: ({ x }, attrs) => {
      const axes = axesOf(attrs, x!.shape.length);
      const shape = attrs.keepDims
        ? x!.shape.map((d, i) => (axes.includes(i) ? 1 : d))
        : x!.shape.filter((_, i) => !axes.includes(i));
      return [{ shape, dtype: dtype ?? x!.dtype }];
    },
    emit: (g, { x }, attrs, [out]) =>
      emit(g, x!, out!, axesOf(attrs, x!.shape.length), attrs.keepDims ?? false),
  });
}

/** The sum of a broadcast value is the value times the number of repeats; nothing needs to be expanded. */
function sumOfSpread(g: Graph, x: Value, out: Value, axes: readonly number[]): boolean {
  if (!x.spread || axes.length === 0) return false;
  const source = x.spread;
  const shape = [...Array<number>(x.shape.length - source.shape.length).fill(1), ...source.shape];
  if (!axes.every((a) => shape[a] === 1)) return false;
  const dims = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const repeats: Value = { shape: [], dtype: x.dtype, fill: elements(axes.map((a) => x.shape[a]!)), uses: 1 };
  const scaled: Value = { shape: dims, dtype: x.dtype, uses: 1 };
  elementwise(g, scaled, [view(g, source, shape), repeats], (a, b) => g.op('Mul', [a, b]));
  alias(g, out, view(g, scaled, out.shape));
  return true;
}

function logical(type: string) {
  return (g: Graph, x: Value, out: Value, axes: readonly number[], keepDims: boolean) => {
    if (axes.length === 0) return alias(g, out, x);
    const number = g.cast(plain(g, x), 'int32');
    out.plain = g.cast(g.op(type, [number, g.ints(axes)], { keepdims: keepDims ? 1 : 0 }), 'bool');
  };
}

function argument(type: string): Handler {
  const axisOf = (axis: Axis, rank: number) => normalizeAxes(axis, rank)[0]!;
  return handler<{ axis: number }>({
    outputs: ({ x }, { axis }) => {
      const at = axisOf(axis, x!.shape.length);
      return [{ shape: x!.shape.filter((_, i) => i !== at), dtype: 'int32' }];
    },
    emit: (g, { x }, { axis }, [out]) => {
      const index = g.op(type, [plain(g, x!)], { axis: axisOf(axis, x!.shape.length), keepdims: 0 });
      out!.plain = g.cast(index, 'int32');
    },
  });
}
