/** The detector `padim`: a Gaussian for every place. The bundle then holds features of training images. */
import * as tf from '@tensorflow/tfjs-core';
import { TrainerError } from '../error.ts';
import { shrunkCovariance, whiteningOf } from './covariance.ts';
import type { FitDetector } from './detector.ts';
import { type Matrix, matrixOf, rowOf } from './matrix.ts';
import { standardise, standardiseMatrix, standardOf } from './standardise.ts';

/**
 * Defard et al. 2021: Mahalanobis distance of the features of each place to those of good images at that place, with the
 * covariance of Ledoit and Wolf 2004, divided by the square root of their number. The score is the largest of them.
 * @throws TrainerError when the voice has no places.
 */
export const fitPadim: FitDetector<{ readonly kind: 'padim' }> = (features, _, { places, name }) => {
  if (places === null)
    throw new TrainerError(
      `The detector padim asks for a voice with places, and ${name} has none. Choose another detector for it, such as gaussian.`,
    );
  const { columns } = features;
  const standard = standardOf(features);
  const all = standardiseMatrix(features, standard);
  const [count, size] = [places.length, places[0]!.length];
  const whitenings = matrixOf(
    places.map((indices) => whiteningOf(shrunkCovariance(pick(all, indices)), size)),
  );
  return {
    parameters: whitenings.data.length + 2 * columns,
    features: columns,
    description: `padim ${count} x ${size}`,
    score: (x) => {
      const inOrder = tf.gather(standardise(x, standard), tf.tensor1d(places.flat(), 'int32'), 1);
      const byPlace = tf.transpose(tf.reshape(inOrder, [-1, count, size]), [1, 0, 2]);
      const white = tf.matMul(byPlace, tf.tensor3d(whitenings.data, [count, size, size])); // [places, N, size]
      return tf.max<tf.Tensor1D>(tf.sqrt(tf.mean(tf.square(white), 2)), 0);
    },
  };
};

function pick(matrix: Matrix, indices: readonly number[]): Matrix {
  return matrixOf(
    Array.from({ length: matrix.rows }, (_, i) => {
      const row = rowOf(matrix, i);
      return Float32Array.from(indices, (column) => row[column]!);
    }),
  );
}
