/** Models as Keras 3 writes them, beside the same network built with TensorFlow.js: equal weights, equal results. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import {
  input,
  type LayersModel,
  layers,
  loadLayersModel,
  model,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers';
import { ignoredSettings } from '../../convert/ignored_settings.ts';
import { asKeras2 } from '../../convert/keras3.ts';
import { refuseAll } from '../../convert/refuse.ts';
import { withNumberedCells } from '../../convert/stacked_cells.ts';
import { seedWeights } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const DTYPE = {
  module: 'keras',
  class_name: 'DTypePolicy',
  config: { name: 'float32' },
  registered_name: null,
};
const from = (layer: string, node = 0, tensor = 0) => ({
  class_name: '__keras_tensor__',
  config: { shape: [null], dtype: 'float32', keras_history: [layer, node, tensor] },
});
/** A layer, with its uses: the arguments of each. */
const layer = (class_name: string, name: string, config: object, ...uses: unknown[]) => ({
  ...{ module: 'keras.layers', class_name, registered_name: null, name },
  config: { name, trainable: true, dtype: DTYPE, ...config },
  build_config: { input_shape: [null] },
  inbound_nodes: uses.map((use) => ({ args: [use], kwargs: { mask: null } })),
});
const entrance = (name: string, batch_shape: (number | null)[]) =>
  layer('InputLayer', name, { batch_shape, dtype: 'float32', sparse: false, ragged: false });
const functional = (some: object[], inputs: unknown, outputs: unknown) => ({
  class_name: 'Functional',
  config: { name: 'functional', layers: some, input_layers: inputs, output_layers: outputs },
});

/** The topology with the weights of `same`, under the names that Keras 3 gives them. */
function artifactsOf(
  model_config: object,
  same: LayersModel,
  names: readonly string[],
): tf.io.ModelArtifacts {
  const weights = same.getWeights();
  assert.equal(weights.length, names.length);
  return {
    modelTopology: { keras_version: '3.15.1', backend: 'tensorflow', model_config },
    weightSpecs: weights.map(({ shape }, i) => ({ name: names[i]!, shape, dtype: 'float32' as const })),
    weightData: tf.io.concatenateArrayBuffers(weights.map((w) => new Float32Array(w.dataSync()).buffer)),
  };
}

async function assertSame(artifacts: tf.io.ModelArtifacts, same: LayersModel): Promise<void> {
  const read = await loadLayersModel({ load: async () => withNumberedCells(asKeras2(artifacts)) });
  const x = tf.randomUniform([2, ...same.inputs[0]!.shape.slice(1).map((d) => d!)], 0, 1, 'float32', 3);
  const [got, wanted] = [read, same].map((one) => [one.predict(x)].flat().map((y) => [...y.dataSync()]));
  assert.deepEqual(got, wanted);
}

test('a functional model: branches, two outputs, a depthwise convolution, a leaky ReLU', async () => {
  const a = input({ shape: [6, 6, 2], name: 'image' });
  const convolved = layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same' }).apply(a);
  const depthwise = layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', activation: 'relu' });
  const joined = layers.add().apply([convolved, depthwise.apply(convolved)] as SymbolicTensor[]);
  const leaky = layers.leakyReLU({ alpha: 0.3 }).apply(joined);
  const pooled = layers.globalAveragePooling2d({}).apply(leaky);
  const heads = [1, 2].map((units) => layers.dense({ units }).apply(pooled) as SymbolicTensor);
  const same = model({ inputs: a, outputs: heads });
  seedWeights(same, 1);
  const relu = { module: 'builtins', class_name: 'function', config: 'relu', registered_name: 'function' };
  const topology = functional(
    [
      entrance('image', [null, 6, 6, 2]),
      layer('Conv2D', 'conv2d', { filters: 3, kernel_size: [3, 3], padding: 'same' }, from('image')),
      layer(
        'DepthwiseConv2D',
        'depthwise',
        { kernel_size: [3, 3], padding: 'same', activation: relu },
        from('conv2d'),
      ),
      layer('Add', 'add', {}, [from('conv2d'), from('depthwise')]),
      layer('LeakyReLU', 'leaky', { negative_slope: 0.3 }, from('add')),
      layer('GlobalAveragePooling2D', 'pool', { keepdims: false }, from('leaky')),
      layer('Dense', 'one', { units: 1 }, from('pool')),
      layer('Dense', 'two', { units: 2 }, from('pool')),
    ],
    ['image', 0, 0],
    [
      ['one', 0, 0],
      ['two', 0, 0],
    ],
  );
  const names = ['conv2d', 'depthwise', 'one', 'two'].flatMap((name) => [`${name}/kernel`, `${name}/bias`]);
  await assertSame(artifactsOf(topology, same, names), same);
});

test('a sequential model within another, used twice: its own construction is no use', async () => {
  const inner = sequential({
    layers: [layers.dense({ units: 3, inputShape: [4], activation: 'tanh' }), layers.dense({ units: 4 })],
  });
  const a = input({ shape: [4] });
  const once = inner.apply(a) as SymbolicTensor;
  const same = model({
    inputs: a,
    outputs: layers.concatenate().apply([inner.apply(once), once] as never) as never,
  });
  seedWeights(same, 2);
  const within = {
    layers: [
      entrance('input', [null, 4]),
      layer('Dense', 'first', { units: 3, activation: 'tanh' }),
      layer('Dense', 'second', { units: 4 }),
    ].map(({ inbound_nodes: _, ...rest }) => rest),
    build_input_shape: [null, 4],
  };
  const topology = functional(
    [
      entrance('image', [null, 4]),
      layer('Sequential', 'inner', within, from('image'), from('inner')),
      layer('Concatenate', 'joined', { axis: -1 }, [from('inner', 1), from('inner', 0)]),
    ],
    ['image', 0, 0],
    ['joined', 0, 0],
  );
  const names = ['first', 'second'].flatMap((name) => [`inner/${name}/kernel`, `inner/${name}/bias`]);
  await assertSame(artifactsOf(topology, same, names), same);
});

test('functional models within others, whose results are those of the whole: there Keras 3 counts their own construction', async () => {
  const b = input({ shape: [4] });
  const shrink = layers.dense({ units: 3, activation: 'tanh' }).apply(b) as SymbolicTensor;
  const inner = model({
    inputs: b,
    outputs: [shrink, layers.dense({ units: 4 }).apply(shrink)] as SymbolicTensor[],
  });
  const c = input({ shape: [4] });
  const [, once] = inner.apply(c) as SymbolicTensor[];
  const middle = model({ inputs: c, outputs: (inner.apply(once!) as SymbolicTensor[])[1]! });
  const a = input({ shape: [4] });
  const used = middle.apply(a) as SymbolicTensor;
  const same = model({ inputs: a, outputs: [middle.apply(used) as SymbolicTensor, used] });
  seedWeights(same, 5);
  const innermost = functional(
    [
      entrance('small', [null, 4]),
      layer('Dense', 'shrink', { units: 3, activation: 'tanh' }, from('small')),
      layer('Dense', 'grow', { units: 4 }, from('shrink')),
    ],
    ['small', 0, 0],
    [
      ['shrink', 0, 0],
      ['grow', 0, 0],
    ],
  ).config;
  const within = functional(
    [
      entrance('middling', [null, 4]),
      layer('Functional', 'inner', { ...innermost, name: 'inner' }, from('middling'), from('inner', 0, 1)),
    ],
    ['middling', 0, 0],
    ['inner', 2, 1],
  ).config;
  const topology = functional(
    [
      entrance('image', [null, 4]),
      layer('Functional', 'middle', { ...within, name: 'middle' }, from('image'), from('middle')),
    ],
    ['image', 0, 0],
    [
      ['middle', 2, 0],
      ['middle', 1, 0],
    ],
  );
  const names = ['shrink', 'grow'].flatMap((name) =>
    ['kernel', 'bias'].map((w) => `middle/inner/${name}/${w}`),
  );
  await assertSame(artifactsOf(topology, same, names), same);
});

test('a sequential model whose result is that of the whole', async () => {
  const inner = sequential({ layers: [layers.dense({ units: 3, inputShape: [4] })] });
  const a = input({ shape: [4] });
  const same = model({ inputs: a, outputs: inner.apply(a) as SymbolicTensor });
  seedWeights(same, 6);
  const within = [entrance('input', [null, 4]), layer('Dense', 'first', { units: 3 })].map(
    ({ inbound_nodes: _, ...rest }) => rest,
  );
  const topology = functional(
    [entrance('image', [null, 4]), layer('Sequential', 'inner', { layers: within }, from('image'))],
    ['image', 0, 0],
    ['inner', 0, 0],
  );
  await assertSame(artifactsOf(topology, same, ['inner/first/kernel', 'inner/first/bias']), same);
});

test('a wrapped model, whose weights Keras 3 names with the layer that wraps it or without', async () => {
  const convolution = { filters: 2, kernelSize: 3 };
  const inner = sequential({
    layers: [layers.conv2d({ ...convolution, inputShape: [4, 4, 1] }), layers.flatten()],
  });
  const same = sequential({
    layers: [layers.timeDistributed({ layer: inner, inputShape: [3, 4, 4, 1] }), layers.flatten()],
  });
  seedWeights(same, 7);
  const unused = ({ inbound_nodes: _, ...rest }: ReturnType<typeof layer>) => rest;
  const within = [
    entrance('frame', [null, 4, 4, 1]),
    layer('Conv2D', 'convolution', { filters: 2, kernel_size: [3, 3] }),
    layer('Flatten', 'flat', {}),
  ].map(unused);
  const wrapped = unused(layer('Sequential', 'inner', { layers: within }));
  const topology = functional(
    [
      entrance('frames', [null, 3, 4, 4, 1]),
      layer('TimeDistributed', 'each', { layer: wrapped }, from('frames')),
      layer('Flatten', 'all', {}, from('each')),
    ],
    ['frames', 0, 0],
    ['all', 0, 0],
  );
  for (const path of ['each/inner', 'inner']) {
    const names = ['kernel', 'bias'].map((weight) => `${path}/convolution/${weight}`);
    await assertSame(artifactsOf(topology, same, names), same);
  }
});

test('a sequential model with layers that wrap others', async () => {
  const lstm = layers.lstm({
    units: 2,
    returnSequences: true,
    recurrentInitializer: 'zeros',
    recurrentActivation: 'sigmoid',
  });
  const same = sequential({
    layers: [
      layers.bidirectional({ layer: lstm as never, mergeMode: 'concat', inputShape: [3, 4] }),
      layers.timeDistributed({ layer: layers.dense({ units: 2 }) }),
    ],
  });
  seedWeights(same, 3);
  const cell = { units: 2, return_sequences: true, recurrent_activation: 'sigmoid' };
  const topology = {
    class_name: 'Sequential',
    config: {
      name: 'sequential',
      dtype: DTYPE,
      layers: [
        entrance('input', [null, 3, 4]),
        layer('Bidirectional', 'both', {
          merge_mode: 'concat',
          layer: layer('LSTM', 'forward_lstm', cell),
          backward_layer: layer('LSTM', 'backward_lstm', { ...cell, go_backwards: true }),
        }),
        layer('TimeDistributed', 'each', { layer: layer('Dense', 'dense', { units: 2 }) }),
      ].map(({ inbound_nodes: _, ...rest }) => rest),
    },
  };
  const names = [
    ...['forward', 'backward'].flatMap((way) =>
      ['kernel', 'recurrent_kernel', 'bias'].map((weight) => `both/${way}_lstm/lstm_cell/${weight}`),
    ),
    'each/dense/kernel',
    'each/dense/bias',
  ].map((name) => `sequential/${name}`);
  await assertSame(artifactsOf(topology, same, names), same);
});

test('a recurrent layer over a list of cells', async () => {
  const zeros = { recurrentInitializer: 'zeros', recurrentActivation: 'sigmoid' } as const;
  const cells = [layers.lstmCell({ units: 2, ...zeros }), layers.lstmCell({ units: 3, ...zeros })];
  const same = sequential({ layers: [layers.rnn({ inputShape: [4, 2], cell: cells })] });
  seedWeights(same, 4);
  const cell = (name: string, units: number) =>
    layer('LSTMCell', name, { units, recurrent_activation: 'sigmoid', recurrent_initializer: 'zeros' });
  const stacked = layer('StackedRNNCells', 'stacked', { cells: [cell('cell', 2), cell('cell_1', 3)] });
  const topology = {
    class_name: 'Sequential',
    config: {
      name: 'sequential',
      layers: [entrance('input', [null, 4, 2]), layer('RNN', 'rnn', { cell: stacked })].map(
        ({ inbound_nodes: _, ...rest }) => rest,
      ),
    },
  };
  const names = ['cell', 'cell_1'].flatMap((name) =>
    ['kernel', 'recurrent_kernel', 'bias'].map((weight) => `sequential/rnn/stacked/${name}/${weight}`),
  );
  await assertSame(artifactsOf(topology, same, names), same);
});

test('a call with a tensor by keyword is refused by the name of the layer; a model of Keras 2 is left alone', () => {
  const called = layer('LSTM', 'recurrent', { units: 2 }, from('image'));
  const topology = functional(
    [
      entrance('image', [null, 4]),
      { ...called, inbound_nodes: [{ args: [from('image')], kwargs: { initial_state: from('image') } }] },
    ],
    ['image', 0, 0],
    ['recurrent', 0, 0],
  );
  const artifacts = { modelTopology: { keras_version: '3.0.0', model_config: topology } };
  assert.throws(() => asKeras2(artifacts), /layer recurrent is called with tensors by keyword.*graph model/);
  const old = { modelTopology: { keras_version: '2.15.0', model_config: topology } };
  assert.equal(asKeras2(old), old);
});

test('what TensorFlow.js computes otherwise than Keras is refused by the name of the layer', () => {
  const one = (some: object) =>
    functional([entrance('image', [null, 4]), some], ['image', 0, 0], ['odd', 0, 0]);
  const of = (some: object) => ({ modelTopology: { keras_version: '3.15.1', model_config: one(some) } });
  const dense = (activation: string) => layer('Dense', 'odd', { units: 2, activation }, from('image'));
  assert.match(JSON.stringify(asKeras2(of(dense('silu')))), /"activation":"swish"/);
  for (const [kind, setting, value, nothing] of [
    ['GlobalAveragePooling2D', 'keepdims', true, false],
    ['LayerNormalization', 'rms_scaling', true, false],
  ] as const) {
    const check = (v: unknown) =>
      refuseAll(ignoredSettings(one(layer(kind, 'odd', { [setting]: v }, from('image')))));
    assert.throws(() => check(value), new RegExp(`layer odd \\(${kind}\\) has ${setting} ${value}, which`));
    check(nothing);
    check(null);
  }
});
