/** One score from all voices, when nobody knows what will go wrong. */
import * as tf from '@tensorflow/tfjs-core';

/** Of the logarithm of a voice's scores over good images that its training did not see. */
export interface RobustScale {
  readonly median: number;
  /** 1.4826 median absolute deviation, which is the standard deviation of normal numbers. */
  readonly deviation: number;
}

/** Keeps logarithm and quotient finite. */
const FLOOR = 1e-6;

/** `scores` above zero, of one voice. */
export function robustScaleOf(scores: readonly number[]): RobustScale {
  const logs = scores.map((score) => Math.log(score + FLOOR));
  const centre = median(logs);
  const deviation = 1.4826 * median(logs.map((value) => Math.abs(value - centre)));
  return { median: centre, deviation: deviation + FLOOR };
}

/** Scores of one voice, `[N]` -> robust z of their logarithms. */
export function robustZ(scores: tf.Tensor1D, { median, deviation }: RobustScale): tf.Tensor1D {
  return tf.div(tf.sub(tf.log(tf.add(scores, FLOOR)), median), deviation);
}

/** As `robustZ`, of one score. */
export function robustZOf(score: number, { median, deviation }: RobustScale): number {
  return (Math.log(score + FLOOR) - median) / deviation;
}

/**
 * Robust z of all voices, `[N, V]` -> score `[N]`: the sum of squares of those above zero, each times its weight. In
 * place of max(z, 0) stands softplus(z), log(1 + e^z), which never is zero: good images keep an order.
 * @param weights one of each voice; null: all speak alike.
 */
export function fuse(z: tf.Tensor2D, weights: readonly number[] | null): tf.Tensor1D {
  const squares = tf.square(tf.softplus(z));
  return tf.sum(weights === null ? squares : tf.mul(squares, tf.tensor1d([...weights])), 1);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
