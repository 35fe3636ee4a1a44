/** The ConvLSTM autoencoder: convolutional long short-term memory over the frames of a capture. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ConfigError } from '../../config/errors.ts';
import type { Model, Recipe } from '../../config/recipe.ts';
import { randomFor } from '../random.ts';
import type { Autoencoder, Images, ModelContext } from './autoencoder.ts';
import { copies } from './check.ts';
import { startOutputAt } from './output-bias.ts';
import { repairUnstackGradient } from './unstack-gradient.ts';

/**
 * Float32 `[N, frames, height, width, channels]` in [0, 1] -> the same. Each block of the encoder is a ConvLSTM2D (Shi
 * et al. 2015) that gives a state for every frame, and max pooling of each frame; the decoder mirrors them with
 * ConvLSTM2D and upsampling, and a convolution with a sigmoid draws each frame. The bottleneck is the smallest state:
 * `frames x height / 2^blocks x width / 2^blocks x` the last number of filters.
 *
 * The cells are those of TensorFlow.js and Keras 2: tanh, and a hard sigmoid (0.2 x + 0.5, clipped to 0..1) for the
 * gates; the forget gate starts with bias 1. One thing differs: recurrent kernels start Glorot-uniform and not
 * orthogonal, since that initializer of TensorFlow.js 4.22.0 calls methods of tensors that only its umbrella package
 * adds ("rMat.flatten is not a function"). With a single frame recurrent kernels see the zero state only, and stay as
 * they are.
 *
 * @throws ConfigError, see checkConvLstm.
 */
export function buildConvLstm(recipe: Recipe, seed: number, { meanColour }: ModelContext): Autoencoder {
  const { width, height, channels, frames } = recipe.input;
  checkConvLstm(recipe);
  repairUnstackGradient();
  const model = convLstm(recipe, seed);
  startOutputAt(model.getLayer('reconstruction'), meanColour);
  const sequence = (images: Images) => tf.reshape(images, [-1, frames, height, width, channels]);
  return {
    model,
    encoder: null,
    inputs: (images) => [sequence(images)],
    targets: (images) => [sequence(images)],
    losses: (reconstruction) => [
      (target, output) =>
        tf.tidy(() => {
          const images = (x: tf.Tensor) => (frames === 1 ? tf.squeeze(x, [1]) : x);
          return tf.mean(reconstruction(images(target), images(output)));
        }),
    ],
    reconstruct: (images) =>
      tf.tidy(() => tf.reshape(model.apply(sequence(images)) as tf.Tensor, images.shape)),
  };
}

function convLstm({ input, model: options }: Recipe, seed: number): tfl.Sequential {
  const { filters, kernelSize } = options as Extract<Model, { kind: 'convlstm' }>;
  const { width, height, channels, frames } = input;
  const random = randomFor(seed, 'weights');
  const glorot = () => tfl.initializers.glorotUniform({ seed: Math.floor(random() * 2 ** 31) });
  const memory = (name: string, count: number) =>
    tfl.layers.convLstm2d({
      name,
      filters: count,
      kernelSize,
      padding: 'same',
      returnSequences: true,
      kernelInitializer: glorot(),
      recurrentInitializer: glorot(),
    });
  const eachFrame = (name: string, layer: tfl.layers.Layer) => tfl.layers.timeDistributed({ name, layer });

  const model = tfl.sequential({ name: 'autoencoder' });
  model.add(tfl.layers.inputLayer({ name: 'image', inputShape: [frames, height, width, channels] }));
  for (const [i, count] of filters.entries()) {
    model.add(memory(`encode${i + 1}`, count));
    model.add(eachFrame(`pool${i + 1}`, tfl.layers.maxPooling2d({ poolSize: 2 })));
  }
  for (const [i, count] of filters.toReversed().entries()) {
    model.add(memory(`decode${i + 1}`, count));
    model.add(eachFrame(`upsample${i + 1}`, tfl.layers.upSampling2d({ size: [2, 2] })));
  }
  const drawing = tfl.layers.conv2d({
    filters: channels,
    kernelSize,
    padding: 'same',
    activation: 'sigmoid',
    kernelInitializer: glorot(),
  });
  model.add(eachFrame('reconstruction', drawing));
  return model;
}

/** @throws ConfigError when the input cannot be halved as often as there are blocks, or the bottleneck is no smaller. */
export function checkConvLstm({ input, model }: Recipe): void {
  const { filters } = model as Extract<Model, { kind: 'convlstm' }>;
  const factor = 2 ** filters.length;
  for (const side of ['width', 'height'] as const) {
    const size = input[side];
    if (size % factor === 0) continue;
    const below = Math.max(Math.floor(size / factor), 1) * factor;
    throw new ConfigError(
      `input.${side} is ${size}, but ${filters.length} blocks halve it as often: it must be a multiple of ${factor}, such as ${below} or ${below + factor}.`,
    );
  }
  const values = input.width * input.height * input.channels;
  const bottleneck = (input.width / factor) * (input.height / factor) * filters.at(-1)!;
  if (bottleneck >= values) throw copies(bottleneck, values, 'model.filters');
}
