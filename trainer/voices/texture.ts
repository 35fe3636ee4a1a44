/** The voice `texture`: local binary patterns (Ojala et al. 2002) at three scales. */
import * as tf from '@tensorflow/tfjs-core';
import { gridMeans, gridPlaces } from './grid.ts';
import type { Views } from './views.ts';
import type { VoiceFeatures } from './voice.ts';

/** Clockwise, so that neighbours in this list are neighbours on the ring. */
const RING = [
  [-1, -1],
  [-1, 0],
  [-1, 1],
  [0, 1],
  [1, 1],
  [1, 0],
  [1, -1],
  [0, -1],
] as const;

const SCALES = [1, 2, 4] as const;

/** 0 to 8 ones in at most one run, and the others. */
const PATTERNS = 10;

/**
 * A neighbour counts as brighter when its difference from the centre exceeds `share` of the mean absolute difference in
 * good images: above the noise of flat areas. Over a band of this share of the threshold the comparison goes from 0 to
 * 1 steadily, so that rounding flips nothing.
 */
const BAND = 0.2;

/** Keeps the slope of the square root finite; a cell of 32 x 32 pixels has shares in steps of a thousandth. */
const FLOOR = 1e-5;

/** Features `[N, 510]`: at each scale the shares of ten patterns in 4 x 4 cells and overall, as square roots. */
export function texture(view: (views: Views) => tf.Tensor3D, share: number): VoiceFeatures {
  return {
    places: () => gridPlaces(PATTERNS, SCALES.length),
    measure: (views) =>
      tf.stack(
        pyramid(view(views)).map((level) => tf.mean(tf.abs(differences(level, 1, 0)), [1, 2, 3])),
        1,
      ) as tf.Tensor2D,
    describe: (views, measured) =>
      tf.concat2d(
        pyramid(view(views)).map((level, i) =>
          tf.sqrt(tf.add(gridMeans(patternMaps(bitsOf(level, share * measured[i]!))), FLOOR)),
        ),
        1,
      ),
  };
}

/** `[N, h, w, 1]` each. */
function pyramid(view: tf.Tensor3D): tf.Tensor4D[] {
  const whole = tf.expandDims<tf.Tensor4D>(view, 3);
  return SCALES.map((scale) => (scale === 1 ? whole : tf.avgPool(whole, scale, scale, 'valid')));
}

/** The eight neighbours minus the centre, times `scale`, plus `offset`: `[N, 8, h - 2, w - 2]`. */
function differences(level: tf.Tensor4D, scale: number, offset: number): tf.Tensor4D {
  const filters = new Float32Array(9 * RING.length);
  for (const [i, [row, column]] of RING.entries()) {
    filters[(3 * (1 + row) + 1 + column) * RING.length + i] = scale;
    filters[4 * RING.length + i] = -scale;
  }
  const found = tf.conv2d(level, tf.tensor4d(filters, [3, 3, 1, RING.length]), 1, 'valid');
  const offsets = tf.fill([1, RING.length, 1, 1], offset);
  return tf.add(tf.transpose(found, [0, 3, 1, 2]), offsets);
}

/** How much each neighbour counts as brighter, 0 to 1: `[N, 8, h - 2, w - 2]`. */
function bitsOf(level: tf.Tensor4D, threshold: number): tf.Tensor4D {
  const width = Math.max(BAND * threshold, 1e-6);
  return tf.clipByValue(differences(level, 1 / width, 0.5 - threshold / width), 0, 1);
}

/** Of each bit of a ring, the one that follows. */
const NEXT = [1, 2, 3, 4, 5, 6, 7, 0];

/**
 * How much each pixel is a pattern of 0 to 8 ones in at most one run, `[N, 9, h, w]`, and none of those, `[N, 1, h, w]`.
 * Of two bits the larger exceeds their mean by half of their difference, and each bit stands in two pairs: so the larger
 * ones together exceed the bits by half of the changes between 0 and 1, which is the number of runs.
 */
function patternMaps(bits: tf.Tensor4D): [tf.Tensor4D, tf.Tensor4D] {
  const ones = tf.sum(bits, 1, true);
  const larger = tf.sum(tf.maximum(bits, tf.gather(bits, NEXT, 1)), 1, true);
  const uniform = tf.clipByValue<tf.Tensor4D>(tf.sub(2, tf.sub(larger, ones)), 0, 1);
  const counts = tf.tensor4d([0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 9, 1, 1]);
  const byCount = tf.mul(tf.relu(tf.sub(1, tf.abs(tf.sub(ones, counts)))), uniform);
  return [byCount as tf.Tensor4D, tf.sub(1, uniform)];
}
