/** Where an image departs from good ones: oriented energy, cell by cell. */
import * as tf from '@tensorflow/tfjs-core';
import { quantile } from '../../agent/inspect/quantile.ts';
import { shrunkCovariance, whiteningOf } from '../detectors/covariance.ts';
import { matrixOf } from '../detectors/matrix.ts';
import { standardise, standardiseMatrix, standardOf } from '../detectors/standardise.ts';
import { CELLS, logEnergyCells } from './energy.ts';
import { placing, resample } from './resampling.ts';
import { EDGE, type Views } from './views.ts';

/** Side of the map. */
export const MAP = 28;

export interface LocalModel {
  /**
   * `[N, 28, 28]`, over the whole image, zero outside of the foreground's box: 0 where a place is as usual as it is in
   * the half of the good images, in good images seldom above 1.
   */
  readonly map: (views: Views) => tf.Tensor3D;
  readonly parameters: number;
}

/** The value 1 of the map: what this share of the good images keep below at that very place. */
const KEPT = 0.97;

/** Places that vary less than this share of the ordinary one count as if they varied by it. */
const LEAST = 0.5;

/** Images by which the values of each place are known. */
const SCALED = 200;

/**
 * A Gaussian for every cell of the foreground, as in PaDiM (Defard et al. 2021), with means and deviations of its own;
 * the correlations are those of all cells together, so that few images suffice. Distances are told between their median
 * in that cell, 0, and one that hardly a good image exceeds, 1: where good images differ in a way that is not Gaussian
 * (a burned-in date), the map would else have its largest value in each of them. `cells` holds `logEnergyCells` of good images,
 * `[16, 16, F]` each.
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
  const { usual, width } = spreadOf(data.subarray(0, SCALED * matrix.columns), whitening, features);
  return {
    parameters: 2 * matrix.columns + whitening.length + 2 * count,
    map: (views) => {
      const z = standardise(tf.reshape(logEnergyCells(views), [-1, matrix.columns]), standard);
      const white = tf.matMul(
        tf.reshape(z, [-1, count, features]),
        tf.tensor3d(whitening, [1, features, features]),
      );
      const distance = tf.sqrt(tf.mean(tf.square(white), 2));
      const beyond = tf.relu(tf.sub(distance, tf.tensor2d(usual, [1, count])));
      const relative = tf.div(beyond, tf.tensor2d(width, [1, count]));
      return placeInImage(tf.reshape(relative, [-1, 1, CELLS, CELLS]), views);
    },
  };
}

/** Of each cell the median distance, and from there to what `KEPT` of the images keep below; cells `[N, 256, features]`. */
function spreadOf(
  data: Float32Array,
  whitening: Float32Array,
  features: number,
): { usual: Float32Array; width: Float32Array } {
  const count = CELLS * CELLS;
  const images = data.length / features / count;
  const cells = Array.from({ length: count }, (_, cell) => {
    const distances = Array.from({ length: images }, (_, i) => {
      const start = (i * count + cell) * features;
      return whitenedLength(data.subarray(start, start + features), whitening);
    });
    distances.sort((a, b) => a - b);
    const median = quantile(distances, 0.5);
    return { median, width: quantile(distances, KEPT) - median };
  });
  const least =
    LEAST *
      quantile(
        cells.map(({ width }) => width).sort((a, b) => a - b),
        0.5,
      ) +
    1e-6;
  return {
    usual: Float32Array.from(cells, ({ median }) => median),
    width: Float32Array.from(cells, ({ width }) => Math.max(width, least)),
  };
}

/** Root mean square of `x W`. */
function whitenedLength(x: Float32Array, whitening: Float32Array): number {
  const { length } = x;
  let sum = 0;
  for (let column = 0; column < length; column++) {
    let value = 0;
    for (let i = 0; i <= column; i++) value += x[i]! * whitening[i * length + column]!; // W is upper triangular
    sum += value * value;
  }
  return Math.sqrt(sum / length);
}

function placeInImage(cells: tf.Tensor4D, { box }: Views): tf.Tensor3D {
  return tf.squeeze(resample(cells, placing(box, EDGE, { size: MAP, cells: CELLS })), [1]);
}
