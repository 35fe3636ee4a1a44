/** Difference of gradients: blind to brightness, keen on edges. */
import * as tf from '@tensorflow/tfjs-core';

/**
 * Mean of |difference of the horizontal gradients| and |difference of the vertical gradients|, each between a pixel and
 * the next: `[N, h, w, c]` -> `[N, h - 1, w - 1, c]`.
 */
export function gradientDifference(x: tf.Tensor4D, y: tf.Tensor4D): tf.Tensor4D {
  const difference = tf.sub(x, y) as tf.Tensor4D; // gradients are linear: theirs is that of the difference
  const [count, height, width, channels] = difference.shape;
  const from = (row: number, column: number) =>
    tf.slice(difference, [0, row, column, 0], [count, height - 1, width - 1, channels]);
  const here = from(0, 0);
  const horizontal = tf.abs(tf.sub(from(0, 1), here));
  const vertical = tf.abs(tf.sub(from(1, 0), here));
  return tf.mul(tf.add(horizontal, vertical), 0.5);
}
