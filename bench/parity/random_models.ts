/** Random small models of the layers that the converter supports. */

import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { random as randomNumbers } from '../../test/support/images.ts';
import { randomArray } from '../random.ts';

type Random = () => number;
type Sym = layers.SymbolicTensor;

const ACTIVATIONS = [
  'relu',
  'elu',
  'tanh',
  'sigmoid',
  'selu',
  'softplus',
  'swish',
  'linear',
  'relu6',
  'hardSigmoid',
] as const;

/**
 * One model [N, 16, 16, c] -> an image or a vector, three to six random layers deep with weights drawn at random.
 * The same seed gives the same model.
 */
export function randomModel(seed: number): layers.LayersModel {
  const random = randomNumbers(seed);
  const input = layers.input({ shape: [16, 16, pick(random, [1, 2, 3])] });
  let x: Sym = input;
  const depth = 3 + Math.floor(4 * random());
  for (let i = 0; i < depth; i++) x = pick(random, BLOCKS)(x, random);
  if (random() < 0.3) x = head(x, random);
  const model = layers.model({ inputs: input, outputs: x });
  drawWeights(model, random);
  return model;
}

/** Each maps a symbolic image [N, h, w, c] to another one. */
const BLOCKS: readonly ((x: Sym, random: Random) => Sym)[] = [
  (x, random) =>
    apply(
      layers.layers.conv2d({
        filters: pick(random, [2, 5, 8]),
        kernelSize: pick(random, [1, 3, [3, 2], 5]),
        strides: pick(random, [1, 1, 2]),
        padding: 'same',
        activation: pick(random, ACTIVATIONS),
        useBias: random() < 0.8,
      }),
      x,
    ),
  (x, random) =>
    apply(
      layers.layers.conv2dTranspose({
        filters: pick(random, [2, 4]),
        kernelSize: 3,
        strides: side(x) <= 16 ? pick(random, [1, 2]) : 1,
        padding: 'same',
        activation: pick(random, ACTIVATIONS),
      }),
      x,
    ),
  (x, random) =>
    apply(
      layers.layers.depthwiseConv2d({
        kernelSize: 3,
        padding: 'same',
        activation: pick(random, ACTIVATIONS),
      }),
      x,
    ),
  (x, random) =>
    apply(
      layers.layers.separableConv2d({ filters: pick(random, [3, 6]), kernelSize: 3, padding: 'same' }),
      x,
    ),
  (x) => apply(layers.layers.batchNormalization(), x),
  (x, random) =>
    apply(
      layers.layers.maxPooling2d({
        poolSize: side(x) >= 4 ? pick(random, [2, 3]) : 1,
        strides: side(x) >= 4 ? 2 : 1,
        padding: 'same',
      }),
      x,
    ),
  (x) => apply(layers.layers.averagePooling2d({ poolSize: side(x) >= 4 ? 2 : 1 }), x),
  (x, random) =>
    side(x) > 16
      ? apply(layers.layers.dropout({ rate: 0.2 }), x)
      : apply(
          layers.layers.upSampling2d({ size: [2, 2], interpolation: pick(random, ['nearest', 'bilinear']) }),
          x,
        ),
  (x, random) =>
    pick(random, [
      () => apply(layers.layers.leakyReLU({ alpha: 0.1 }), x),
      () => apply(layers.layers.prelu(), x),
      () => apply(layers.layers.elu(), x),
      () => apply(layers.layers.thresholdedReLU({ theta: 0.2 }), x),
    ])(),
  (x) =>
    apply(
      layers.layers.zeroPadding2d({
        padding: [
          [1, 0],
          [0, 1],
        ],
      }),
      x,
    ),
  (x, random) => {
    const channels = x.shape[3]!;
    const side = () =>
      apply(
        layers.layers.conv2d({ filters: channels, kernelSize: 3, padding: 'same', activation: 'tanh' }),
        x,
      );
    const join = pick(random, [
      layers.layers.add,
      layers.layers.multiply,
      layers.layers.concatenate,
      layers.layers.average,
      layers.layers.maximum,
    ]);
    return join({}).apply([x, side()]) as Sym;
  },
  (x) => apply(layers.layers.layerNormalization(), x),
];

/** An image to a vector. */
function head(x: Sym, random: Random): Sym {
  const flat =
    random() < 0.5 ? apply(layers.layers.globalAveragePooling2d({}), x) : apply(layers.layers.flatten(), x);
  return apply(
    layers.layers.dense({ units: 4, activation: pick(random, ['softmax', 'tanh', 'relu']) }),
    flat,
  );
}

/** Biases, scales and moving averages too, so that none is at its neutral value; variances stay positive. */
function drawWeights(model: layers.LayersModel, random: Random): void {
  const drawn = model.weights.map(({ shape, name }) => {
    const sizes = shape as number[];
    const length = sizes.reduce((a, b) => a * b, 1);
    const [low, high] = /variance|gamma/.test(name) ? [0.5, 1.5] : [-0.5, 0.5];
    return tf.tensor(randomArray(length, low, high, random), sizes);
  });
  model.setWeights(drawn);
  tf.dispose(drawn);
}

function apply(layer: layers.layers.Layer, x: Sym): Sym {
  return layer.apply(x) as Sym;
}

function side(x: Sym): number {
  return Math.min(x.shape[1]!, x.shape[2]!);
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}
