/** The detector `gaussian`: every feature for itself. */
import * as tf from '@tensorflow/tfjs-core';
import type { Detector, FitDetector } from './detector.ts';
import { standardOf } from './standardise.ts';

/** Euclidean norm of the standardised features. Nothing is cut off: few features, and far is far. */
export const fitGaussian: FitDetector<{ readonly kind: 'gaussian' }> = async function* (
  features,
): AsyncGenerator<never, Detector, void> {
  const { mean, deviation } = standardOf(features);
  return {
    parameters: 2 * features.columns,
    features: features.columns,
    description: `gaussian ${features.columns}`,
    score: (x) => {
      const z = tf.div(tf.sub(x, tf.tensor1d(mean)), tf.tensor1d(deviation));
      return tf.sqrt(tf.sum(tf.square(z), 1));
    },
  };
};
