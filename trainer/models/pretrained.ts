/** A frozen pretrained encoder with a trained convolutional decoder: kind `pretrained`. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ConfigError } from '../../config/errors.ts';
import type { Model, Recipe } from '../../config/recipe.ts';
import { type Random, randomFor } from '../random.ts';
import type { Autoencoder, BuildAutoencoder, FrozenEncoder } from './autoencoder.ts';
import type { BlockStyle, Size } from './blocks.ts';
import { decode, enlargedSizes, expand } from './decoder.ts';
import { divergence, normalNoise, variational } from './variational.ts';

type PretrainedModel = Extract<Model, { kind: 'pretrained' }>;

/** Numbers of the bottleneck of the decoder `vae` when the recipe says nothing. */
const LATENT = 64;

/**
 * The model sees the encoder's features, float32 `[N, h, w, c]`, and gives float32 `[N, height, width, channels]` in
 * [0, 1]; its encoder is not trained. Initial weights follow from `seed`.
 */
export const buildPretrained: BuildAutoencoder = (recipe, seed, { meanColour, encoder }) => {
  if (encoder === null)
    throw new ConfigError(
      'A model of kind pretrained needs an encoder: set model.encoder, or give --encoder.',
    );
  const random = randomFor(seed, 'weights');
  const build = (recipe.model as PretrainedModel).decoder === 'vae' ? variationalDecoder : plainDecoder;
  return build({ recipe, encoder, meanColour, random });
};

interface Parts {
  readonly recipe: Recipe;
  readonly encoder: FrozenEncoder;
  readonly meanColour: readonly number[];
  readonly random: Random;
}

function plainDecoder(parts: Parts): Autoencoder {
  const { encoder } = parts;
  const features = featureInput(encoder);
  const model = tfl.model({ name: 'decoder', inputs: features, outputs: decoded(features, parts) });
  return {
    model,
    encoder,
    inputs: (images, features) => [features ?? encoder.encode(images)],
    targets: (images) => [images],
    losses: (reconstruction) => [(target, output) => tf.mean(reconstruction(target, output))],
    reconstruct: (images, features = null) => model.predict(features ?? encoder.encode(images)) as tf.Tensor,
  };
}

/** The features are squeezed to the mean and deviation of a normal distribution, and expanded again. */
function variationalDecoder(parts: Parts): Autoencoder {
  const { recipe, encoder, random } = parts;
  const { latent = LATENT, beta, activation, filters } = recipe.model as PretrainedModel;
  const { width, height, channels } = recipe.input;
  const features = featureInput(encoder);
  const [mapHeight, mapWidth] = encoder.outputShape as [number, number, number];
  const { noise, code, posterior } = variational(features, latent, random);
  const map = expand(code, [mapHeight, mapWidth, filters[0]!], activation, random);
  const model = tfl.model({
    name: 'decoder',
    inputs: [features, noise],
    outputs: [decoded(map, parts), posterior],
  });
  return {
    model,
    encoder,
    inputs: (images, features, random) => [
      features ?? encoder.encode(images),
      normalNoise(images.shape[0]!, latent, random),
    ],
    // The divergence needs no target; TensorFlow.js wants one of the same batch.
    targets: (images) => [images, tf.zeros([images.shape[0]!, 2 * latent])],
    losses: (reconstruction) => [
      (target, output) => tf.mean(reconstruction(target, output)),
      (_, output) => tf.mul(divergence(output, height * width * channels), beta),
    ],
    reconstruct: (images, features = null) => {
      const mean = tf.zeros([images.shape[0]!, latent]);
      return (model.predict([features ?? encoder.encode(images), mean]) as tf.Tensor[])[0]!;
    },
  };
}

function featureInput({ outputShape }: FrozenEncoder): tfl.SymbolicTensor {
  return tfl.input({ name: 'features', shape: [...outputShape] });
}

/** A map of features, `[N, h, w, c]`, to the image; one block of the decoder for each of `model.filters`. */
function decoded(map: tfl.SymbolicTensor, { recipe, meanColour, random }: Parts): tfl.SymbolicTensor {
  const { filters, convolutions, kernelSize, activation, decoder } = recipe.model as PretrainedModel;
  const { width, height, channels } = recipe.input;
  const style: BlockStyle = {
    filters,
    convolutions,
    kernelSize,
    activation,
    normalized: decoder === 'conv-bn',
  };
  const from: Size = [map.shape[1]!, map.shape[2]!];
  const sizes = enlargedSizes(from, [height, width], filters.length);
  return decode(map, { style, sizes, channels, meanColour, random });
}
