/** Convolutional autoencoders, with batch normalization or without: kinds `conv` and `conv-bn`. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Model, Recipe } from '../../config/recipe.ts';
import { type Random, randomFor } from '../random.ts';
import type { Autoencoder, BuildAutoencoder } from './autoencoder.ts';
import { type BlockStyle, encode, glorot, pooledSizes, type Size } from './blocks.ts';
import { decode, expand } from './decoder.ts';

export type ConvolutionalModel = Extract<Model, { kind: 'conv' | 'conv-bn' | 'vae' }>;

/** float32 `[N, height, width, channels]` in [0, 1] -> the same. */
export const buildConv: BuildAutoencoder = (recipe, seed, { meanColour }) => {
  const options = recipe.model as Extract<Model, { kind: 'conv' | 'conv-bn' }>;
  const random = randomFor(seed, 'weights');
  const { height, width, channels } = recipe.input;
  const image = tfl.input({ name: 'image', shape: [height, width, channels] });
  const style = styleOf(options);
  const map = encode(image, style, poolOf(options), random);
  const code = options.latent === undefined ? map : squeeze(map, options.latent, style, random);
  const output = mirror(code, recipe, meanColour, random);
  return plainAutoencoder(tfl.model({ name: 'autoencoder', inputs: image, outputs: output }));
};

/** An autoencoder of one input and one output, trained on the reconstruction alone. */
export function plainAutoencoder(model: tfl.LayersModel): Autoencoder {
  return {
    model,
    encoder: null,
    inputs: (images) => [images],
    targets: (images) => [images],
    losses: (reconstruction) => [(target, output) => tf.mean(reconstruction(target, output))],
    reconstruct: (images) => model.predict(images) as tf.Tensor,
  };
}

/** The decoder that undoes the encoder of `recipe`, block by block. */
export function mirror(
  code: tfl.SymbolicTensor,
  recipe: Recipe,
  meanColour: readonly number[],
  random: Random,
): tfl.SymbolicTensor {
  const options = recipe.model as ConvolutionalModel;
  const style = styleOf(options);
  const sizes = pooledSizes([recipe.input.height, recipe.input.width], poolOf(options));
  return decode(code, {
    style: { ...style, filters: style.filters.toReversed() },
    sizes: sizes.slice(0, -1).toReversed(),
    channels: recipe.input.channels,
    meanColour,
    random,
  });
}

export const poolOf = ({ pool, filters }: Pick<ConvolutionalModel, 'pool' | 'filters'>): readonly number[] =>
  pool ?? filters.map(() => 2);

export function styleOf(options: ConvolutionalModel): BlockStyle {
  const { filters, convolutions, kernelSize, activation, kind } = options;
  return { filters, convolutions, kernelSize, activation, normalized: kind === 'conv-bn' };
}

/** Height, width and channels of the smallest map. */
export function smallestMap({ input, model }: Recipe): [number, number, number] {
  const options = model as ConvolutionalModel;
  const [height, width]: Size = pooledSizes([input.height, input.width], poolOf(options)).at(-1)!;
  return [height, width, options.filters.at(-1)!];
}

/** A dense bottleneck: flattened to `latent` numbers and expanded again. */
function squeeze(
  map: tfl.SymbolicTensor,
  latent: number,
  style: BlockStyle,
  random: Random,
): tfl.SymbolicTensor {
  const flat = tfl.layers.flatten({ name: 'flatten' }).apply(map);
  const dense = tfl.layers.dense({ name: 'latent', units: latent, kernelInitializer: glorot(random) });
  const shape = map.shape.slice(1) as [number, number, number];
  return expand(dense.apply(flat) as tfl.SymbolicTensor, shape, style.activation, random);
}
