/** Layers and activations of Keras that TensorFlow.js lacks: their definitions, number by number. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { readable } from '../../convert/source.ts';
import { drawing } from './support/draw.ts';
import { type Grid, grid, gridOf, sum } from './support/grids.ts';
import { assertFormula, type SavedLayer, savedLayers, type Weights } from './support/saved_layers.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const d = drawing(5);
/** [...space, channels] */
const space = (dimensions: number, channels = d.int(2, 4)) => [
  ...Array.from({ length: dimensions }, () => d.int(3, 5)),
  channels,
];

type Formula = (x: Grid, weights: Weights, other: Grid) => Grid;
interface Case {
  readonly shapes: ReadonlyArray<readonly number[]>;
  readonly layer: SavedLayer;
  readonly formula: Formula;
}

const same: Formula = (x) => x;
const one = (shape: readonly number[], class_name: string, config: object, formula: Formula): Case => ({
  ...{ shapes: [shape], layer: { class_name, config }, formula },
});
const each = (x: Grid, f: (value: number) => number): Grid =>
  gridOf(
    x.shape,
    x.values.map((value) => f(value)),
  );

/** Of each example and channel, all values in space. */
const overSpace = (x: Grid, f: (values: number[]) => number): Grid => {
  const [batch, channels] = [x.shape[0]!, x.shape.at(-1)!];
  return grid([batch, channels], (n, c) => {
    const size = x.values.length / batch;
    return f([...x.values.slice(n! * size, (n! + 1) * size)].filter((_, i) => i % channels === c));
  });
};

const mean = (values: readonly number[]) => sum(values.length, (i) => values[i]!) / values.length;

/** Where the layer's windows of steps begin and how long they are: each number from the place that it had. */
const moved = (x: Grid, shape: readonly number[], from: (...place: number[]) => number[]): Grid =>
  grid(shape, (...place) => x.at(...from(...place)));

const groups = 2;
const CASES: Readonly<Record<string, Case>> = {
  'EinsumDense that makes two axes of one': {
    shapes: [[3, 2]],
    layer: {
      class_name: 'EinsumDense',
      config: { equation: 'abc,cde->abde', output_shape: [null, 2, 3], bias_axes: 'd', activation: 'relu' },
      weights: { kernel: [2, 2, 3], bias: [2, 1] },
    },
    formula: (x, { kernel, bias }) =>
      grid([x.shape[0]!, 3, 2, 3], (a, b, p, q) =>
        Math.max(0, bias!.at(p!, 0) + sum(2, (c) => x.at(a!, b!, c) * kernel!.at(c, p!, q!))),
      ),
  },
  'EinsumDense of any axes': {
    shapes: [[2, 3, 2]],
    layer: {
      class_name: 'EinsumDense',
      config: { equation: '...x,xy->...y', output_shape: 4, bias_axes: null },
      weights: { kernel: [2, 4] },
    },
    formula: (x, { kernel }) =>
      grid([x.shape[0]!, 2, 3, 4], (n, a, b, y) => sum(2, (c) => x.at(n!, a!, b!, c) * kernel!.at(c, y!))),
  },
  'ZeroPadding1D by two numbers': one([4, 2], 'ZeroPadding1D', { padding: [1, 2] }, (x) =>
    moved(x, [x.shape[0]!, 7, 2], (n, t, c) => [n!, t! - 1, c!]),
  ),
  'ZeroPadding3D, channels first': one(
    [2, 3, 2, 3],
    'ZeroPadding3D',
    {
      padding: [
        [1, 0],
        [0, 2],
        [1, 1],
      ],
      data_format: 'channels_first',
    },
    (x) => moved(x, [x.shape[0]!, 2, 4, 4, 5], (n, c, a, b, e) => [n!, c!, a! - 1, b!, e! - 1]),
  ),
  Cropping1D: one([6, 2], 'Cropping1D', { cropping: [2, 1] }, (x) =>
    moved(x, [x.shape[0]!, 3, 2], (n, t, c) => [n!, t! + 2, c!]),
  ),
  Cropping3D: one(
    [4, 4, 5, 2],
    'Cropping3D',
    {
      cropping: [
        [1, 0],
        [0, 2],
        [1, 1],
      ],
    },
    (x) => moved(x, [x.shape[0]!, 3, 2, 3, 2], (n, a, b, e, c) => [n!, a! + 1, b!, e! + 1, c!]),
  ),
  UpSampling1D: one([3, 2], 'UpSampling1D', { size: 3 }, (x) =>
    moved(x, [x.shape[0]!, 9, 2], (n, t, c) => [n!, Math.floor(t! / 3), c!]),
  ),
  UpSampling3D: one([2, 3, 2, 2], 'UpSampling3D', { size: [2, 1, 3] }, (x) =>
    moved(x, [x.shape[0]!, 4, 3, 6, 2], (n, a, b, e, c) => [
      n!,
      Math.floor(a! / 2),
      b!,
      Math.floor(e! / 3),
      c!,
    ]),
  ),
  GlobalAveragePooling3D: one(space(3), 'GlobalAveragePooling3D', { keepdims: false }, (x) =>
    overSpace(x, mean),
  ),
  'GlobalMaxPooling3D that keeps its axes': one(space(3), 'GlobalMaxPooling3D', { keepdims: true }, (x) => {
    const { shape, values } = overSpace(x, (all) => Math.max(...all));
    return gridOf([shape[0]!, 1, 1, 1, shape[1]!], values);
  }),
  UnitNormalization: one([4, 3], 'UnitNormalization', { axis: [-1] }, (x) =>
    grid(x.shape, (n, t, c) => x.at(n!, t!, c!) / Math.sqrt(sum(3, (i) => x.at(n!, t!, i) ** 2))),
  ),
  'UnitNormalization along two axes': one([4, 3], 'UnitNormalization', { axis: [1, 2] }, (x) =>
    grid(
      x.shape,
      (n, t, c) => x.at(n!, t!, c!) / Math.sqrt(sum(4, (s) => sum(3, (i) => x.at(n!, s, i) ** 2))),
    ),
  ),
  GroupNormalization: {
    shapes: [[3, 4, 6]],
    layer: {
      class_name: 'GroupNormalization',
      config: { groups, axis: -1, epsilon: 1e-3, center: true, scale: true },
      weights: { gamma: [6], beta: [6] },
    },
    formula: (x, { gamma, beta }) => {
      const of = (n: number, group: number) =>
        grid([3, 4, 3], (a, b, c) => x.at(n, a!, b!, 3 * group + c!)).values;
      return grid(x.shape, (n, a, b, c) => {
        const values = [...of(n!, Math.floor(c! / 3))];
        const average = mean(values);
        const variance = mean(values.map((value) => (value - average) ** 2));
        return ((x.at(n!, a!, b!, c!) - average) / Math.sqrt(variance + 1e-3)) * gamma!.at(c!) + beta!.at(c!);
      });
    },
  },
  RMSNormalization: {
    shapes: [[4, 3]],
    layer: {
      class_name: 'RMSNormalization',
      config: { axis: -1, epsilon: 1e-6 },
      weights: { scale: [3] },
    },
    formula: (x, { scale }) =>
      grid(x.shape, (n, t, c) => {
        const square = sum(3, (i) => x.at(n!, t!, i) ** 2) / 3;
        return (x.at(n!, t!, c!) / Math.sqrt(square + 1e-6)) * scale!.at(c!);
      }),
  },
  Subtract: {
    shapes: [
      [3, 4],
      [3, 4],
    ],
    layer: { class_name: 'Subtract' },
    formula: (x, _, y) =>
      gridOf(
        x.shape,
        x.values.map((value, i) => value - y.values[i]!),
      ),
  },
  'Subtract of what has an axis less': {
    shapes: [[3, 4], [4]],
    layer: { class_name: 'Subtract' },
    formula: (x, _, y) => grid(x.shape, (n, t, c) => x.at(n!, t!, c!) - y.at(n!, c!)),
  },
  'ReLU with all settings': one([6], 'ReLU', { max_value: 0.6, negative_slope: 0.2, threshold: 0.3 }, (x) =>
    each(x, (v) => (v >= 0.6 ? 0.6 : v >= 0.3 ? v : 0.2 * (v - 0.3))),
  ),
  'ELU with another slope': one([6], 'ELU', { alpha: 0.3 }, (x) =>
    each(x, (v) => (v > 0 ? v : 0.3 * Math.expm1(v))),
  ),
  Discretization: one([6], 'Discretization', { bin_boundaries: [-0.5, 0, 0.25], output_mode: 'int' }, (x) =>
    each(x, (v) => [-0.5, 0, 0.25].filter((boundary) => boundary <= v).length),
  ),
  'RandomCrop of the same proportions': one([6, 9, 2], 'RandomCrop', { height: 2, width: 2 }, (x) =>
    // The middle 6 x 6, of which each pixel of two is between two of three.
    grid([x.shape[0]!, 2, 2, 2], (n, row, column, c) => x.at(n!, 3 * row! + 1, 3 * column! + 2, c!)),
  ),
  ...Object.fromEntries(
    [
      'SpatialDropout2D',
      'RandomFlip',
      'RandomRotation',
      'RandomZoom',
      'RandomContrast',
      'RandomBrightness',
    ].map((name) => [name, one([3, 3, 2], name, { factor: 0.5, rate: 0.5, mode: 'horizontal' }, same)]),
  ),
  ...Object.fromEntries(
    ['SpatialDropout3D', 'Identity', 'ActivityRegularization'].map((name) => [
      name,
      one([2, 3, 2, 2], name, { rate: 0.5, l1: 0.1 }, same),
    ]),
  ),
};

describe('a layer of Keras alone', () => {
  for (const [name, { shapes, layer, formula }] of Object.entries(CASES))
    test(name, async () => {
      await assertFormula(savedLayers(shapes, [layer]), ([x, y], weights) => formula(x!, weights, y!));
    });
});

const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const relu6 = (v: number) => Math.min(6, Math.max(0, v));
/** Abramowitz and Stegun do not suffice here: the series itself. */
const erf = (v: number) => {
  let [term, total] = [v, v];
  for (let n = 1; n < 60; n++) {
    term *= (-v * v) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
};

const ACTIVATIONS: Readonly<Record<string, (v: number) => number>> = {
  gelu: (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
  silu: (v) => v * sigmoid(v),
  swish: (v) => v * sigmoid(v),
  mish: (v) => v * Math.tanh(Math.log1p(Math.exp(v))),
  exponential: Math.exp,
  leaky_relu: (v) => (v < 0 ? 0.2 * v : v),
  relu6,
  hard_silu: (v) => (v * relu6(v + 3)) / 6,
  celu: (v) => (v > 0 ? v : Math.expm1(v)),
  squareplus: (v) => (v + Math.sqrt(v * v + 4)) / 2,
  log_sigmoid: (v) => Math.log(sigmoid(v)),
  hard_tanh: (v) => Math.max(-1, Math.min(1, v)),
  tanh_shrink: (v) => v - Math.tanh(v),
  hard_shrink: (v) => (Math.abs(v) > 0.5 ? v : 0),
  soft_shrink: (v) => Math.sign(v) * Math.max(0, Math.abs(v) - 0.5),
};

/** Numbers of a wide range, by a layer before the activation. */
const widened: SavedLayer = { class_name: 'Rescaling', config: { scale: 4, offset: 0 } };

describe('an activation', () => {
  for (const [activation, f] of Object.entries(ACTIVATIONS))
    test(activation, async () => {
      const layers = [widened, { class_name: 'Activation', config: { activation } }];
      await assertFormula(savedLayers([[9]], layers), ([x]) => each(x!, (v) => f(4 * v)));
    });

  for (const [version, f] of [
    ['2.15.0', (v: number) => Math.max(0, Math.min(1, 0.2 * v + 0.5))],
    ['3.5.0', (v: number) => relu6(v + 3) / 6],
  ] as const)
    test(`hard_sigmoid of Keras ${version}, which the other computes otherwise`, async () => {
      const { artifacts, weights } = savedLayers(
        [[9]],
        [widened, { class_name: 'Activation', config: { activation: 'hard_sigmoid' } }],
        version,
      );
      const ofKeras3 = JSON.parse(JSON.stringify(artifacts.modelTopology), (key, value) =>
        key === 'inbound_nodes' && version.startsWith('3') ? value.map(asCall) : value,
      );
      await assertFormula({ artifacts: { ...artifacts, modelTopology: ofKeras3 }, weights }, ([x]) =>
        each(x!, (v) => f(4 * v)),
      );
    });
});

/** A use of a layer as Keras 3 writes it. */
function asCall(use: readonly unknown[][]): object {
  const args = use.map((history) => ({
    ...{ class_name: '__keras_tensor__', config: { keras_history: history.slice(0, 3) } },
  }));
  return { args, kwargs: {} };
}

test('within a wrapper, and within a model within the model', async () => {
  const layer = { class_name: 'UnitNormalization', config: { name: 'within', axis: -1 } };
  const wrapped = savedLayers([[4, 3]], [{ class_name: 'TimeDistributed', config: { layer } }]);
  await assertFormula(wrapped, ([x]) =>
    grid(x!.shape, (n, t, c) => x!.at(n!, t!, c!) / Math.sqrt(sum(3, (i) => x!.at(n!, t!, i) ** 2))),
  );
  const entrance = { class_name: 'InputLayer', config: { name: 'in', batch_input_shape: [null, 4, 3] } };
  const inner = {
    class_name: 'Sequential',
    config: { layers: [entrance, { class_name: 'Cropping1D', config: { name: 'crop', cropping: [1, 1] } }] },
  };
  const behind: SavedLayer = {
    ...{ class_name: 'Activation', config: { activation: 'linear' } },
    from: [[['layer_0', 1, 0, {}]]], // its own construction counts as the first use
  };
  await assertFormula(savedLayers([[4, 3]], [inner, behind]), ([x]) =>
    moved(x!, [x!.shape[0]!, 2, 3], (n, t, c) => [n!, t! + 1, c!]),
  );
});

test('a model of TensorFlow.js itself keeps its layers, and a class that somebody registered is theirs', async () => {
  const own = sequential({
    layers: [layers.conv2dTranspose({ inputShape: [3, 3, 1], filters: 1, kernelSize: 2 })],
  });
  const topology = own.toJSON(null, false) as unknown as object;
  assert.deepEqual(readable({ modelTopology: topology }).modelTopology, topology);
  class Mine extends layers.Layer {
    static readonly className = 'Cropping3D';
  }
  const map = tf.serialization.SerializationMap.getMap().classNameMap;
  tf.serialization.registerClass(Mine);
  try {
    const { artifacts } = savedLayers([[2, 2]], [{ class_name: 'Cropping3D' }]);
    const model = await loadLayersModel({ load: async () => readable(artifacts) });
    assert.ok(model.layers.at(-1) instanceof Mine);
  } finally {
    delete map.Cropping3D;
  }
});

test('what cannot be said is refused by the name of the layer', async () => {
  for (const [layer, expected] of [
    [
      { class_name: 'Discretization', config: { bin_boundaries: [1], output_mode: 'one_hot' } },
      /layer layer_0 \(Discretization\) has the output mode oneHot/,
    ],
    [
      { class_name: 'Discretization', config: { bin_boundaries: null, num_bins: 4 } },
      /layer layer_0 \(Discretization\).* no boundaries/,
    ],
  ] as const)
    await assert.rejects(
      assertFormula(savedLayers([[3]], [layer]), ([x]) => x!),
      expected,
    );
});
