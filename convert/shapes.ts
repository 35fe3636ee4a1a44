/** A tensor's dimensions in TensorFlow.js order, outermost first; images are [N, H, W, C]. */
export type Shape = readonly number[];

/** Number of elements of a tensor of this shape (1 for a scalar). */
export function elements(shape: Shape): number {
  return shape.reduce((product, d) => product * d, 1);
}

/** Whether two shapes (or any two lists of numbers) are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** The shape that two operands broadcast to (NumPy's rule). Throws when they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new Error(`shapes [${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** Where each axis of an [N, H, W, C] tensor lies in [N, C, H, W]. */
export const NCHW_AXIS: readonly number[] = [0, 2, 3, 1];

/** [N, H, W, C] -> [N, C, H, W], for shapes and for any other list with one entry an axis. */
export function toNchw<T>(list: readonly T[]): T[] {
  return [list[0]!, list[3]!, list[1]!, list[2]!];
}

/** `axis` (a number, a list, or nothing for all) as sorted, non-negative axes of a tensor of this rank. */
export function normalizeAxes(axis: number | readonly number[] | null | undefined, rank: number): number[] {
  const axes = axis == null ? Array.from({ length: rank }, (_, i) => i) : [axis].flat();
  return axes.map((a) => (a < 0 ? a + rank : a)).sort((a, b) => a - b);
}

/** A single axis, counted from the front. */
export function normalizeAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

export type NumberArray = Float32Array | Int32Array | Uint8Array;

/** Transposes host data: element order of `data` with dimensions `dims` after the permutation `perm`. */
export function transposeData<T extends NumberArray>(data: T, dims: Shape, perm: readonly number[]): T {
  const strides: number[] = [];
  let stride = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= dims[i]!;
  }
  const outDims = perm.map((p) => dims[p]!);
  const outStrides = perm.map((p) => strides[p]!);
  const out = new (data.constructor as new (length: number) => T)(data.length);
  const index = outDims.map(() => 0);
  let source = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = data[source]!;
    for (let d = outDims.length - 1; d >= 0; d--) {
      source += outStrides[d]!;
      if (++index[d]! < outDims[d]!) break;
      source -= outStrides[d]! * outDims[d]!;
      index[d] = 0;
    }
  }
  return out;
}

/** The value that every element has, or undefined when they differ or there are none. */
export function uniformValue(data: ArrayLike<number>): number | undefined {
  const first = data[0];
  for (let i = 1; i < data.length; i++) if (!Object.is(data[i], first)) return undefined;
  return first;
}
