/** Images as the batches that TensorFlow.js trains on. Only one batch at a time is held as floats. */
import * as tf from '@tensorflow/tfjs-core';
import type { Recipe } from '../config/recipe.ts';
import type { LoadedImage } from './data/load.ts';

/** What `model.fitDataset` takes: input and target are the same tensor, float32 `[N, height, width, channels]`. */
interface Batches {
  readonly size: number;
  iterator(): Promise<{ next(): Promise<IteratorResult<{ xs: tf.Tensor; ys: tf.Tensor }>> }>;
}

/** Batches of the images in the order that `orderOf` gives; it is asked once for every pass. */
export function batchesOf(
  orderOf: () => readonly LoadedImage[],
  { input, batchSize }: Pick<Recipe, 'input' | 'batchSize'>,
): Batches {
  return {
    size: Math.ceil(orderOf().length / batchSize),
    async iterator() {
      const images = orderOf();
      let next = 0;
      return {
        async next() {
          if (next >= images.length) return { done: true, value: undefined };
          const batch = images.slice(next, next + batchSize);
          next += batchSize;
          const tensor = toTensor(batch, [batch.length, input.height, input.width, input.channels]);
          return { done: false, value: { xs: tensor, ys: tensor } };
        },
      };
    },
  };
}

/** Bytes 0..255 as floats 0..1. */
function toTensor(images: readonly LoadedImage[], shape: [number, number, number, number]): tf.Tensor4D {
  const size = shape[1] * shape[2] * shape[3];
  const values = new Float32Array(images.length * size);
  for (const [i, { pixels }] of images.entries())
    for (let j = 0; j < size; j++) values[i * size + j] = pixels[j]! / 255;
  return tf.tensor4d(values, shape);
}
