/** Cropping and resizing as products with matrices, so that each image of a batch can have a box of its own. */
import * as tf from '@tensorflow/tfjs-core';

/** Whole numbers of pixels, `[N, 2]`: of rows, and of columns. `stop` lies behind the last one. */
export interface Box {
  readonly start: tf.Tensor2D;
  readonly stop: tf.Tensor2D;
}

/** `[N, 1, rows, columns]` each: what is done to the rows of an image, and to its columns. */
export interface Resampling {
  readonly rows: tf.Tensor4D;
  readonly columns: tf.Tensor4D;
}

/** `[N, C, h, w]` -> `[N, C, size, size]`. */
export function resample(images: tf.Tensor4D, { rows, columns }: Resampling): tf.Tensor4D {
  return tf.matMul(tf.matMul(rows, images), columns, false, true);
}

/**
 * Cuts boxes out of images of `edge` x `edge` pixels and resizes them to `size` x `size`: triangle filter, widened when
 * it reduces (what PIL calls bilinear).
 */
export function cropping(box: Box, edge: number, size: number): Resampling {
  const [from, to] = bounds(box);
  const scale = tf.div(tf.sub(to, from), size);
  const centre = tf.add(from, tf.mul(scale, tf.tensor4d(halves(size), [1, 1, size, 1])));
  const pixel = tf.tensor4d(halves(edge), [1, 1, 1, edge]);
  const inside = tf.mul(tf.cast(tf.greater(pixel, from), 'float32'), tf.cast(tf.less(pixel, to), 'float32'));
  const distance = tf.div(tf.abs(tf.sub(pixel, centre)), tf.maximum(scale, 1));
  const weight = tf.mul(tf.relu(tf.sub(1, distance)), inside);
  return apart(tf.div(weight, tf.sum(weight, 3, true)));
}

/**
 * As `cropping`, of one constant square box, of which only rows and columns `from` to `to` of the result are wanted:
 * `[N, edge, edge]` -> `[N, to - from, to - from]`. Only the pixels that they depend on are read.
 */
export function cropConstant(
  images: tf.Tensor3D,
  box: { readonly start: number; readonly stop: number },
  size: number,
  { from, to } = { from: 0, to: size },
): tf.Tensor3D {
  const scale = (box.stop - box.start) / size;
  const reach = Math.max(scale, 1);
  const first = Math.max(box.start, Math.floor(box.start + (from + 0.5) * scale - reach));
  const last = Math.min(box.stop, Math.ceil(box.start + (to - 0.5) * scale + reach));
  const pixels = last - first;
  const values = new Float32Array((to - from) * pixels);
  for (let i = from; i < to; i++) {
    const centre = box.start + (i + 0.5) * scale;
    const row = values.subarray((i - from) * pixels, (i - from + 1) * pixels);
    for (let j = 0; j < pixels; j++) row[j] = Math.max(0, 1 - Math.abs(first + j + 0.5 - centre) / reach);
    const sum = row.reduce((total, weight) => total + weight, 0);
    for (let j = 0; j < pixels; j++) row[j]! /= sum;
  }
  const matrix = tf.tensor3d(values, [1, to - from, pixels]);
  const part = tf.slice(images, [0, first, first], [-1, pixels, pixels]);
  return tf.matMul(tf.matMul(matrix, part), matrix, false, true);
}

/**
 * Brings `cells` x `cells` values, evenly spaced over boxes in images of `edge` x `edge` pixels, back to `size` x `size`
 * values over the whole image: linear in between, zero outside of the box.
 */
export function placing(
  box: Box,
  edge: number,
  { size, cells }: { readonly size: number; readonly cells: number },
): Resampling {
  const [from, to] = bounds(box);
  const position = tf.mul(tf.tensor4d(halves(size), [1, 1, size, 1]), edge / size);
  const inside = tf.mul(
    tf.cast(tf.greaterEqual(position, from), 'float32'),
    tf.cast(tf.less(position, to), 'float32'),
  );
  const within = tf.mul(tf.div(tf.sub(position, from), tf.sub(to, from)), cells);
  const nearest = tf.clipByValue(within, 0.5, cells - 0.5); // the outer half of a border cell has its value
  const centre = tf.tensor4d(halves(cells), [1, 1, 1, cells]);
  return apart(tf.mul(tf.relu(tf.sub(1, tf.abs(tf.sub(nearest, centre)))), inside));
}

/** `[N, 2, 1, 1]` each. */
function bounds({ start, stop }: Box): [tf.Tensor, tf.Tensor] {
  return [tf.reshape(start, [-1, 2, 1, 1]), tf.reshape(stop, [-1, 2, 1, 1])];
}

/** `[N, 2, ...]`: those of rows, and those of columns. */
function apart(matrices: tf.Tensor): Resampling {
  const [rows, columns] = tf.split<tf.Tensor4D>(matrices as tf.Tensor4D, 2, 1);
  return { rows: rows!, columns: columns! };
}

/** Centres of `count` unit cells: 0.5, 1.5, ... */
const halves = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => i + 0.5);
