/** Where an image departs from good ones: oriented energy, cell by cell. */
import * as tf from '@tensorflow/tfjs-core';
import { shrunkCovariance, whiteningOf } from '../detectors/covariance.ts';
import { matrixOf } from '../detectors/matrix.ts';
import { standardise, standardiseMatrix, standardOf } from '../detectors/standardise.ts';
import { CELLS, logEnergyCells } from './energy.ts';
import { placeMatrices } from './resampling.ts';
import { EDGE, type Views } from './views.ts';

/** Side of the map. */
export const MAP = 28;

export interface LocalModel {
  /** `[N, 28, 28]`, over the whole image, zero outside of the foreground's box; about 1 in good images. */
  readonly map: (views: Views) => tf.Tensor3D;
  readonly parameters: number;
}

/**
 * A Gaussian for every cell of the foreground, as in PaDiM (Defard et al. 2021), with means and deviations of its own;
 * the correlations are those of all cells together, so that few images suffice. `cells` holds `logEnergyCells` of good
 * images, `[16, 16, F]` each.
 */
export function fitLocalModel(cells: readonly Float32Array[]): LocalModel {
  const matrix = matrixOf(cells);
  const standard = standardOf(matrix);
  const count = CELLS * CELLS;
  const features = matrix.columns / count;
  const { data } = standardiseMatrix(matrix, standard);
  const whitening = whiteningOf(
    shrunkCovariance({ rows: matrix.rows * count, columns: features, data }),
    features,
  );
  return {
    parameters: 2 * matrix.columns + whitening.length,
    map: (views) => {
      const z = standardise(tf.reshape(logEnergyCells(views), [-1, matrix.columns]), standard);
      const white = tf.matMul(
        tf.reshape(z, [-1, count, features]),
        tf.tensor3d(whitening, [1, features, features]),
      );
      const distance = tf.sqrt(tf.mean(tf.square(white), 2));
      return placeInImage(tf.reshape(distance, [-1, CELLS, CELLS]), views);
    },
  };
}

function placeInImage(cells: tf.Tensor3D, { box: { top, bottom, left, right } }: Views): tf.Tensor3D {
  const size = { size: MAP, cells: CELLS };
  const rows = placeMatrices(top, bottom, EDGE, size);
  const columns = placeMatrices(left, right, EDGE, size);
  return tf.matMul(tf.matMul(rows, cells), columns, false, true);
}
