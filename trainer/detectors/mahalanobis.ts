/** The detector `mahalanobis`: how far from good images, with what varies together taken together. */
import * as tf from '@tensorflow/tfjs-core';
import { randomFor } from '../random.ts';
import { shrunkCovariance, whiteningOf } from './covariance.ts';
import type { FitDetector } from './detector.ts';
import { makeSketch } from './sketch.ts';
import { standardise, standardiseMatrix, standardOf } from './standardise.ts';

/**
 * Features that a covariance is made of; of more, a sketch. With the 2,560 of EfficientNet-Lite2 the covariance takes
 * 26 MB and a minute, and ranks images no better: docs/accuracy.md.
 */
const MOST = 512;

/** Mahalanobis distance of standardised features, divided by the square root of their number. */
export const fitMahalanobis: FitDetector<{ readonly kind: 'mahalanobis' }> = (features, _, { seed }) => {
  const standard = standardOf(features);
  const sketch = makeSketch(features.columns, MOST, randomFor(seed, 'sketch'));
  const { columns } = sketch;
  const whitening = whiteningOf(
    shrunkCovariance(sketch.applyMatrix(standardiseMatrix(features, standard))),
    columns,
  );
  return {
    parameters: columns * columns + 2 * features.columns,
    features: features.columns,
    description: `mahalanobis ${columns}`,
    score: (x) => {
      const z = sketch.apply(standardise(x, standard));
      const white = tf.matMul(z, tf.tensor2d(whitening, [columns, columns]));
      return tf.sqrt(tf.mean(tf.square(white), 1));
    },
  };
};
