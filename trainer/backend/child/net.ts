/** The net on which backends are compared: `trainer backend list`, and the training benchmark. */
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { buildAutoencoder } from '../../models/build.ts';
import { loadRecipe } from '../../recipe.ts';

/** What {@link measureTraining} trains, in words. */
export const MEASURED =
  'the fundus net (128x128x3, convolutions 32-64-128, batch 16, Adam, mean squared error)';

const SIZE = 128;
const BATCH = 16;

/** Images a second over `seconds` of training steps, after two steps that compile and warm up. */
export async function measureTraining(seconds: number): Promise<number> {
  const model = await fundusNet();
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'meanSquaredError' });
  const images = tf.randomUniform([BATCH, SIZE, SIZE, 3], 0, 1, 'float32', 1);
  const step = async () => {
    await model.trainOnBatch(images, images);
  };
  await step();
  await step();
  const begin = performance.now();
  let steps = 0;
  while (performance.now() - begin < seconds * 1000) {
    await step();
    steps++;
  }
  return (steps * BATCH * 1000) / (performance.now() - begin);
}

/** The model of the recipe `fundus`, its weights drawn from a fixed seed: float32 [N, 128, 128, 3] -> the same. */
export async function fundusNet(): Promise<LayersModel> {
  const recipe = await loadRecipe('fundus', []);
  return buildAutoencoder(recipe, 1, { meanColour: [0.5, 0.5, 0.5], encoder: null }).model;
}
