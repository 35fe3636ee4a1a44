/** The detector `pca`: Mahalanobis distance along the main directions, and what lies beside them. */
import * as tf from '@tensorflow/tfjs-core';
import { randomFor } from '../random.ts';
import type { FitDetector } from './detector.ts';
import { principalDirections } from './principal.ts';
import { standardise, standardiseMatrix, standardOf } from './standardise.ts';

export interface PcaOptions {
  readonly kind: 'pca';
  /** Directions at most; never more than a third of the images. */
  readonly directions: number;
}

/**
 * Squared coordinates over their variances, plus the squared rest over its mean variance, which counts as many
 * directions as the others together at most. Root of the mean.
 */
export const fitPca: FitDetector<PcaOptions> = (features, { directions: most }, { seed, name }) => {
  const { rows, columns } = features;
  const standard = standardOf(features);
  const z = standardiseMatrix(features, standard);
  const count = Math.max(1, Math.min(most, Math.floor(rows / 3), columns));
  const { directions, variances } = principalDirections(z, count, randomFor(seed, 'pca', name));
  const total = z.data.reduce((sum, value) => sum + value * value, 0) / rows;
  const others = Math.max(1, Math.min(rows - 1, columns) - count);
  const explained = variances.reduce((sum, value) => sum + value, 0);
  const rest = Math.min(others, count) / Math.max(total - explained, 1e-6);
  const scaled = directions.map((value, i) => value / Math.sqrt(Math.max(variances[i % count]!, 1e-9)));
  return {
    parameters: directions.length + count + 2 * columns,
    features: columns,
    description: `pca ${columns}-${count}`,
    score: (x) => {
      const y = standardise(x, standard);
      const along = tf.matMul(y, tf.tensor2d(directions, [columns, count]));
      const white = tf.matMul(y, tf.tensor2d(scaled, [columns, count]));
      const beside = tf.relu(tf.sub(tf.sum(tf.square(y), 1), tf.sum(tf.square(along), 1)));
      return tf.sqrt(tf.add(tf.sum(tf.square(white), 1), tf.mul(beside, rest)));
    },
  };
};
