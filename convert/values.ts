import type { Graph } from './graph.ts';
import { broadcastShapes, elements, NCHW_AXIS, type Shape, sameShape, toNchw } from './shapes.ts';

/** Element types of TensorFlow.js tensors that this converter carries. */
export type DataType = 'float32' | 'int32' | 'bool';

/** What is known of a tensor before anything is computed. */
export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DataType;
}

/**
 * A tensor inside a graph being emitted. `shape` is always the one TensorFlow.js sees; the graph may hold the
 * elements in that order (`plain`), for images in NCHW (`channelsFirst`), in both, or not yet at all.
 * Reach the names through `plain()` and `channelsFirst()`, which make the missing one.
 */
export interface Value extends TensorSpec {
  plain?: string;
  channelsFirst?: string;
  /** Every element is this number. */
  fill?: number;
  /** The value is this smaller one, broadcast; nothing was expanded yet. */
  spread?: Value;
  /** A convolution not emitted yet: the bias that follows may still become its third input. */
  deferred?: (bias?: string) => string;
  /** How often records and outputs use the value. */
  uses: number;
  /** The value that this one merely renames. */
  origin?: Value;
  /** These images with [top, left, bottom, right] zeros around them are the value. */
  zeroBorder?: { readonly of: Value; readonly pads: Shape };
  /** The value is this image with each pixel repeated `factor` x `factor` times. */
  enlarged?: { readonly of: Value; readonly factor: number };
  /** Emits the sums over blocks of `factor` x `factor` of these images, where that is less work than the images. */
  blockSums?: (factor: number) => string | undefined;
  /** relu(this value), once emitted. */
  rectified?: Value;
  views?: Map<string, Value>;
}

type Layout = 'plain' | 'channelsFirst';

/** The value's name in TensorFlow.js order. */
export function plain(g: Graph, v: Value): string {
  if (v.plain !== undefined) return v.plain;
  if (v.spread) v.plain = g.op('Expand', [plain(g, v.spread), g.ints(v.shape)]);
  else if (v.fill !== undefined) v.plain = expandedScalar(g, v.fill, v);
  else v.plain = g.transpose(channelsFirst(g, v), [0, 2, 3, 1], toNchw(v.shape));
  return v.plain;
}

/** The name of a rank-4 value in NCHW. */
export function channelsFirst(g: Graph, v: Value): string {
  if (v.channelsFirst !== undefined) return v.channelsFirst;
  v.channelsFirst = v.deferred ? v.deferred() : g.transpose(plain(g, v), [0, 3, 1, 2], v.shape);
  return v.channelsFirst;
}

/** Whether the value so far exists in NCHW only, so that reading it in TensorFlow.js order costs a Transpose. */
export function isChannelsFirst(v: Value): boolean {
  return v.plain === undefined && (v.channelsFirst !== undefined || v.deferred !== undefined);
}

/** The layout that costs least for an operation on these values with a result of this rank. */
export function preferredLayout(values: readonly Value[], rank: number): Layout {
  return rank === 4 && values.some((v) => v.shape.length === 4 && isChannelsFirst(v))
    ? 'channelsFirst'
    : 'plain';
}

export function nameIn(g: Graph, v: Value, layout: Layout): string {
  return layout === 'plain' ? plain(g, v) : channelsFirst(g, v);
}

/** The same elements under another shape. */
export function view(g: Graph, v: Value, shape: Shape): Value {
  if (sameShape(v.shape, shape)) return v;
  v.views ??= new Map();
  const key = shape.join();
  const known = v.views.get(key);
  if (known) return known;
  const made: Value = { shape, dtype: v.dtype, uses: v.uses };
  if (v.fill !== undefined) made.fill = v.fill;
  else made.plain = g.reshape(plain(g, v), shape);
  v.views.set(key, made);
  return made;
}

/** `out` is `from` under another name. */
export function alias(g: Graph, out: Value, from: Value): void {
  if (from.deferred) channelsFirst(g, from);
  if (from.plain !== undefined) out.plain = from.plain;
  if (from.channelsFirst !== undefined) out.channelsFirst = from.channelsFirst;
  if (from.fill !== undefined) out.fill = from.fill;
  if (from.spread) out.spread = from.spread;
  out.origin = from.origin ?? from;
}

/** `out` is `from` broadcast to `out`'s shape; emits nothing. */
export function spread(g: Graph, out: Value, from: Value): void {
  if (sameShape(out.shape, from.shape)) alias(g, out, from);
  else if (from.fill !== undefined) out.fill = from.fill;
  else out.spread = from.spread ?? from;
}

/**
 * Emits an operator that broadcasts its operands. The result takes NCHW where an operand exists only there,
 * so that a chain between two convolutions needs no transposes.
 */
export function elementwise(
  g: Graph,
  out: Value,
  operands: readonly Value[],
  emit: (...names: string[]) => string,
): void {
  const values = operands.map((v) => v.spread ?? v);
  const layout = isOneChannel(out) ? 'channelsFirst' : preferredLayout(values, out.shape.length);
  const names = values.map((v) => operandName(g, v, layout));
  const covered = values
    .filter((v) => v.fill === undefined)
    .reduce<number[]>((shape, v) => broadcastShapes(shape, v.shape), []);
  if (!sameShape(covered, out.shape)) {
    const i = Math.max(
      0,
      values.findIndex((v) => v.fill === undefined),
    );
    const dims = layout === 'plain' ? out.shape : toNchw(out.shape);
    names[i] = g.op('Expand', [names[i]!, g.ints(dims)]);
  }
  out[layout] = emit(...names);
}

/** Emits what folds `axes` of a tensor of dimensions `dims`, both as the graph holds them, and gives its name. */
export type Fold = (
  g: Graph,
  name: string,
  dims: Shape,
  axes: readonly number[],
  keepDims: boolean,
) => string;

/** Reduces over `axes` (of the TensorFlow.js shape), without leaving NCHW where that is possible. */
export function reduce(
  g: Graph,
  out: Value,
  v: Value,
  fold: Fold,
  axes: readonly number[],
  keepDims: boolean,
): void {
  if (axes.length === 0) {
    alias(g, out, v);
    return;
  }
  if (v.shape.length === 4 && isChannelsFirst(v)) {
    const left = [0, 1, 2, 3].filter((a) => !axes.includes(a)).map((a) => NCHW_AXIS[a]!);
    const inOrder = left.every((a, i) => i === 0 || a > left[i - 1]!);
    if (keepDims || inOrder) {
      const moved = axes.map((a) => NCHW_AXIS[a]!).sort((a, b) => a - b);
      const name = fold(g, channelsFirst(g, v), toNchw(v.shape), moved, keepDims);
      out[keepDims ? 'channelsFirst' : 'plain'] = name;
      return;
    }
  }
  out.plain = fold(g, plain(g, v), v.shape, axes, keepDims);
}

/**
 * Such images lie alike in both layouts, but beside a scalar onnxruntime takes dimensions that end in 1 one element at a
 * time, 25 times as long.
 */
function isOneChannel({ shape }: Value): boolean {
  return shape.length === 4 && shape[3] === 1 && shape[2]! > 1;
}

function operandName(g: Graph, v: Value, layout: Layout): string {
  if (v.fill !== undefined) return g.scalar(v.fill, v.dtype);
  if (layout === 'plain' || (v.shape.length < 4 && elements(v.shape) === 1)) return plain(g, v);
  if (v.shape.length === 4) return channelsFirst(g, v);
  if (v.shape.length === 1) return g.reshape(plain(g, v), [v.shape[0]!, 1, 1]);
  return channelsFirst(g, view(g, v, [...Array<number>(4 - v.shape.length).fill(1), ...v.shape]));
}

function expandedScalar(g: Graph, fill: number, { shape, dtype }: TensorSpec): string {
  const scalar = g.scalar(fill, dtype);
  return shape.length === 0 ? scalar : g.op('Expand', [scalar, g.ints(shape)]);
}
