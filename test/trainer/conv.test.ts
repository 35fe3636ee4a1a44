import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { buildAutoencoder } from '../../trainer/models/build.ts';
import { summarize } from '../../trainer/models/summary.ts';
import { loadRecipe } from '../../trainer/recipe.ts';

const recipe = await loadRecipe('fundus', []);
const build = (seed: number, meanColour = [0.5, 0.5, 0.5]) =>
  buildAutoencoder(recipe, seed, { meanColour, encoder: null }).model;
before(async () => {
  registerOnnxBackend();
  await tf.setBackend('onnx');
});

test('the fundus net is the published one: 32-64-128, mirrored, 333,955 parameters', () => {
  const layers = summarize(build(1));
  assert.equal(
    layers.reduce((sum, l) => sum + l.parameters, 0),
    333_955,
  );
  assert.deepEqual(
    layers.map((l) => l.shape.join('x')),
    [
      ...['128x128x3', '128x128x32', '64x64x32', '64x64x64', '32x32x64', '32x32x128', '16x16x128'],
      ...['16x16x128', '32x32x128', '32x32x64', '64x64x64', '64x64x32', '128x128x32', '128x128x3'],
    ],
  );
});

test('initial weights follow from the seed', async () => {
  const first = async (seed: number) => [...(await build(seed).getWeights()[0]!.data())];
  assert.deepEqual(await first(1), await first(1));
  assert.notDeepEqual(await first(1), await first(2));
});

test('untrained, the net draws the mean colour of the training images', async () => {
  const colour = [0.25, 0.5, 0.125];
  const black = tf.zeros([1, 128, 128, 3]);
  const output = await (build(1, colour).predict(black) as tf.Tensor).data();
  for (const [i, value] of output.entries()) assert.ok(Math.abs(value - colour[i % 3]!) < 1e-6);
});
