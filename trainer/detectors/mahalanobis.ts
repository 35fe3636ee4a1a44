/** The detector `mahalanobis`: how far from good images, with what varies together taken together. */
import * as tf from '@tensorflow/tfjs-core';
import { shrunkCovariance, whiteningOf } from './covariance.ts';
import type { Detector, FitDetector } from './detector.ts';
import { standardise, standardiseMatrix, standardOf } from './standardise.ts';

/** Mahalanobis distance of standardised features, divided by the square root of their number. */
export const fitMahalanobis: FitDetector<{ readonly kind: 'mahalanobis' }> = async function* (
  features,
): AsyncGenerator<never, Detector, void> {
  const { columns } = features;
  const standard = standardOf(features);
  const whitening = whiteningOf(shrunkCovariance(standardiseMatrix(features, standard)), columns);
  return {
    parameters: columns * columns + 2 * columns,
    features: columns,
    description: `mahalanobis ${columns}`,
    score: (x) => {
      const white = tf.matMul(standardise(x, standard), tf.tensor2d(whitening, [columns, columns]));
      return tf.sqrt(tf.mean(tf.square(white), 1));
    },
  };
};
