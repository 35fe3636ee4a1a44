/** The voice `encoder-patches`: what a pretrained encoder makes of each place of the foreground. */
import * as tf from '@tensorflow/tfjs-core';
import { normals } from '../detectors/noise.ts';
import { orthonormalise } from '../detectors/principal.ts';
import type { OpenedNetwork } from '../encoders/open.ts';
import { randomFor } from '../random.ts';
import { pictureOf } from './encoder.ts';
import type { VoiceFeatures } from './voice.ts';

/** Side of the grid of places. */
const GRID = 14;

/** Numbers of each place: as many of an encoder's features, or random directions among them. */
const WIDTH = 40;

/** Features that vary less than this share of the one that varies most count as if they varied by it. */
const LEAST = 1e-3;

/**
 * Features `[N, 14 x 14 x 40]`, place by place: outputs of all `taps`, each value the mean of its 3 x 3 neighbours as in
 * PatchCore (Roth et al. 2022), divided by its standard deviation in good images, along 40 random directions; PaDiM
 * (Defard et al. 2021) draws features instead.
 */
export function encoderPatches(network: OpenedNetwork, taps = network.localTaps): VoiceFeatures {
  const seen = (views: Parameters<typeof pictureOf>[0]) =>
    tf.concat4d(network.run(pictureOf(views, 1), taps).map(onGrid), 3);
  return {
    measure: (views) => {
      const features = seen(views);
      return tf.concat2d([tf.mean(features, [1, 2]), tf.mean(tf.square(features), [1, 2])], 1);
    },
    describe: (views, measured) => {
      const features = seen(views);
      const channels = features.shape[3];
      const { matrix, width } = projection(deviationsOf(measured, channels));
      const places = tf.matMul(
        tf.reshape(features, [-1, GRID * GRID, channels]),
        tf.tensor3d(matrix, [1, channels, width]),
      );
      return tf.reshape(places, [-1, GRID * GRID * width]);
    },
  };
}

/** `[N, h, w, C]` -> `[N, 14, 14, C]`. */
function onGrid(features: tf.Tensor4D): tf.Tensor4D {
  const smooth = tf.avgPool(features, 3, 1, 'same');
  const [, height, width] = features.shape;
  const [down, right] = [height / GRID, width / GRID];
  if (down === 1 && right === 1) return smooth;
  return Number.isInteger(down) && Number.isInteger(right)
    ? tf.avgPool(smooth, [down, right], [down, right], 'valid')
    : tf.image.resizeBilinear(smooth, [GRID, GRID], false, true);
}

/** `measured`: means, then mean squares. */
function deviationsOf(measured: readonly number[], channels: number): Float64Array {
  const deviations = Float64Array.from({ length: channels }, (_, c) =>
    Math.sqrt(Math.max(0, measured[channels + c]! - measured[c]! ** 2)),
  );
  const floor = LEAST * deviations.reduce((most, value) => Math.max(most, value), 1e-9);
  return deviations.map((value) => Math.max(value, floor));
}

/** `[channels, width]`; the same directions for every number of channels. */
function projection(deviations: Float64Array): { matrix: Float32Array; width: number } {
  const channels = deviations.length;
  const width = Math.min(WIDTH, channels);
  const drawn = normals(width * channels, randomFor(0, 'directions', channels));
  const directions = Array.from({ length: width }, (_, k) =>
    Float64Array.from(drawn.subarray(k * channels, (k + 1) * channels)),
  );
  orthonormalise(directions);
  const matrix = Float32Array.from(
    { length: channels * width },
    (_, i) => directions[i % width]![Math.floor(i / width)]! / deviations[Math.floor(i / width)]!,
  );
  return { matrix, width };
}
