/** What models begin and end with: tensors by name, and one tensor twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayers } from '../../convert/load_layers.ts';
import { traceableModel } from '../../convert/model_conversion.ts';
import { readable } from '../../convert/source.ts';
import { traceAsync } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const entrance = (name: string) => ({
  ...{ class_name: 'InputLayer', name, inbound_nodes: [] },
  config: { name, batch_input_shape: [null, 2], batch_shape: [null, 2], dtype: 'float32' },
});

const keras3 = (layer: string, node = 0) => ({
  class_name: '__keras_tensor__',
  config: { shape: [null, 2], dtype: 'float32', keras_history: [layer, node, 0] },
});

/** A model without weights. */
const functional = (name: string, layers: object[], input_layers: unknown, output_layers: unknown) => ({
  ...{ class_name: 'Functional', name },
  config: { name, layers, input_layers, output_layers },
});

/** left - right of `left` and `right`, in a model that takes them by the names l and r. */
const difference = (keras: 2 | 3) =>
  functional(
    'difference',
    [
      entrance('left'),
      entrance('right'),
      {
        ...{ class_name: 'Subtract', name: 'minus', config: { name: 'minus' } },
        inbound_nodes: [
          keras === 2
            ? [
                ['left', 0, 0, {}],
                ['right', 0, 0, {}],
              ]
            : { args: [[keras3('left'), keras3('right')]], kwargs: {} },
        ],
      },
    ],
    { r: ['right', 0, 0], l: ['left', 0, 0] },
    { d: ['minus', 0, 0] },
  );

/** The model and its file, which agree, and what it gives for `inputs`. */
async function converted(model_config: object, version: string, inputs: number[][]) {
  const artifacts = { modelTopology: { keras_version: version, model_config }, weightSpecs: [] };
  const model = traceableModel(await loadLayers(readable({ ...artifacts, weightData: new ArrayBuffer(0) })));
  const bytes = await traceAsync(async (...x) => model.fn(...x), model.inputs);
  assert.equal((await compare(model.fn, bytes, model.inputs)).relative, 0);
  const results = Object.values(model.fn(...inputs.map((values) => tf.tensor2d([values]))));
  return { inputs: model.inputs.map(({ name }) => name), results: results.map((t) => [...t.dataSync()]) };
}

for (const [version, keras] of [
  ['2.15.0', 2],
  ['3.15.1', 3],
] as const) {
  test(`inputs by name are in the order of their names, in a model and where it is used (Keras ${version})`, async () => {
    const alone = await converted(difference(keras), version, [
      [5, 6],
      [1, 3],
    ]);
    assert.deepEqual(alone, { inputs: ['left', 'right'], results: [[4, 3]] });
    const use =
      keras === 2
        ? { r: ['a', 0, 0, {}], l: ['b', 0, 0, {}] }
        : { args: [{ r: keras3('a'), l: keras3('b') }], kwargs: {} };
    const whole = functional(
      'whole',
      [entrance('a'), entrance('b'), { ...difference(keras), inbound_nodes: [use] }],
      [
        ['a', 0, 0],
        ['b', 0, 0],
      ],
      [['difference', 1, 0]],
    );
    const within = await converted(whole, version, [
      [5, 6],
      [1, 3],
    ]);
    assert.deepEqual(within, { inputs: ['a', 'b'], results: [[-4, -3]] });
  });

  test(`one tensor twice among the outputs is two outputs, also of a model within (Keras ${version})`, async () => {
    const negative = {
      ...{ class_name: 'Activation', name: 'relu', config: { name: 'relu', activation: 'relu' } },
      inbound_nodes: [keras === 2 ? [['x', 0, 0, {}]] : { args: [keras3('x')], kwargs: {} }],
    };
    const outputs = (model: string, node: number) => Array.from({ length: 3 }, () => [model, node, 0]);
    const inner = functional('inner', [entrance('x'), negative], [['x', 0, 0]], outputs('relu', 0));
    const use = keras === 2 ? [['y', 0, 0, {}]] : { args: [keras3('y')], kwargs: {} };
    const whole = functional(
      'whole',
      [entrance('y'), { ...inner, inbound_nodes: [use] }],
      [['y', 0, 0]],
      [['inner', 1, 2], ['inner', 1, 0], ...outputs('y', 0)],
    );
    const { results } = await converted(whole, version, [[-1, 2]]);
    assert.deepEqual(results, [
      [0, 2],
      [0, 2],
      [-1, 2],
      [-1, 2],
      [-1, 2],
    ]);
  });
}
