/** Measures a model on images between epochs: its loss, and the scores it gives. */
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Batch } from '../batches.ts';
import type { Autoencoder, ResidualFunction } from '../models/autoencoder.ts';
import { meanOfEach } from './residual.ts';

export type Loss = (target: tf.Tensor, output: tf.Tensor) => tf.Tensor;

/**
 * Sum of the losses of all outputs, mean over the images, at inference. Read batch by batch, so that no more than one
 * is at work; TensorFlow.js' own `evaluateDataset` gives the first output's loss as the whole.
 */
export async function meanLoss(
  model: LayersModel,
  losses: readonly Loss[],
  batches: Iterable<Batch>,
): Promise<number> {
  const means = await measure(batches, ({ xs, ys }) => {
    const outputs = model.predictOnBatch(xs);
    const all = Array.isArray(outputs) ? outputs : [outputs];
    return tf.addN(losses.map((loss, i) => tf.mean(loss(ys[i]!, all[i]!))));
  });
  const images = means.reduce((sum, { size }) => sum + size, 0);
  return means.reduce((sum, { size, values }) => sum + values[0]! * size, 0) / images;
}

/** Score of each image, as the exported graph would give it. */
export async function scoresOf(
  autoencoder: Autoencoder,
  residual: ResidualFunction,
  batches: Iterable<Batch>,
): Promise<number[]> {
  const scores = await measure(batches, ({ images, features }) =>
    meanOfEach(residual(images, autoencoder.reconstruct(images, features))),
  );
  return scores.flatMap(({ values }) => [...values]);
}

async function measure(
  batches: Iterable<Batch>,
  of: (batch: Batch) => tf.Tensor,
): Promise<{ size: number; values: Float32Array }[]> {
  const results: { size: number; values: Float32Array }[] = [];
  for (const batch of batches) {
    const result = tf.tidy(() => of(batch));
    results.push({ size: batch.images.shape[0]!, values: await result.data<'float32'>() });
    tf.dispose([result, batch.images, batch.features ?? [], batch.xs, batch.ys]);
  }
  return results;
}
