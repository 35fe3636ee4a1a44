import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { useOnnx } from './support/backends.ts';
import { smallAutoencoder } from './support/models.ts';
import { randomArray, seeded } from './support/numbers.ts';

const MAX_SESSIONS = 4;
const onnx = await useOnnx({ maxSessions: MAX_SESSIONS });
const someImages = (count: number) =>
  tf.tensor4d(randomArray(count * 128, seeded(17), 0, 1), [count, 8, 8, 2]);

test('hundreds of steps keep as many tensors as one, and compile nothing more', async () => {
  const model = smallAutoencoder();
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
  const [whole, rest] = [someImages(4), someImages(3)];
  const epoch = async () => {
    for (let i = 0; i < 9; i++) await model.trainOnBatch(whole, whole);
    await model.trainOnBatch(rest, rest);
  };
  await epoch();
  const [first, ids, tensors] = [onnx.statistics, onnx.numDataIds(), tf.memory().numTensors];
  for (let i = 0; i < 30; i++) await epoch();
  const { runs, compiles, sessions } = onnx.statistics;
  assert.ok(runs - first.runs >= 300, `${runs - first.runs} runs for 300 steps`);
  assert.equal(compiles, first.compiles);
  assert.equal(sessions, first.sessions);
  assert.equal(onnx.numDataIds(), ids);
  assert.equal(tf.memory().numTensors, tensors);
  model.dispose();
});

test('batches of ever another size keep no more sessions than asked for', async () => {
  const model = smallAutoencoder();
  model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
  const batch = async (size: number) => {
    const images = someImages(size);
    await model.trainOnBatch(images, images);
    images.dispose();
  };
  await batch(1);
  const [first, ids, tensors] = [onnx.statistics, onnx.numDataIds(), tf.memory().numTensors];
  for (let size = 2; size <= 3 * MAX_SESSIONS; size++) {
    await batch(size);
    assert.ok(onnx.statistics.sessions <= MAX_SESSIONS, `${onnx.statistics.sessions} sessions`);
  }
  assert.ok(onnx.statistics.compiles - first.compiles >= 3 * MAX_SESSIONS - 1);
  assert.equal(onnx.numDataIds(), ids);
  assert.equal(tf.memory().numTensors, tensors);
  model.dispose();
});
