/** The trained model as the graph of a bundle: from the bytes of an image to score, map and reconstruction. */
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Recipe } from '../config/recipe.ts';
import { trace } from '../convert/trace.ts';
import { imagesOf } from './batches.ts';
import type { Picture } from './features.ts';
import type { Taps } from './losses/perceptual.ts';
import { makeResidual, meanOfEach } from './losses/residual.ts';
import type { Autoencoder, Images } from './models/autoencoder.ts';

/** Maps are reduced to no fewer than this many pixels a side, where the residual has as many. */
const MAP_SIDE = 32;

export interface ExportOptions {
  /** Of the residual `perceptual`. */
  readonly taps: Taps | null;
}

/**
 * Serialised ONNX: `image` uint8 `[N, height, width, channels]`, for more than one frame `[N, frames, height, width,
 * channels]` -> `score` float32 `[N]` (mean residual), `map` float32 `[N, h, w]` (residual, mean over channels and over
 * squares of pixels) and `reconstruction` uint8 `[N, height, width, channels]`, both of the middle frame.
 */
export function exportGraph(autoencoder: Autoencoder, recipe: Recipe, { taps }: ExportOptions): Uint8Array {
  const { width, height, channels, frames } = recipe.input;
  const residual = makeResidual(recipe.residual, taps);
  const still = [height, width, channels];
  return trace(
    (image) => {
      const x = tf.div(image, 255);
      const y = autoencoder.reconstruct(x);
      const difference = residual(x, y);
      return {
        score: meanOfEach(difference),
        map: mapOf(middleFrame(difference), height, width),
        reconstruction: tf.mul(middleFrame(y), 255),
      };
    },
    [{ name: 'image', shape: [null, ...(frames > 1 ? [frames] : []), ...still], dtype: 'uint8' }],
    { outputTypes: { reconstruction: 'uint8' } },
  );
}

/**
 * Largest relative difference between the scores that TensorFlow.js gives, on its current backend, and those of the
 * exported graph in onnxruntime.
 */
export async function checkExport(
  graph: Uint8Array,
  autoencoder: Autoencoder,
  recipe: Recipe,
  pictures: readonly Picture[],
  { taps }: ExportOptions,
): Promise<number> {
  const residual = makeResidual(recipe.residual, taps);
  const { width, height, channels, frames } = recipe.input;
  const session = await InferenceSession.create(graph, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  let worst = 0;
  try {
    for (let start = 0; start < pictures.length; start += recipe.batchSize) {
      const batch = pictures.slice(start, start + recipe.batchSize);
      const scores = tf.tidy(() => {
        const x = imagesOf(batch, recipe.input);
        return meanOfEach(residual(x, autoencoder.reconstruct(x)));
      });
      const expected = await scores.data();
      scores.dispose();
      const shape = [batch.length, ...(frames > 1 ? [frames] : []), height, width, channels];
      const image = new Tensor('uint8', Buffer.concat(batch.map(({ pixels }) => pixels)), shape);
      const got = (await session.run({ image })).score!.data as Float32Array;
      for (const [i, score] of expected.entries())
        worst = Math.max(worst, Math.abs(got[i]! - score) / Math.max(Math.abs(score), Number.MIN_VALUE));
    }
  } finally {
    await session.release();
  }
  return worst;
}

/** `[N, frames, h, w, c]` -> `[N, h, w, c]`; stills as they are. */
function middleFrame(images: Images): tf.Tensor4D {
  if (images.rank === 4) return images as tf.Tensor4D;
  const [count, frames, ...size] = images.shape as [number, number, number, number, number];
  const middle = Math.floor(frames / 2);
  return tf.squeeze(tf.slice(images, [0, middle, 0, 0, 0], [count, 1, ...size]), [1]);
}

function mapOf(residual: tf.Tensor4D, height: number, width: number): tf.Tensor {
  const [, rows, columns] = residual.shape;
  const perPixel = restoreBorder(tf.mean(residual, 3, true), height - rows, width - columns);
  const side = mapReduction(perPixel.shape[2], perPixel.shape[1]);
  const map = side === 1 ? perPixel : tf.avgPool(perPixel, side, side, 'valid');
  return tf.squeeze(map, [3]);
}

/** Residuals that are blind to a border, such as `ssim`, get it back as zeros, so that the map lies over the image. */
function restoreBorder(map: tf.Tensor4D, rows: number, columns: number): tf.Tensor4D {
  const [, height, width] = map.shape;
  const coarse = rows >= height || columns >= width; // a map of features, not of pixels
  if (coarse || (rows === 0 && columns === 0)) return map;
  const [top, left] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  return tf.pad(map, [
    [0, 0],
    [top, rows - top],
    [left, columns - left],
    [0, 0],
  ]);
}

/** Side of the squares that one map value stands for: the largest power of two that leaves `MAP_SIDE` of them. */
function mapReduction(width: number, height: number): number {
  let side = 1;
  while ([width, height].every((size) => size % (2 * side) === 0 && size / (2 * side) >= MAP_SIDE)) side *= 2;
  return side;
}
