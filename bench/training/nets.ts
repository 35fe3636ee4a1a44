/** The networks that trainers are compared on: those of the recipes, and the features of a pretrained kind of encoder. */
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { makeResidual } from '../../trainer/losses/residual.ts';
import { buildAutoencoder } from '../../trainer/models/build.ts';
import { loadRecipe } from '../../trainer/recipe.ts';
import { mobileNet } from './mobilenet.ts';

export interface Net {
  /** The part of the benchmark; bench/python/nets.py knows it by this name, too. */
  readonly name: string;
  /** In words. */
  readonly title: string;
  /** Images of one step. */
  readonly batch: number;
  /** Height, width, channels. */
  readonly image: readonly [number, number, number];
  /** Normal numbers that the model takes beside each image. */
  readonly noise: number;
  /** Beside the better of its peers, by which goals are set. */
  readonly goals: readonly Goal[];
  /** Builds it, on TensorFlow.js' current backend; initial weights are always the same. */
  open(): Promise<OpenNet>;
}

/** At least `factor` times the images a second of `peer`, or of the fastest peer. */
export interface Goal {
  readonly peer: 'tfjs-node' | 'tfjs wasm' | 'PyTorch channels_last' | 'the best peer';
  readonly factor: number;
}

export interface OpenNet {
  readonly model: LayersModel;
  /**
   * One step on `images` `[batch, ...image]` and `noise` `[batch, noise]` (null where the net takes none): the loss before
   * the update, or for a net that only looks, the mean of its features.
   */
  step(images: tf.Tensor, noise: tf.Tensor | null): Promise<number>;
}

/** Small: at ten times this rate two PyTorch layouts part by more than 0.5 within 50 steps, from rounding alone. */
export const LEARNING_RATE = 0.0001;

export const NETS: readonly Net[] = [
  {
    name: 'fundus',
    title: 'the fundus net (128x128x3, 334 k parameters, batch 16, mean squared error)',
    batch: 16,
    image: [128, 128, 3],
    noise: 0,
    goals: [
      { peer: 'tfjs-node', factor: 1 },
      { peer: 'PyTorch channels_last', factor: 1 },
      { peer: 'tfjs wasm', factor: 4 },
    ],
    open: () => openRecipe('fundus'),
  },
  {
    name: 'mnist',
    title: 'the MNIST net (28x28x1, 3.2 k parameters, batch 60, binary cross-entropy)',
    batch: 60,
    image: [28, 28, 1],
    noise: 0,
    goals: [{ peer: 'PyTorch channels_last', factor: 1.2 }],
    open: () => openRecipe('mnist'),
  },
  {
    name: 'convlstm',
    title:
      'the ConvLSTM net of chest-xray (one frame, 64x64x1, 35 k parameters, batch 16, mean absolute error)',
    batch: 16,
    image: [64, 64, 1],
    noise: 0,
    goals: [{ peer: 'the best peer', factor: 0.8 }],
    open: () => openRecipe('chest-xray'),
  },
  {
    name: 'vae',
    title:
      'malaria with model.kind=vae (64x64x1, 16 k parameters, batch 32, mean squared error and divergence)',
    batch: 32,
    image: [64, 64, 1],
    noise: 16,
    goals: [{ peer: 'the best peer', factor: 0.8 }],
    open: () => openRecipe('malaria', [{ key: 'model.kind', value: 'vae' }]),
  },
  {
    name: 'mobilenet',
    title: 'features of MobileNet 1.0 (224x224x3, 3.2 M parameters, batch 8, nothing is trained)',
    batch: 8,
    image: [224, 224, 3],
    noise: 0,
    goals: [{ peer: 'the best peer', factor: 1 }],
    open: async () => {
      const model = mobileNet();
      const step = async (images: tf.Tensor) => {
        const mean = tf.tidy(() => tf.mean(model.predict(images) as tf.Tensor));
        const [value] = await mean.data();
        mean.dispose();
        return value!;
      };
      return { model, step };
    },
  },
];

/** @throws Error when there is no net of this name. */
export function netNamed(name: string): Net {
  const net = NETS.find((net) => net.name === name);
  if (net === undefined)
    throw new Error(`no net ${name}; there are ${NETS.map(({ name }) => name).join(', ')}`);
  return net;
}

async function openRecipe(
  name: string,
  changes: readonly { key: string; value: string }[] = [],
): Promise<OpenNet> {
  const recipe = await loadRecipe(name, changes);
  const meanColour = Array.from({ length: recipe.input.channels }, () => 0.5);
  const autoencoder = buildAutoencoder(recipe, 1, { meanColour, encoder: null });
  const { model } = autoencoder;
  const losses = autoencoder.losses(makeResidual(recipe.loss ?? recipe.residual, null));
  model.compile({ optimizer: tf.train.adam(LEARNING_RATE), loss: losses });
  const noDraw = () => {
    throw new Error(`the net ${name} draws numbers: give it noise`);
  };
  const step: OpenNet['step'] = async (images, noise) => {
    const inputs = noise === null ? autoencoder.inputs(images, null, noDraw) : [images, noise];
    const targets = autoencoder.targets(images);
    const [total] = [await model.trainOnBatch(inputs, targets)].flat();
    return total!;
  };
  return { model, step };
}
