import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { randomArray, seeded } from './numbers.ts';

const l = layers.layers;

/** Sets every weight of a model from a seed; variances stay positive. */
export function seedWeights(model: layers.LayersModel, seed: number): void {
  const random = seeded(seed);
  const values = model.weights.map(({ shape, originalName }) => {
    const size = shape.reduce<number>((product, d) => product * (d ?? 1), 1);
    const variance = originalName.includes('variance') || originalName.includes('gamma');
    const range: [number, number] = variance ? [0.5, 1.5] : [-0.4, 0.4];
    return tf.tensor(randomArray(size, random, ...range), shape as number[]);
  });
  model.setWeights(values);
  tf.dispose(values);
}

/** A convolutional autoencoder whose gradients tfjs-backend-cpu computes correctly (no nearest upsampling). */
export function smallAutoencoder(): layers.LayersModel {
  const model = layers.sequential({
    layers: [
      l.conv2d({ inputShape: [8, 8, 2], filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
      l.maxPooling2d({ poolSize: 2 }),
      l.conv2d({ filters: 6, kernelSize: 3, padding: 'same', activation: 'relu' }),
      l.batchNormalization(),
      l.upSampling2d({ size: [2, 2], interpolation: 'bilinear' }),
      l.conv2dTranspose({ filters: 2, kernelSize: 3, padding: 'same', activation: 'sigmoid' }),
    ],
  });
  seedWeights(model, 3);
  return model;
}
