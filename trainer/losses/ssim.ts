/** Structural dissimilarity. */
import * as tf from '@tensorflow/tfjs-core';

const WINDOW = 11;
const SIGMA = 1.5;
/** (K L)^2 with K1 = 0.01, K2 = 0.03 and the range L = 1. */
const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;

/**
 * 1 - structural similarity of each channel (Wang et al. 2004, Gaussian window of 11 x 11, sigma 1.5), where the window
 * lies within the image: `[N, h, w, c]` -> `[N, h - 10, w - 10, c]`, 0 to 2. Images narrower than 11 pixels get the
 * largest odd window that fits.
 */
export function structuralDissimilarity(x: tf.Tensor4D, y: tf.Tensor4D): tf.Tensor4D {
  const [, height, width, channels] = x.shape;
  const blur = gaussianBlur(windowOf(height, width), channels);
  const [meanX, meanY] = [blur(x), blur(y)];
  const product = tf.mul(meanX, meanY);
  const squares = tf.add(tf.square(meanX), tf.square(meanY));
  const covariance = tf.sub(blur(tf.mul(x, y)), product);
  const variances = tf.sub(blur(tf.add(tf.square(x), tf.square(y))), squares);
  const numerator = tf.mul(tf.add(tf.mul(2, product), C1), tf.add(tf.mul(2, covariance), C2));
  const denominator = tf.mul(tf.add(squares, C1), tf.add(variances, C2));
  return tf.sub(1, tf.div(numerator, denominator));
}

const windowOf = (height: number, width: number): number => {
  const side = Math.min(WINDOW, height, width);
  return side % 2 === 0 ? side - 1 : side;
};

/** A Gaussian window, rows and columns one after the other: two depthwise convolutions. */
function gaussianBlur(side: number, channels: number): (x: tf.Tensor4D) => tf.Tensor4D {
  const weights = Array.from({ length: side }, (_, i) =>
    Math.exp(-((i - (side - 1) / 2) ** 2) / (2 * SIGMA ** 2)),
  );
  const sum = weights.reduce((a, b) => a + b);
  const values = weights.flatMap((weight) => new Array<number>(channels).fill(weight / sum));
  const rows = tf.tensor4d(values, [side, 1, channels, 1]);
  const columns = tf.tensor4d(values, [1, side, channels, 1]);
  return (x) => tf.depthwiseConv2d(tf.depthwiseConv2d(x, rows, 1, 'valid'), columns, 1, 'valid');
}
