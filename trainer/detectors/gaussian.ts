/** The detector `gaussian`: every feature for itself. */
import * as tf from '@tensorflow/tfjs-core';
import type { FitDetector } from './detector.ts';
import { standardOf } from './standardise.ts';

export interface GaussianOptions {
  readonly kind: 'gaussian';
  /** Factor of what lies above the mean, 0 to 1. */
  readonly above: number;
}

/**
 * Euclidean norm of the standardised features, those above zero times `above`. Nothing is cut off: few features, and
 * far is far.
 */
export const fitGaussian: FitDetector<GaussianOptions> = (features, { above }) => {
  const { mean, deviation } = standardOf(features);
  return {
    parameters: 2 * features.columns,
    features: features.columns,
    description: `gaussian ${features.columns}`,
    score: (x) => {
      const z = tf.div(tf.sub(x, tf.tensor1d(mean)), tf.tensor1d(deviation));
      const weighted = tf.minimum(z, tf.mul(z, above)); // z where it is below zero, as `above` is at most 1
      return tf.sqrt(tf.sum(tf.square(weighted), 1));
    },
  };
};
