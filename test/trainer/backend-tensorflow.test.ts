import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { cacheFolder, findPackage } from '../../trainer/backend/find.ts';
import { type SelectedBackend, selectBackend } from '../../trainer/backend/select.ts';

const cache = cacheFolder(process.env, homedir());
const skip =
  'missing' in findPackage('tfjs-node', cache) &&
  'tfjs-node is not installed (trainer backend install tfjs-node)';

/** Both tests share one process, and a backend is selected once in it. */
let started: Promise<SelectedBackend> | undefined;
const start = () => {
  started ??= selectBackend({ wanted: 'tfjs-node', cache });
  return started;
};

test('our own tfjs-core and tfjs-layers train, save and load on the C library', { skip }, async () => {
  const selected = await start();
  assert.equal(selected.library, 'TensorFlow 2.13.1');
  assert.equal(selected.tf, tf);
  assert.equal(tf.getBackend(), 'tensorflow');
  assert.ok(tf.topk(tf.tensor1d([1, 3, 2]), 1).values instanceof tf.Tensor);

  const build = () => {
    const model = layers.sequential();
    model.add(
      layers.layers.conv2d({
        inputShape: [8, 8, 2],
        filters: 4,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
      }),
    );
    model.add(layers.layers.maxPooling2d({ poolSize: 2 }));
    model.add(layers.layers.upSampling2d({ size: [2, 2] }));
    model.add(layers.layers.conv2d({ filters: 2, kernelSize: 3, padding: 'same', activation: 'sigmoid' }));
    return model;
  };
  const model = build();
  const images = tf.randomUniform([12, 8, 8, 2], 0, 1, 'float32', 3);
  model.compile({ optimizer: tf.train.adam(0.05), loss: 'meanSquaredError' });
  const history = await model.fit(images, tf.mul(images, 0.1), {
    epochs: 20,
    batchSize: 4,
    shuffle: false,
    verbose: 0,
  });
  const losses = history.history.loss as number[];
  assert.ok(losses.at(-1)! < 0.1 * losses[0]!, `the loss went from ${losses[0]} to ${losses.at(-1)}`);

  let saved: tf.io.ModelArtifacts | undefined;
  await model.save({
    save: async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
  const loaded = await layers.loadLayersModel({ load: async () => saved! });
  const before = await (model.predict(images) as tf.Tensor).data();
  const after = await (loaded.predict(images) as tf.Tensor).data();
  assert.deepEqual(after, before);
  const kernel = model.getWeights()[0]!;
  assert.deepEqual(await kernel.data(), await loaded.getWeights()[0]!.data());
});

test('gradients of pooling and upsampling are right for a batch of two', { skip }, async () => {
  await start();
  const x = tf.randomUniform<tf.Rank.R4>([2, 4, 4, 3], 0, 1, 'float32', 5);
  const weight = tf.randomUniform<tf.Rank.R4>([2, 8, 8, 3], 0, 1, 'float32', 6);
  const upsampled = (x: tf.Tensor4D) =>
    tf.sum(tf.mul(tf.image.resizeNearestNeighbor(x, [8, 8]), weight)) as tf.Scalar;
  const gradient = await tf
    .grad(upsampled as (x: tf.Tensor) => tf.Tensor)(x)
    .data();
  // Each input value is copied to a 2x2 block, so its gradient is the block's sum.
  const sums = await tf.mul(tf.avgPool(weight, 2, 2, 'valid'), 4).data();
  for (const [i, value] of gradient.entries()) assert.ok(Math.abs(value - sums[i]!) < 1e-5);

  const pooled = (x: tf.Tensor4D) => tf.sum(tf.maxPool(x, 2, 2, 'valid')) as tf.Scalar;
  const chosen = await tf
    .grad(pooled as (x: tf.Tensor) => tf.Tensor)(x)
    .data();
  // One of the four values of each window gets the whole gradient.
  assert.equal(
    (chosen as Float32Array).reduce((a, b) => a + b),
    2 * 2 * 2 * 3,
  );
  const copied = await tf.image.resizeNearestNeighbor(tf.maxPool(x, 2, 2, 'valid'), [4, 4]).data();
  const values = await x.data();
  for (const [i, value] of chosen.entries()) assert.equal(value, values[i] === copied[i] ? 1 : 0);
});
