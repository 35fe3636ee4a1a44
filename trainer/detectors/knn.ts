/** The detector `knn`: distance to the nearest good images. The bundle then holds features of training images. */
import * as tf from '@tensorflow/tfjs-core';
import { randomFor } from '../random.ts';
import { chooseCoreset } from './coreset.ts';
import type { FitDetector } from './detector.ts';
import { matrixOf, rowOf } from './matrix.ts';
import { standardise, standardiseMatrix, standardOf } from './standardise.ts';

export interface KnnOptions {
  readonly kind: 'knn';
  readonly neighbours: number;
  /** Images remembered at most; of more, a coreset. */
  readonly memory: number;
}

/** Mean distance of standardised features to the nearest `neighbours` remembered images. */
export const fitKnn: FitDetector<KnnOptions> = (features, { neighbours, memory: most }, { seed, name }) => {
  const { columns } = features;
  const standard = standardOf(features);
  const all = standardiseMatrix(features, standard);
  const chosen = chooseCoreset(all, most, randomFor(seed, 'coreset', name));
  const memory = matrixOf(chosen.map((row) => rowOf(all, row)));
  const squares = Float32Array.from(chosen, (row) => rowOf(all, row).reduce((sum, v) => sum + v * v, 0));
  const nearest = Math.min(neighbours, memory.rows);
  return {
    parameters: memory.data.length + squares.length + 2 * columns,
    features: columns,
    description: `knn ${memory.rows} x ${columns}`,
    score: (x) => {
      const y = standardise(x, standard);
      const products = tf.matMul(y, tf.tensor2d(memory.data, [memory.rows, columns]), false, true);
      const squared = tf.sub(
        tf.add(tf.sum(tf.square(y), 1, true), tf.tensor2d(squares, [1, memory.rows])),
        tf.mul(products, 2),
      );
      const closest = tf.neg(tf.topk(tf.neg(squared), nearest, true).values);
      return tf.mean(tf.sqrt(tf.relu(closest)), 1);
    },
  };
};
