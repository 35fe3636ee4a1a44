/** Layers that are converted by Keras' definition, where TensorFlow.js does something else or nothing. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import {
  type LayersModel,
  layers as l,
  loadLayersModel,
  model,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import { convertModel } from '../../convert/convert.ts';
import { modelFiles } from '../../convert/files.ts';
import { correctOutputShapes } from '../../convert/output_shapes.ts';
import { trace } from '../../convert/trace.ts';
import { assertComputes } from './support/computes.ts';
import { seedWeights } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

/** As for all layers: see layers.test.ts. */
const RELATIVE = 1e-4;
const PLAIN = { recurrentInitializer: 'glorotUniform' } as const;

function built(inputs: SymbolicTensor | SymbolicTensor[], outputs: SymbolicTensor): LayersModel {
  const made = model({ inputs, outputs });
  seedWeights(made, 1);
  return made;
}

/** Of the same weights as the layer in the model. */
function alone(layer: l.Layer): (x: tf.Tensor) => tf.Tensor {
  return (x) => layer.call(x, {}) as tf.Tensor;
}

describe('what one layer is told, the next ones are not', () => {
  test('a mask ends with the sequence that it belongs to', async () => {
    const input = l.input({ shape: [4, 1] });
    const words = l.masking({ maskValue: 0 }).apply(l.reLU().apply(input)) as SymbolicTensor;
    const summary = l.gru({ ...PLAIN, units: 3 }).apply(words) as SymbolicTensor;
    const encoder = built(input, summary);
    const repeated = l.repeatVector({ n: 4 });
    const decoder = l.simpleRNN({ ...PLAIN, units: 2, returnSequences: true });
    const whole = built(input, decoder.apply(repeated.apply(summary)) as SymbolicTensor);
    await assertComputes(whole, (x) => alone(decoder)(alone(repeated)(encoder.predict(x) as tf.Tensor)));
  });

  test('a first state is that of its layer', async () => {
    const [input, state] = [l.input({ shape: [4, 2] }), l.input({ shape: [3] })];
    const first = l.gru({ ...PLAIN, units: 3, returnSequences: true });
    const second = l.gru({ ...PLAIN, units: 3 });
    const begun = first.apply([input, state]) as SymbolicTensor;
    const whole = built([input, state], second.apply(begun) as SymbolicTensor);
    const start = model({ inputs: [input, state], outputs: begun });
    await assertComputes(whole, (...x) => alone(second)(start.predict(x) as tf.Tensor));
  });
});

test('dropout inside of a cell does nothing, whatever the batch', async () => {
  const cells = [0, 0.4].map((rate) =>
    l.gruCell({ ...PLAIN, units: 3, dropout: rate, recurrentDropout: rate }),
  );
  const [plain, dropping] = cells.map((cell) => {
    const input = l.input({ shape: [3, 2] });
    return built(input, l.rnn({ cell }).apply(input) as SymbolicTensor);
  });
  await assertComputes(dropping!, (x) => plain!.predict(x) as tf.Tensor);
});

test('a saved model in which images are resized and then convolved is read, though TensorFlow.js refuses it', async (t) => {
  const undo = correctOutputShapes();
  const input = l.input({ shape: [6, 7, 3] });
  const resized = l.resizing({ height: 4, width: 5 }).apply(input) as SymbolicTensor;
  const still = l.randomWidth({ factor: 0.5 }).apply(resized) as SymbolicTensor;
  const made = built(input, l.conv2d({ filters: 2, kernelSize: 3 }).apply(still) as SymbolicTensor);
  undo();
  const folder = await mkdtemp(join(tmpdir(), 'plumbline-resized-'));
  t.after(() => rm(folder, { recursive: true }));
  await made.save(modelFiles(folder));
  const { check } = await convertModel(folder, { check: {} });
  assert.ok(check!.relative <= RELATIVE, `relative difference ${check!.relative}`);
  await assert.rejects(loadLayersModel(modelFiles(folder)), /expected ndim=4, found ndim=3/);
});

describe('volumes', () => {
  const shape = [3, 4, 4, 2];
  const along = (weight: tf.Tensor) => tf.reshape(weight, [1, 1, 1, 1, -1]);
  const normal = (x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, [gamma, beta]: tf.Tensor[]) =>
    tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 0.1))), along(gamma!)), along(beta!));

  test('are normalized over the batch', async () => {
    const [input, layer] = [l.input({ shape }), l.batchNormalization({ epsilon: 0.1 })];
    await assertComputes(built(input, layer.apply(input) as SymbolicTensor), (x) => {
      const weights = layer.getWeights();
      return normal(x, along(weights[2]!), along(weights[3]!), weights);
    });
  });

  test('are normalized over their channels', async () => {
    const [input, layer] = [l.input({ shape }), l.layerNormalization({ epsilon: 0.1 })];
    await assertComputes(built(input, layer.apply(input) as SymbolicTensor), (x) => {
      const { mean, variance } = tf.moments(x, 4, true);
      return normal(x, mean, variance, layer.getWeights());
    });
  });

  const settings = { filters: 2, padding: 'same' as const, strides: [2, 2, 1], useBias: false };
  for (const dataFormat of ['channelsLast', 'channelsFirst'] as const)
    test(`are convolved from the first voxel on, ${dataFormat}`, async () => {
      const first = dataFormat === 'channelsFirst';
      const input = l.input({ shape: first ? [2, 4, 4, 3] : [4, 4, 3, 2] });
      const layer = l.conv3d({ ...settings, kernelSize: [1, 1, 3], dataFormat });
      const last = (x: tf.Tensor) => (first ? tf.transpose(x, [0, 2, 3, 4, 1]) : x);
      await assertComputes(built(input, layer.apply(input) as SymbolicTensor), (x) => {
        const every = tf.stridedSlice(last(x), [0, 0, 0, 0, 0], last(x).shape, [1, 2, 2, 1, 1]);
        const y = tf.conv3d(every as tf.Tensor5D, layer.getWeights()[0] as tf.Tensor5D, 1, 'same');
        return first ? tf.transpose(y, [0, 4, 1, 2, 3]) : y;
      });
    });

  test('are spread from the first voxel on', async () => {
    const input = l.input({ shape: [2, 2, 3, 2] });
    const layer = l.conv3dTranspose({ ...settings, kernelSize: [1, 1, 3] });
    await assertComputes(built(input, layer.apply(input) as SymbolicTensor), (x) => {
      const kernel = layer.getWeights()[0] as tf.Tensor5D;
      const y = tf.conv3dTranspose(x as tf.Tensor5D, kernel, [x.shape[0]!, 2, 2, 3, 2], 1, 'same');
      const zeros = tf.zerosLike(y);
      const rows = tf.reshape(tf.stack([y, zeros], 2), [-1, 4, 2, 3, 2]);
      return tf.reshape(tf.stack([rows, tf.zerosLike(rows)], 3), [-1, 4, 4, 3, 2]);
    });
  });

  test('a stride beyond the window is refused where no layer tells what it means', () => {
    const strided = (x: tf.Tensor) => ({ y: tf.maxPool3d(x as tf.Tensor5D, 1, 2, 'same') });
    assert.throws(() => trace(strided, [{ name: 'x', shape: [null, 4, 4, 4, 1] }]), /strides are longer/);
  });
});
