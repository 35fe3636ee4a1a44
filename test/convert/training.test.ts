import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { useOnnx } from './support/backends.ts';
import { seedWeights, smallAutoencoder } from './support/models.ts';
import { assertClose, randomArray, seeded } from './support/numbers.ts';

const originalMinimize = tf.Optimizer.prototype.minimize;
const onnx = await useOnnx();

/** Losses and weights after this many steps: the same arithmetic in another order, amplified by the steps. */
const TRAINED = { relative: 1e-3, absolute: 2e-4 };
const STEPS = 6;

const OPTIMIZERS: Record<string, () => tf.Optimizer> = {
  adam: () => tf.train.adam(0.01),
  sgd: () => tf.train.sgd(0.1),
  momentum: () => tf.train.momentum(0.1, 0.9),
  rmsprop: () => tf.train.rmsprop(0.001),
};

const someImages = (count: number) =>
  tf.tensor4d(randomArray(count * 128, seeded(17), 0, 1), [count, 8, 8, 2]);

interface Trained {
  losses: number[];
  weights: Float32Array[];
}

async function train(
  backend: string,
  optimizer: () => tf.Optimizer,
  loss = 'meanSquaredError',
): Promise<Trained> {
  await tf.setBackend(backend);
  const model = smallAutoencoder();
  model.compile({ optimizer: optimizer(), loss });
  const x = someImages(2 * STEPS);
  const losses: number[] = [];
  const onBatchEnd = async (_: number, logs?: layers.Logs) => {
    losses.push(logs!.loss!);
  };
  await model.fit(x, x, { batchSize: 4, epochs: 2, shuffle: false, verbose: 0, callbacks: { onBatchEnd } });
  const weights = await Promise.all(model.getWeights().map((w) => w.data() as Promise<Float32Array>));
  return { losses, weights };
}

describe('model.fit learns the same as on TensorFlow.js', () => {
  for (const [name, optimizer] of Object.entries(OPTIMIZERS))
    test(`with ${name}`, async () => {
      const expected = await train('cpu', optimizer);
      const { runs } = onnx.statistics;
      const got = await train('onnx', optimizer);
      assert.ok(onnx.statistics.runs - runs >= STEPS, 'onnxruntime ran less than once a step');
      assert.equal(got.losses.length, STEPS);
      assert.notEqual(got.losses[0], got.losses.at(-1));
      assertClose(got.losses, expected.losses, { ...TRAINED, what: 'losses' });
      expected.weights.forEach((w, i) => {
        assertClose(got.weights[i]!, w, { ...TRAINED, what: `weight ${i}` });
      });
    });

  test('with mean absolute error and binary cross-entropy', async () => {
    for (const loss of ['meanAbsoluteError', 'binaryCrossentropy']) {
      const expected = await train('cpu', OPTIMIZERS.adam!, loss);
      const got = await train('onnx', OPTIMIZERS.adam!, loss);
      assertClose(got.losses, expected.losses, { ...TRAINED, what: loss });
    }
  });

  test('a dense autoencoder with dropout, drawn from equal seeds', async () => {
    const fit = async (backend: string) => {
      await tf.setBackend(backend);
      const l = layers.layers;
      const model = layers.sequential({
        layers: [
          l.flatten({ inputShape: [8, 8, 2] }),
          l.dense({ units: 16, activation: 'tanh' }),
          l.dropout({ rate: 0.4, seed: 5 }),
          l.dense({ units: 128, activation: 'sigmoid' }),
          l.reshape({ targetShape: [8, 8, 2] }),
        ],
      });
      seedWeights(model, 9);
      model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
      const x = someImages(12);
      const { history } = await model.fit(x, x, { batchSize: 4, epochs: 3, shuffle: false, verbose: 0 });
      return history.loss as number[];
    };
    assertClose(await fit('onnx'), await fit('cpu'), { ...TRAINED, what: 'losses' });
  });
});

describe('training repeats bit for bit', () => {
  test('in a fresh backend from equal weights, and when it stops and goes on in another', async () => {
    const { adam, momentum } = OPTIMIZERS;
    assert.deepEqual(await trainInParts('adam-again', adam!, [6]), await trainInParts('adam', adam!, [6]));
    // Not Adam: TensorFlow.js restores its powers of beta by pow(), not as they were.
    const whole = await trainInParts('whole', momentum!, [6]);
    assert.deepEqual(await trainInParts('parts', momentum!, [2, 4]), whole);
  });
});

/** Weights after steps in parts; each part begins in a new backend with the state that the last one left. */
async function trainInParts(
  name: string,
  makeOptimizer: () => tf.Optimizer,
  parts: readonly number[],
): Promise<Float32Array[]> {
  const values = (tensors: readonly tf.Tensor[]) => Promise.all(tensors.map((t) => t.data<'float32'>()));
  let weights: Float32Array[] | undefined;
  let state: Awaited<ReturnType<tf.Optimizer['getWeights']>> | undefined;
  let step = 0;
  for (const steps of parts) {
    const backend = `onnx-${name}-${step}`;
    registerOnnxBackend({ name: backend });
    await tf.setBackend(backend);
    const model = smallAutoencoder();
    if (weights) model.setWeights(weights.map((w, i) => tf.tensor(w, model.weights[i]!.shape as number[])));
    const optimizer = makeOptimizer();
    if (state) await optimizer.setWeights(state);
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const x = someImages(24);
    for (const end = step + steps; step < end; step++) {
      const batch = tf.slice(x, 4 * step, 4);
      await model.trainOnBatch(batch, batch);
    }
    weights = await values(model.getWeights());
    state = await Promise.all(
      (await optimizer.getWeights()).map(async ({ name, tensor }) => {
        const data = (await tensor.data()).slice();
        await tf.setBackend('cpu');
        const copy = tf.tensor(data, tensor.shape, tensor.dtype);
        return { name, tensor: copy };
      }),
    );
    tf.removeBackend(backend);
  }
  await tf.setBackend('onnx');
  return weights!;
}

describe('the backend', () => {
  test('runs once a step without callbacks, compiles a step once, and holds on to nothing', async () => {
    await tf.setBackend('onnx');
    const model = smallAutoencoder();
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
    const x = someImages(40);
    const fit = () => model.fit(x, x, { batchSize: 2, epochs: 5, shuffle: true, verbose: 0 });
    await fit();
    const [before, ids, tensors] = [onnx.statistics, onnx.numDataIds(), tf.memory().numTensors];
    await fit();
    const after = onnx.statistics;
    assert.ok(after.runs - before.runs >= 100, `${after.runs - before.runs} runs for 100 steps`);
    assert.equal(after.compiles, before.compiles);
    assert.equal(onnx.numDataIds(), ids);
    assert.equal(tf.memory().numTensors, tensors);
  });

  test('inlines a scalar until it changes, then takes it as an input', async () => {
    await tf.setBackend('onnx');
    const x = tf.tensor1d([1, 2, 3, 4]);
    const { compiles } = onnx.statistics;
    for (const k of [2, 2, 3, 4, 5, 2]) {
      const y = tf.tidy(() => tf.mul(x, tf.scalar(k)));
      assert.deepEqual([...(await y.data())], [k, 2 * k, 3 * k, 4 * k]);
    }
    assert.equal(onnx.statistics.compiles - compiles, 2);
  });

  test('gives the same to data() and dataSync(), for reshaped and cloned tensors too', async () => {
    await tf.setBackend('onnx');
    const y = tf.exp(tf.tensor2d([0, 1, 2, 3, 4, 5], [2, 3]));
    const expected = Float32Array.from([0, 1, 2, 3, 4, 5], Math.exp);
    const options = { relative: 1e-6, absolute: 0, what: 'exp' };
    assertClose(tf.reshape(y, [3, 2]).dataSync(), expected, options);
    assertClose(await tf.clone(tf.exp(tf.log(y))).data(), expected, { ...options, relative: 1e-5 });
  });

  test('keeps few sessions and compiles again what it has dropped', async () => {
    const current = registerOnnxBackend({ name: 'onnx-two-sessions', maxSessions: 2 });
    await tf.setBackend('onnx-two-sessions');
    const grow = async (n: number) => (await tf.exp(tf.zeros([n, 3])).data()).length;
    for (const n of [2, 3, 4, 2, 2]) assert.equal(await grow(n), 3 * n);
    assert.equal(current().statistics.compiles, 4);
    tf.removeBackend('onnx-two-sessions');
    await tf.setBackend('onnx');
  });

  test('writes a profile of each graph when it is disposed of, if asked to', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'profile-'));
    t.after(() => rm(folder, { recursive: true }));
    registerOnnxBackend({ name: 'onnx-profiled', profile: join(folder, 'graph') });
    await tf.setBackend('onnx-profiled');
    await tf.exp(tf.tensor1d([1, 2, 3])).data();
    tf.removeBackend('onnx-profiled');
    await tf.setBackend('onnx');
    const [file, ...more] = await readdir(folder);
    assert.equal(more.length, 0);
    const events = JSON.parse(await readFile(join(folder, file!), 'utf8'));
    assert.ok(events.some((event: { args?: { op_name?: string } }) => event.args?.op_name === 'Exp'));
  });

  test('computes other tensors after one has failed, and says again why that one did', async () => {
    await tf.setBackend('onnx');
    const outside = tf.cast(tf.add(tf.tensor1d([5, 6, 7]), 1), 'int32');
    const bad = tf.gather(tf.exp(tf.tensor1d([1, 2, 3])), outside);
    await assert.rejects(bad.data(), /Gather/);
    assert.deepEqual([...(await tf.neg(tf.tensor1d([1, 2, 3])).data())], [-1, -2, -3]);
    assert.throws(() => bad.dataSync(), /Gather/);
    bad.dispose();
  });

  test('refuses settings and types that it cannot honour', async () => {
    await tf.setBackend('onnx');
    assert.throws(() => tf.tensor(['text']).dataSync(), /string/);
    assert.throws(() => registerOnnxBackend(), /registered already/);
    assert.throws(() => registerOnnxBackend({ name: 'onnx-unused' })(), /setBackend/);
    tf.removeBackend('onnx-unused');
    registerOnnxBackend({ name: 'onnx-bad', threads: 0 });
    assert.throws(() => tf.findBackendFactory('onnx-bad')(), /threads/);
    tf.removeBackend('onnx-bad');
  });

  test('takes everything back when it is removed', async () => {
    const current = registerOnnxBackend({ name: 'onnx-passing' });
    const wrapped = tf.Optimizer.prototype.minimize;
    await tf.setBackend('onnx-passing');
    const y = tf.exp(tf.tensor1d([1, 2, 3]));
    await y.data();
    assert.notEqual(tf.Optimizer.prototype.minimize, wrapped);
    const backend = current();
    tf.removeBackend('onnx-passing');
    assert.equal(tf.Optimizer.prototype.minimize, wrapped);
    assert.equal(tf.getKernelsForBackend('onnx-passing').length, 0);
    assert.equal(backend.readSync(y.dataId).length, 3);
    tf.removeBackend('onnx');
    assert.equal(tf.Optimizer.prototype.minimize, originalMinimize);
    await useOnnx();
  });
});
