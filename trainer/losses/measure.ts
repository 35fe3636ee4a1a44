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
  return meanOver(batches, ({ xs, ys }) => {
    const outputs = model.predictOnBatch(xs);
    const all = Array.isArray(outputs) ? outputs : [outputs];
    return tf.addN(losses.map((loss, i) => tf.mean(loss(ys[i]!, all[i]!))));
  });
}

/** Mean score over images, as the exported graph would give it. */
export async function meanScore(
  autoencoder: Autoencoder,
  residual: ResidualFunction,
  batches: Iterable<Batch>,
): Promise<number> {
  return meanOver(batches, ({ images, features }) =>
    tf.mean(meanOfEach(residual(images, autoencoder.reconstruct(images, features)))),
  );
}

async function meanOver(batches: Iterable<Batch>, measure: (batch: Batch) => tf.Tensor): Promise<number> {
  let sum = 0;
  let count = 0;
  for (const batch of batches) {
    const size = batch.images.shape[0]!;
    const mean = tf.tidy(() => measure(batch));
    const [value] = await mean.data();
    sum += value! * size;
    count += size;
    tf.dispose([mean, batch.images, batch.features ?? [], batch.xs, batch.ys]);
  }
  return sum / count;
}
