/** Masks as Keras 3 writes them: operations on the tensor behind the mask, handed on by keyword. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { readable } from '../../convert/source.ts';
import { assertComputes } from './support/computes.ts';
import { grid, gridOfTensor, tensorOf } from './support/grids.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const from = (layer: string, node = 0) => ({
  ...{ class_name: '__keras_tensor__', config: { keras_history: [layer, node, 0] } },
});
const layer = (class_name: string, name: string, config: object, args: unknown[], kwargs: object = {}) => ({
  ...{ module: 'keras.layers', class_name, name, config: { name, ...config } },
  inbound_nodes: args.length === 0 ? [] : [{ args, kwargs }],
});
const operation = (class_name: string, name: string, args: unknown[]) => ({
  ...layer(class_name, name, {}, args),
  module: 'keras.src.ops.numpy',
});
const entrance = (shape: number[]) => layer('InputLayer', 'x', { batch_shape: [null, ...shape] }, []);

function savedBy3(layers: object[], output: string): tf.io.ModelArtifacts {
  const config = { name: 'model', layers, input_layers: ['x', 0, 0], output_layers: [output, 0, 0] };
  const model_config = { class_name: 'Functional', config };
  return { modelTopology: { keras_version: '3.15.1', backend: 'tensorflow', model_config } };
}

/** A step is left out where all its numbers are 0. */
const masked = [
  entrance([4, 1]),
  layer('ReLU', 'relu', {}, [from('x')]),
  operation('NotEqual', 'not_equal', [from('relu'), 0]),
  layer('Masking', 'masking', { mask_value: 0 }, [from('relu')]),
  operation('Any', 'any', [from('not_equal')]),
];

test('a mask that Keras derived reaches the layer without its operations', async () => {
  const pool = layer('GlobalAveragePooling1D', 'pool', {}, [from('masking')], { mask: from('any') });
  const artifacts = readable(savedBy3([...masked, pool], 'pool'));
  assert.doesNotMatch(JSON.stringify(artifacts.modelTopology), /NotEqual|"any"/);
  const model = await loadLayersModel({ load: async () => artifacts });
  await assertComputes(model, (given) => {
    const x = gridOfTensor(given);
    return tensorOf(
      grid([x.shape[0]!, 1], (n) => {
        const left = [0, 1, 2, 3].map((t) => x.at(n!, t, 0)).filter((value) => value > 0);
        return left.reduce((a, b) => a + b, 0) / left.length;
      }),
    );
  });
});

test('a place of MultiHeadAttention that may look nowhere: zeros where Keras 3 puts them behind the softmax', async () => {
  const settings = { num_heads: 1, key_dim: 1, value_dim: 1, use_bias: false, dropout: 0.5 };
  const masks = { query_mask: from('any'), value_mask: from('any') };
  const heads = layer('MultiHeadAttention', 'heads', settings, [from('masking'), from('masking')], masks);
  const names = ['query', 'key', 'value', 'attention_output'].map((name) => `heads/${name}/kernel`);
  const artifacts = readable({
    ...savedBy3([...masked, heads], 'heads'),
    weightSpecs: names.map((name) => ({ name, shape: [1, 1, 1], dtype: 'float32' as const })),
    weightData: new Float32Array([1, 1, 1, 1]).buffer,
  });
  const model = await loadLayersModel({ load: async () => artifacts });
  await assertComputes(model, (given) => {
    const x = gridOfTensor(tf.relu(given));
    return tensorOf(
      grid([x.shape[0]!, 4, 1], (n, t) => {
        if (x.at(n!, t!, 0) === 0) return 0;
        const others = [0, 1, 2, 3].map((s) => x.at(n!, s, 0)).filter((value) => value > 0);
        const powers = others.map((value) => Math.exp(value * x.at(n!, t!, 0)));
        const total = powers.reduce((a, b) => a + b);
        return others.reduce((sum, value, i) => sum + (value * powers[i]!) / total, 0);
      }),
    );
  });
});

test('an operation hands no mask on, with a tensor or a number: only its layer does', async () => {
  const behind = [
    operation('Add', 'add', [from('masking'), from('masking')]),
    operation('Multiply', 'double', [from('masking'), 2]),
    layer('GlobalAveragePooling1D', 'pool', {}, [from('add')]),
    layer('GlobalAveragePooling1D', 'pool_1', {}, [from('double')]),
    operation('Add', 'both', [from('pool'), from('pool_1')]),
  ];
  const model = await loadLayersModel({
    load: async () =>
      readable(savedBy3([...masked.filter(({ name }) => !/any|not/.test(name)), ...behind], 'both')),
  });
  await assertComputes(model, (x) => tf.mul(tf.mean(tf.relu(x), 1), 4));
});

/** The mean of `output` of the steps that are `left`. */
const of3 = (layers: object[], output: (x: number) => number, left: (x: number) => boolean) => async () => {
  const model = await loadLayersModel({
    load: async () => readable(savedBy3([...masked, ...layers], 'pool')),
  });
  await assertComputes(model, (given) => {
    const x = gridOfTensor(given);
    return tensorOf(
      grid([x.shape[0]!, 1], (n) => {
        const steps = [0, 1, 2, 3].map((t) => x.at(n!, t, 0)).filter(left);
        return steps.map(output).reduce((a, b) => a + b, 0) / steps.length;
      }),
    );
  });
};
const pool = (from_: string, mask?: string) =>
  layer('GlobalAveragePooling1D', 'pool', {}, [from(from_)], mask === undefined ? {} : { mask: from(mask) });
const relu = (x: number) => Math.max(x, 0);

test(
  'the mask that Keras writes behind a sum of two that it let through',
  of3(
    [
      layer('Activation', 'other', { activation: 'linear' }, [from('masking')]),
      layer('Add', 'sum', {}, [[from('masking'), from('other')]]),
      operation('LogicalOr', 'or', [from('any'), from('any')]),
      pool('sum', 'or'),
    ],
    (x) => 2 * x,
    (x) => x > 0,
  ),
);

test(
  'the mask that Keras writes behind a concatenation, along an axis of steps',
  of3(
    [
      operation('ExpandDims', 'expand', [from('any')]),
      operation('ZerosLike', 'zeros', [from('masking')]),
      operation('LogicalOr', 'or', [from('expand'), from('zeros')]),
      layer('Concatenate', 'both', { axis: 1 }, [[from('masking'), from('masking')]]),
      operation('Concatenate', 'masks', [[from('or'), from('or')]]),
      operation('Any', 'any_1', [from('masks')]),
      pool('both', 'any_1'),
    ],
    relu,
    (x) => x > 0,
  ),
);

/** Where the mask leaves a step out, the other input stands. */
for (const [class_name, computed] of Object.entries({
  Multiply: (x: number) => x * x,
  Maximum: (x: number) => x,
  Minimum: (x: number) => x,
}))
  test(
    `${class_name} leaves out what a mask does not let through, and has no mask where an input has none`,
    of3(
      [layer(class_name, 'merged', {}, [[from('x'), from('masking')]]), pool('merged')],
      (x) => (x > 0 ? computed(x) : x),
      () => true,
    ),
  );

test('a mask of the user is refused by the name of the layer, also behind one that hands none on', () => {
  const own = operation('NotEqual', 'own', [from('x'), 0]);
  const flat = layer('MaxPooling1D', 'flat', { pool_size: 1 }, [from('masking')]);
  for (const layers of [
    [...masked.slice(0, 2), own, pool('relu', 'own')],
    [...masked, flat, pool('flat', 'any')],
    [...masked, operation('Add', 'sum', [from('masking'), from('masking')]), pool('sum', 'any')],
  ])
    assert.throws(
      () => readable(savedBy3(layers, 'pool')),
      /layer pool is called with tensors by keyword.*graph model/,
    );
});
