/** The variational autoencoder: kind `vae`. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Model } from '../../config/recipe.ts';
import { randomFor } from '../random.ts';
import type { BuildAutoencoder } from './autoencoder.ts';
import { encode } from './blocks.ts';
import { mirror, poolOf, smallestMap, styleOf } from './conv.ts';
import { expand } from './decoder.ts';
import { divergence, normalNoise, variational } from './variational.ts';

/**
 * float32 `[N, height, width, channels]` in [0, 1] -> the same. Noise is an input of its own, drawn in training from
 * the run's seed, so that a run can be repeated; scores use the mean of the posterior.
 */
export const buildVae: BuildAutoencoder = (recipe, seed, { meanColour }) => {
  const options = recipe.model as Extract<Model, { kind: 'vae' }>;
  const { latent, beta } = options;
  const random = randomFor(seed, 'weights');
  const { height, width, channels } = recipe.input;
  const image = tfl.input({ name: 'image', shape: [height, width, channels] });
  const style = styleOf(options);
  const map = encode(image, style, poolOf(options), random);
  const { noise, code, posterior } = variational(map, latent, random);
  const output = mirror(
    expand(code, smallestMap(recipe), style.activation, random),
    recipe,
    meanColour,
    random,
  );
  const model = tfl.model({ name: 'autoencoder', inputs: [image, noise], outputs: [output, posterior] });
  const values = height * width * channels;
  return {
    model,
    encoder: null,
    inputs: (images, _, random) => [images, normalNoise(images.shape[0]!, latent, random)],
    // The divergence needs no target; TensorFlow.js wants one of the same batch.
    targets: (images) => [images, tf.zeros([images.shape[0]!, 2 * latent])],
    losses: (reconstruction) => [
      (target, output) => tf.mean(reconstruction(target, output)),
      (_, output) => tf.mul(divergence(output, values), beta),
    ],
    reconstruct: (images) => {
      const [mean] = model.predict([images, tf.zeros([images.shape[0]!, latent])]) as tf.Tensor[];
      return mean!;
    },
  };
};
