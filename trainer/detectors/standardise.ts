/** Brings features to mean 0 and standard deviation 1 over good images. */
import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from './matrix.ts';

/**
 * Standard deviations below this share of the median one are raised to it: a feature that hardly varies among training
 * images must not decide everything by its first change.
 */
const LEAST = 0.1;

/** Standardised features are cut off here, to both sides. */
const CLIP = 10;

export interface Standard {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

export function standardOf({ rows, columns, data }: Matrix): Standard {
  const mean = new Float64Array(columns);
  const square = new Float64Array(columns);
  for (let i = 0; i < data.length; i++) mean[i % columns]! += data[i]! / rows;
  for (let i = 0; i < data.length; i++) square[i % columns]! += (data[i]! - mean[i % columns]!) ** 2;
  const deviation = square.map((sum) => Math.sqrt(sum / Math.max(rows - 1, 1)));
  const floor = LEAST * (deviation.toSorted()[columns >> 1] ?? 0) + 1e-9;
  return {
    mean: Float32Array.from(mean),
    deviation: Float32Array.from(deviation, (value) => Math.max(value, floor)),
  };
}

/** Features `[N, F]`, in the graph. */
export function standardise(features: tf.Tensor2D, { mean, deviation }: Standard): tf.Tensor2D {
  const centred = tf.sub(features, tf.tensor1d(mean));
  return tf.clipByValue(tf.mul(centred, tf.tensor1d(deviation.map((d) => 1 / d))), -CLIP, CLIP);
}

/** The same, of features at hand. */
export function standardiseMatrix({ rows, columns, data }: Matrix, { mean, deviation }: Standard): Matrix {
  const values = data.map((value, i) => {
    const column = i % columns;
    return Math.max(-CLIP, Math.min(CLIP, (value - mean[column]!) * (1 / deviation[column]!)));
  });
  return { rows, columns, data: values };
}
