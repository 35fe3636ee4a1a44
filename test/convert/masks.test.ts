/** Where masks go in models of Keras: through models within models, and not through operations. */
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { readable } from '../../convert/source.ts';
import { assertComputes } from './support/computes.ts';
import { grid, gridOfTensor, tensorOf } from './support/grids.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const behind = (...names: string[]) => [names.map((name) => [name, 0, 0, {}])];
const layer = (class_name: string, name: string, config: object, inbound_nodes: unknown) => ({
  ...{ class_name, name, config: { name, ...config }, inbound_nodes },
});
const entrance = (name: string) => layer('InputLayer', name, { batch_input_shape: [null, 4, 1] }, []);
const pool = (from: unknown) => layer('GlobalAveragePooling1D', 'pool', {}, from);
const model = (name: string, layers: object[], output: string) => ({
  ...{ name, layers, input_layers: [[(layers[0] as { name: string }).name, 0, 0]] },
  output_layers: [[output, 0, 0]],
});
const inner = (layers: object[], output: string) => ({
  ...layer('Functional', 'inner', model('inner', layers, output), behind('masking')),
});

/** A step is left out where its number is not above 0. */
const positive = [
  entrance('x'),
  layer('ReLU', 'relu', {}, behind('x')),
  layer('Masking', 'masking', { mask_value: 0 }, behind('relu')),
];

async function computes(layers: object[], version: string, output: (steps: readonly number[]) => number) {
  const config = model('model', layers, (layers.at(-1) as { name: string }).name);
  const modelTopology = {
    ...{ keras_version: version, backend: 'tensorflow', model_config: { class_name: 'Functional', config } },
  };
  const read = await loadLayersModel({ load: async () => readable({ modelTopology }) });
  await assertComputes(read, (given) => {
    const x = gridOfTensor(given);
    return tensorOf(grid([x.shape[0]!, 1], (n) => output([0, 1, 2, 3].map((t) => x.at(n!, t, 0)))));
  });
}

const meanOf = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
const above = (steps: readonly number[]) => steps.filter((value) => value > 0);

for (const [name, [layers, output]] of Object.entries({
  'a mask goes into a model within, and through it': [
    [
      ...positive,
      inner([entrance('a'), layer('Activation', 'same', {}, behind('a'))], 'same'),
      pool([[['inner', 1, 0, {}]]]),
    ],
    (steps) => meanOf(above(steps)),
  ],
  'a mask comes out of a model within': [
    [
      entrance('x'),
      layer('ReLU', 'masking', {}, behind('x')),
      inner([entrance('a'), layer('Masking', 'made', { mask_value: 0 }, behind('a'))], 'made'),
      pool([[['inner', 1, 0, {}]]]),
    ],
    (steps) => meanOf(above(steps)),
  ],
  'a mask goes through LeakyReLU': [
    [...positive, layer('LeakyReLU', 'leaky', { alpha: 0.2 }, behind('masking')), pool(behind('leaky'))],
    (steps) => meanOf(above(steps)),
  ],
  'x + y hands no mask on': [
    [
      ...positive,
      layer('TFOpLambda', 'sum', { function: '__operators__.add' }, [
        ['masking', 0, 0, { y: ['masking', 0, 0], name: null }],
      ]),
      pool(behind('sum')),
    ],
    (steps) => 2 * meanOf(steps.map((value) => Math.max(value, 0))),
  ],
} satisfies Record<string, [object[], (steps: readonly number[]) => number]>))
  test(name, () => computes(layers, '2.21.0', output));

test('models of TensorFlow.js itself stay as it computes them', async () => {
  const config = model('model', [...positive, inner([entrance('a'), pool(behind('a'))], 'pool')], 'inner');
  const modelTopology = {
    ...{ keras_version: 'tfjs-layers 4.22.0', backend: 'tensor_flow.js' },
    model_config: {
      class_name: 'Functional',
      config: { ...config, output_layers: [['inner', 1, 0]] },
    },
  };
  const read = await loadLayersModel({ load: async () => readable({ modelTopology }) });
  await assertComputes(read, (x) => tf.mean(tf.relu(x), 1));
});
