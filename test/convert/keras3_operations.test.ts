/** Arithmetic between layers as Keras 3 writes it. */
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { readable } from '../../convert/source.ts';
import { assertComputes } from './support/computes.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const from = (layer: string) => ({
  ...{ class_name: '__keras_tensor__', config: { keras_history: [layer, 0, 0] } },
});

/** Each class with its arguments, of which one is the tensor before it. */
const STEPS: ReadonlyArray<[name: string, args: (x: unknown) => unknown[], f: (x: tf.Tensor) => tf.Tensor]> =
  [
    ['Multiply', (x) => [x, 2], (x) => tf.mul(x, 2)],
    ['Add', (x) => [1, x], (x) => tf.add(x, 1)],
    ['Negative', (x) => [x], (x) => tf.neg(x)],
    ['TrueDivide', (x) => [x, 4], (x) => tf.div(x, 4)],
    ['Subtract', (x) => [3, x], (x) => tf.sub(3, x)],
    ['Subtract', (x) => [x, 0.5], (x) => tf.sub(x, 0.5)],
    ['Subtract', (x) => [x, from('x')], (x) => x],
  ];

test('of a tensor and a number, and of two tensors', async () => {
  const names = ['x', ...STEPS.map((_, i) => `step_${i}`)];
  const layers = STEPS.map(([class_name, args], i) => ({
    ...{ module: 'keras.src.ops.numpy', class_name, name: names[i + 1], config: { name: names[i + 1] } },
    inbound_nodes: [{ args: args(from(names[i]!)), kwargs: {} }],
  }));
  const entrance = { class_name: 'InputLayer', name: 'x', config: { name: 'x', batch_shape: [null, 5] } };
  const config = {
    layers: [{ ...entrance, inbound_nodes: [] }, ...layers],
    ...{ input_layers: ['x', 0, 0], output_layers: [names.at(-1), 0, 0] },
  };
  const model_config = { class_name: 'Functional', config };
  const artifacts = readable({ modelTopology: { keras_version: '3.15.1', model_config } });
  const model = await loadLayersModel({ load: async () => artifacts });
  await assertComputes(model, (x) =>
    tf.sub(
      STEPS.reduce((y, [, , f]) => f(y), x),
      x,
    ),
  );
});
