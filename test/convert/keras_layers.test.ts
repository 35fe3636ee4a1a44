/** Layers of Keras that TensorFlow.js lacks or reads wrongly, as Keras 2 saves them: their definitions, and what is read. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { ignoredSettings } from '../../convert/ignored_settings.ts';
import { inKnownLayers } from '../../convert/keras_layers.ts';
import { inOwnLayers } from '../../convert/own_layers.ts';
import { refuseAll } from '../../convert/refuse.ts';
import { assertComputes } from './support/computes.ts';
import { randomArray, seeded } from './support/numbers.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const IMAGE = [4, 5, 4];

/** A layer behind `from`; weights by their names within it. */
interface Saved {
  readonly class_name: string;
  readonly config?: object;
  readonly from?: unknown;
  readonly weights?: Readonly<Record<string, number[]>>;
}

/** What Keras saves of the layers in turn, each named by its place, behind an image [4, 5, 4]; weights are 0.5 to 1.5. */
function saved(...layers: readonly Saved[]): { artifacts: tf.io.ModelArtifacts; weights: tf.Tensor[] } {
  const names = ['image', ...layers.map((_, i) => `layer_${i}`)];
  const described = layers.map(({ class_name, config, from }, i) => ({
    ...{ class_name, name: names[i + 1]! },
    config: { name: names[i + 1]!, trainable: true, dtype: 'float32', ...config },
    build_config: { input_shape: [null, ...IMAGE] },
    inbound_nodes: [from ?? [[names[i]!, 0, 0, {}]]],
  }));
  const entrance = {
    ...{ class_name: 'InputLayer', name: 'image', inbound_nodes: [] },
    config: { name: 'image', batch_input_shape: [null, ...IMAGE], dtype: 'float32' },
  };
  const random = seeded(7);
  const weights = layers.flatMap(({ weights = {} }, i) =>
    Object.entries(weights).map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return { name: `${names[i + 1]}/${name}`, shape, values: randomArray(length, random, 0.5, 1.5) };
    }),
  );
  const model_config = {
    class_name: 'Functional',
    config: {
      name: 'model',
      layers: [entrance, ...described],
      input_layers: [['image', 0, 0]],
      output_layers: [[names.at(-1)!, 0, 0]],
    },
  };
  return {
    artifacts: {
      modelTopology: { keras_version: '2.21.0', backend: 'tensorflow', model_config },
      weightSpecs: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      weightData: tf.io.concatenateArrayBuffers(weights.map(({ values }) => values.buffer as ArrayBuffer)),
    },
    weights: weights.map(({ shape, values }) => tf.tensor(values, shape)),
  };
}

async function read(artifacts: tf.io.ModelArtifacts) {
  const known = inOwnLayers(inKnownLayers(artifacts));
  refuseAll(ignoredSettings(known.modelTopology));
  return loadLayersModel({ load: async () => known });
}

type Images = tf.Tensor4D;
type Definition = (x: Images, weights: readonly tf.Tensor[]) => tf.Tensor;
const identity: Saved = { class_name: 'Activation', config: { activation: 'linear' } };
const convolution = {
  kernel_size: [2, 2],
  strides: [1, 1],
  padding: 'same',
  use_bias: true,
  activation: 'relu',
};
const lambda = (called: string, y: unknown, from = 'layer_0'): Saved => ({
  ...{ class_name: 'TFOpLambda', config: { function: called } },
  from: [from, 0, 0, { y, name: null }],
});

/** Each group of channels with its own filters. */
const inGroups =
  (groups: number): Definition =>
  (x, [kernel, bias]) => {
    const filters = tf.split<Images>(kernel as Images, groups, 3);
    const parts = tf.split<Images>(x, groups, 3).map((part, i) => tf.conv2d(part, filters[i]!, 1, 'same'));
    return tf.relu(tf.add(tf.concat(parts, 3), bias!));
  };

const CASES: Readonly<Record<string, [layers: readonly Saved[], Definition]>> = {
  'a separable convolution with settings of a kernel': [
    [
      {
        class_name: 'SeparableConv2D',
        config: {
          ...convolution,
          filters: 3,
          kernel_initializer: 'zeros',
          kernel_regularizer: null,
          kernel_constraint: null,
        },
        weights: { depthwise_kernel: [2, 2, 4, 1], pointwise_kernel: [1, 1, 4, 3], bias: [3] },
      },
    ],
    (x, [depthwise, pointwise, bias]) => {
      const y = tf.separableConv2d(x, depthwise as Images, pointwise as Images, 1, 'same');
      return tf.relu(tf.add(y, bias!));
    },
  ],
  'a convolution of each channel alone': [
    [
      {
        class_name: 'Conv2D',
        config: { ...convolution, filters: 8, groups: 4 },
        weights: { kernel: [2, 2, 1, 8], bias: [8] },
      },
    ],
    inGroups(4),
  ],
  'a convolution in groups of two channels': [
    [
      {
        class_name: 'Conv2D',
        config: { ...convolution, filters: 6, groups: 2 },
        weights: { kernel: [2, 2, 2, 6], bias: [6] },
      },
    ],
    inGroups(2),
  ],
  'a mean of all pixels that keeps its axes': [
    [{ class_name: 'GlobalAveragePooling2D', config: { keepdims: true } }, identity],
    (x) => tf.mean(x, [1, 2], true),
  ],
  'a maximum of all steps that keeps its axis': [
    [
      { class_name: 'Reshape', config: { target_shape: [20, 4] } },
      { class_name: 'GlobalMaxPooling1D', config: { keepdims: true } },
    ],
    (x) => tf.max(tf.reshape(x, [-1, 20, 4]), 1, true),
  ],
  'a normalization by settings': [
    [
      {
        class_name: 'Normalization',
        config: { axis: [-1], mean: [0.1, 0.2, 0.3, 0.4], variance: [1, 2, 4, 9], invert: false },
      },
    ],
    (x) => tf.div(tf.sub(x, [0.1, 0.2, 0.3, 0.4]), tf.sqrt([1, 2, 4, 9])),
  ],
  'a normalization by weights': [
    [
      {
        class_name: 'Normalization',
        config: { axis: [3], mean: null, variance: null, invert: false },
        weights: { mean: [4], variance: [4], count: [] },
      },
    ],
    (x, [mean, variance]) => tf.div(tf.sub(x, mean!), tf.sqrt(variance!)),
  ],
  'a scale for each channel, and a depth that is random in training': [
    [
      { class_name: 'LayerScale', config: { init_values: 1, projection_dim: 4 }, weights: { gamma: [4] } },
      { class_name: 'StochasticDepth', config: { drop_path_rate: 0.5 } },
    ],
    (x, [gamma]) => tf.mul(x, gamma!),
  ],
  'a sum of which the second part is scaled': [
    [
      { class_name: 'Activation', config: { activation: 'tanh' } },
      {
        class_name: 'CustomScaleLayer',
        config: { scale: 0.2 },
        from: [
          ['image', 0, 0, {}],
          ['layer_0', 0, 0, {}],
        ],
      },
    ],
    (x) => tf.add(x, tf.mul(tf.tanh(x), 0.2)),
  ],
  'a difference': [
    [
      { class_name: 'Activation', config: { activation: 'tanh' } },
      {
        class_name: 'Subtract',
        config: {},
        from: [
          ['image', 0, 0, {}],
          ['layer_0', 0, 0, {}],
        ],
      },
    ],
    (x) => tf.sub(x, tf.tanh(x)),
  ],
  'layers that do nothing in inference': [
    [
      { class_name: 'Activation', config: { activation: 'tanh' } },
      ...[
        ...[
          'SpatialDropout2D',
          'ActivityRegularization',
          'RandomFlip',
          'RandomTranslation',
          'RandomRotation',
        ],
        ...['RandomZoom', 'RandomContrast', 'RandomBrightness'],
      ].map((class_name) => ({ class_name, config: { rate: 0.5, factor: 0.5, l2: 1 } })),
    ],
    (x) => tf.tanh(x),
  ],
  'operations with a number': [
    [identity, lambda('__operators__.add', 3), lambda('math.multiply', 0.5, 'layer_1')],
    (x) => tf.mul(tf.add(x, 3), 0.5),
  ],
  'operations with another tensor': [
    [
      identity,
      lambda('__operators__.add', ['image', 0, 0]),
      lambda('math.multiply', ['image', 0, 0], 'layer_1'),
    ],
    (x) => tf.mul(tf.mul(x, 2), x),
  ],
};

describe('is read and converted', () => {
  for (const [name, [layers, definition]] of Object.entries(CASES))
    test(name, async () => {
      const { artifacts, weights } = saved(...layers);
      const [ones, plain] = [tf.ones([1, ...IMAGE]), { load: async () => artifacts }];
      const alone = await loadLayersModel(plain).then(
        (model) => model.predict(ones) as tf.Tensor,
        () => undefined,
      );
      assert.notDeepEqual(
        alone?.shape,
        definition(ones as Images, weights).shape,
        'TensorFlow.js reads it itself',
      );
      await assertComputes(await read(artifacts), (x) => definition(x as Images, weights));
    });
});

test('what cannot be said is refused by the name of the layer', async () => {
  for (const [layer, expected] of [
    [lambda('math.erf', 1), /layer_1 calls tf\.math\.erf/],
    [{ class_name: 'Normalization', config: { axis: [1], mean: null } }, /layer_1 .* along the axes 1/],
    [{ class_name: 'Normalization', config: { axis: [3], invert: true } }, /layer_1 .* in reverse/],
    [
      { class_name: 'GlobalMaxPooling2D', config: { keepdims: true, data_format: 'channels_first' } },
      /layer_1 .* keepdims/,
    ],
    [
      {
        class_name: 'Conv2D',
        config: { ...convolution, filters: 4, groups: 2, data_format: 'channels_first' },
      },
      /layer_1 .* in groups of channels that lie first/,
    ],
  ] as ReadonlyArray<[Saved, RegExp]>)
    await assert.rejects(async () => read(saved(identity, layer).artifacts), expected);
});
