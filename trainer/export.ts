/** The trained model as the graph of a bundle: from the bytes of an image to score, map and reconstruction. */
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Recipe } from '../config/recipe.ts';
import { trace } from '../convert/trace.ts';

/** Maps are reduced to no fewer than this many pixels a side, where the input has as many. */
const MAP_SIDE = 32;

/**
 * Serialised ONNX: `image` uint8 `[N, height, width, channels]` -> `score` float32 `[N]` (mean residual), `map`
 * float32 `[N, h, w]` (residual, mean over channels and over squares of pixels), `reconstruction` uint8 as `image`.
 */
export function exportGraph(model: LayersModel, recipe: Recipe): Uint8Array {
  const { width, height, channels } = recipe.input;
  const side = mapReduction(width, height);
  return trace(
    (image) => {
      const x = tf.div(image, 255) as tf.Tensor4D;
      const y = model.predict(x) as tf.Tensor4D;
      const difference = tf.sub(x, y);
      const residual = recipe.residual === 'squared' ? tf.square(difference) : tf.abs(difference);
      const perPixel = tf.mean(residual, 3, true) as tf.Tensor4D;
      const map = side === 1 ? perPixel : tf.avgPool(perPixel, side, side, 'valid');
      return {
        score: tf.mean(residual, [1, 2, 3]),
        map: tf.squeeze(map, [3]),
        reconstruction: tf.mul(y, 255),
      };
    },
    [{ name: 'image', shape: [null, height, width, channels], dtype: 'uint8' }],
    { outputTypes: { reconstruction: 'uint8' } },
  );
}

/** Side of the squares that one map value stands for: the largest power of two that leaves `MAP_SIDE` of them. */
function mapReduction(width: number, height: number): number {
  let side = 1;
  while ([width, height].every((size) => size % (2 * side) === 0 && size / (2 * side) >= MAP_SIDE)) side *= 2;
  return side;
}
