/** Fewer numbers in place of many, so that distances stay about what they are. */
import * as tf from '@tensorflow/tfjs-core';
import { type Random, shuffled } from '../random.ts';
import type { Matrix } from './matrix.ts';

/** Nothing in it comes from images. */
export interface Sketch {
  readonly columns: number;
  /** Features `[N, F]` -> `[N, columns]`, in the graph. */
  readonly apply: (features: tf.Tensor2D) => tf.Tensor2D;
  /** The same, of features at hand. */
  readonly applyMatrix: (features: Matrix) => Matrix;
}

/**
 * Every feature is added, with a random sign, to one of `most` sums (count sketch, Charikar et al. 2002; as evenly
 * spread as can be). Of no more than `most` features each stays as it is.
 */
export function makeSketch(columns: number, most: number, random: Random): Sketch {
  if (columns <= most) return { columns, apply: (features) => features, applyMatrix: (features) => features };
  const order = shuffled(
    Array.from({ length: columns }, (_, i) => i),
    random,
  );
  const signs = Float32Array.from(order, () => (random() < 0.5 ? -1 : 1));
  const rounds = Math.ceil(columns / most);
  return {
    columns: most,
    apply: (features) => {
      const signed = tf.mul(tf.gather(features, tf.tensor1d(order, 'int32'), 1), tf.tensor1d(signs));
      const padded = tf.pad2d(signed as tf.Tensor2D, [
        [0, 0],
        [0, rounds * most - columns],
      ]);
      return tf.sum(tf.reshape(padded, [-1, rounds, most]), 1);
    },
    applyMatrix: ({ rows, data }) => {
      const sums = new Float32Array(rows * most);
      for (let row = 0; row < rows; row++)
        for (let i = 0; i < columns; i++)
          sums[row * most + (i % most)]! += signs[i]! * data[row * columns + order[i]!]!;
      return { rows, columns: most, data: sums };
    },
  };
}
