/** Cropping and resizing as products with matrices, so that each image of a batch can have a box of its own. */
import * as tf from '@tensorflow/tfjs-core';

/**
 * Matrices `[N, size, edge]` that cut `[start, stop)` out of a line of `edge` pixels and resize it to `size`: triangle
 * filter, widened when it reduces (what PIL calls bilinear). `start` and `stop` are whole numbers, `[N]`.
 */
export function cropMatrices(start: tf.Tensor, stop: tf.Tensor, edge: number, size: number): tf.Tensor3D {
  const column = (x: tf.Tensor) => tf.reshape(x, [-1, 1, 1]);
  const [from, to] = [column(start), column(stop)];
  const scale = tf.div(tf.sub(to, from), size);
  const centre = tf.add(from, tf.mul(scale, tf.tensor3d(halves(size), [1, size, 1])));
  const pixel = tf.tensor3d(halves(edge), [1, 1, edge]);
  const inside = tf.mul(tf.cast(tf.greater(pixel, from), 'float32'), tf.cast(tf.less(pixel, to), 'float32'));
  const distance = tf.div(tf.abs(tf.sub(pixel, centre)), tf.maximum(scale, 1));
  const weight = tf.mul(tf.relu(tf.sub(1, distance)), inside);
  return tf.div(weight, tf.sum(weight, 2, true));
}

/** The matrix `[to - from, edge]` of `cropMatrices` for one constant box, of which only rows `from` to `to` are wanted. */
export function cropMatrix(
  box: { readonly start: number; readonly stop: number },
  edge: number,
  size: number,
  { from, to } = { from: 0, to: size },
): tf.Tensor2D {
  const scale = (box.stop - box.start) / size;
  const values = new Float32Array((to - from) * edge);
  for (let i = from; i < to; i++) {
    const centre = box.start + (i + 0.5) * scale;
    const row = values.subarray((i - from) * edge, (i - from + 1) * edge);
    for (let j = box.start; j < box.stop; j++)
      row[j] = Math.max(0, 1 - Math.abs(j + 0.5 - centre) / Math.max(scale, 1));
    const sum = row.reduce((total, weight) => total + weight, 0);
    for (let j = box.start; j < box.stop; j++) row[j]! /= sum;
  }
  return tf.tensor2d(values, [to - from, edge]);
}

/**
 * Matrices `[N, size, cells]` that bring `cells` values, evenly spaced over `[start, stop)` of a line of `edge` pixels,
 * back to `size` values over the whole line: linear in between, zero outside of the box.
 */
export function placeMatrices(
  start: tf.Tensor,
  stop: tf.Tensor,
  edge: number,
  { size, cells }: { readonly size: number; readonly cells: number },
): tf.Tensor3D {
  const column = (x: tf.Tensor) => tf.reshape(x, [-1, 1, 1]);
  const [from, to] = [column(start), column(stop)];
  const position = tf.mul(tf.tensor3d(halves(size), [1, size, 1]), edge / size);
  const inside = tf.mul(
    tf.cast(tf.greaterEqual(position, from), 'float32'),
    tf.cast(tf.less(position, to), 'float32'),
  );
  const within = tf.mul(tf.div(tf.sub(position, from), tf.sub(to, from)), cells);
  const nearest = tf.clipByValue(within, 0.5, cells - 0.5); // the outer half of a border cell has its value
  const centre = tf.tensor3d(halves(cells), [1, 1, cells]);
  return tf.mul(tf.relu(tf.sub(1, tf.abs(tf.sub(nearest, centre)))), inside);
}

/** Centres of `count` unit cells: 0.5, 1.5, ... */
const halves = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => i + 0.5);
