/** The detector `places`: how far the most unusual places of an image stand out from the rest of it. */
import * as tf from '@tensorflow/tfjs-core';
import { TrainerError } from '../error.ts';
import { shrunkCovariance, whiteningOf } from './covariance.ts';
import type { FitDetector } from './detector.ts';
import type { Matrix } from './matrix.ts';

export interface PlacesOptions {
  readonly kind: 'places';
  /** Places that the features of the voice come from, one after the other. */
  readonly places: number;
}

/** Share of the places that counts as the most unusual. */
const SHARE = 0.01;

/** What an image says in which no place stands out; keeps the score above zero. */
const FLOOR = 1e-3;

/**
 * A Gaussian for every place, as in PaDiM (Defard et al. 2021), with the covariance of Ledoit and Wolf: means and
 * covariances, no image's own features. The score is the mean distance of the most unusual 1 % of the places, minus the
 * median distance of all: haze moves all places alike, and is for other voices to tell (measured: docs/accuracy.md).
 * @throws TrainerError when the features are not those of so many places.
 */
export const fitPlaces: FitDetector<PlacesOptions> = (features, { places }, { name }) => {
  const width = features.columns / places;
  if (!Number.isInteger(width))
    throw new TrainerError(
      `The voice ${name} has ${features.columns} features, which are not those of ${places} places. Use another detector for it, such as mahalanobis.`,
    );
  const means = meansOf(features);
  const whitening = new Float32Array(places * width * width);
  for (let place = 0; place < places; place++)
    whitening.set(
      whiteningOf(shrunkCovariance(centredAt(features, means, place * width, width)), width),
      place * width * width,
    );
  const worst = Math.ceil(SHARE * places);
  const half = (places >> 1) + 1;
  return {
    parameters: means.length + whitening.length,
    features: features.columns,
    description: `gaussian of ${places} places`,
    score: (x) => {
      const centred = tf.reshape(tf.sub(x, tf.tensor1d(means)), [-1, places, width]);
      const white = tf.matMul(
        tf.transpose(centred, [1, 0, 2]),
        tf.tensor3d(whitening, [places, width, width]),
      );
      const distances = tf.transpose(tf.sqrt(tf.mean(tf.square(white), 2))); // [N, places]
      const ordered = tf.topk(distances, half, true).values;
      const most = tf.mean(tf.slice(ordered, [0, 0], [-1, worst]), 1);
      const median = tf.squeeze(tf.slice(ordered, [0, half - 1], [-1, 1]), [1]);
      return tf.add(tf.sub(most, median), FLOOR) as tf.Tensor1D;
    },
  };
};

function meansOf({ rows, columns, data }: Matrix): Float32Array {
  const sums = new Float64Array(columns);
  for (let i = 0; i < data.length; i++) sums[i % columns]! += data[i]!;
  return Float32Array.from(sums, (sum) => sum / rows);
}

function centredAt(
  { rows, columns, data }: Matrix,
  means: Float32Array,
  from: number,
  width: number,
): Matrix {
  const centred = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < width; i++)
      centred[row * width + i] = data[row * columns + from + i]! - means[from + i]!;
  return { rows, columns: width, data: centred };
}
