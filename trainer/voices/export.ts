/** Fitted voices as the graph of a bundle. */
import * as tf from '@tensorflow/tfjs-core';
import { trace } from '../../convert/trace.ts';
import type { FittedVoices } from './fit.ts';
import { fuse, robustZ } from './fusion.ts';
import { IMAGE } from './run-traced.ts';
import { measureStatistics } from './statistics.ts';
import { makeViews } from './views.ts';

/**
 * Serialised ONNX: `image` uint8 `[N, 224, 224, 3]` -> `score` float32 `[N]`, `map` float32 `[N, 28, 28]`, `voices`
 * float32 `[N, V]` (robust z of each) and `statistics` float32 `[N, S]`.
 */
export function exportVoices(fitted: FittedVoices): Uint8Array {
  return trace((image) => scoreImages(image!, fitted), [IMAGE]);
}

/** The outputs of the graph, of float32 `[N, 224, 224, 3]`, 0 to 255. */
export function scoreImages(pixels: tf.Tensor, { colour, voices, weights, local }: FittedVoices) {
  const views = makeViews(pixels, colour);
  const z = tf.stack(
    voices.map(({ describe, detector, scale }) => robustZ(detector.score(describe(views)), scale)),
    1,
  ) as tf.Tensor2D;
  return {
    score: fuse(z, weights),
    map: local.map(views),
    voices: z,
    statistics: measureStatistics(views),
  };
}
