import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { randomArray, seeded } from './numbers.ts';

const l = layers.layers;
type Layer = Parameters<layers.Sequential['add']>[0];

const ACTIVATIONS = [
  'relu',
  'elu',
  'selu',
  'tanh',
  'sigmoid',
  'softplus',
  'swish',
  'gelu',
  'relu6',
  'linear',
] as const;

/** Sets every weight of a model from a seed; variances stay positive. */
export function seedWeights(model: layers.LayersModel, seed: number): void {
  const random = seeded(seed);
  const values = model.weights.map(({ shape, originalName }) => {
    const size = shape.reduce<number>((product, d) => product * (d ?? 1), 1);
    const variance = originalName.includes('variance') || originalName.includes('gamma');
    const range: [number, number] = variance ? [0.5, 1.5] : [-0.4, 0.4];
    return tf.tensor(randomArray(size, random, ...range), shape as number[]);
  });
  model.setWeights(values);
  tf.dispose(values);
}

/** A small random model of the layers that conversion supports, images in, images or a vector out. */
export function randomModel(seed: number): layers.LayersModel {
  const random = seeded(seed * 7919 + 13);
  for (let i = 0; i < 5; i++) random(); // the first draws of neighbouring seeds are alike
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const size = pick([8, 9, 12]);
  const model = layers.sequential();
  model.add(l.inputLayer({ inputShape: [size, size, pick([1, 2, 3])] }));
  const layerCount = 3 + below(5);
  for (let i = 0; i < layerCount; i++) model.add(randomImageLayer(pick, model.outputs[0]!.shape as number[]));
  if (random() < 0.4) for (const layer of randomHead(pick)) model.add(layer);
  seedWeights(model, seed + 1);
  return model;
}

type Pick = <T>(list: readonly T[]) => T;

function randomImageLayer(pick: Pick, shape: number[]): Layer {
  const small = Math.min(shape[1]!, shape[2]!) < 4;
  const large = Math.max(shape[1]!, shape[2]!) > 20;
  const activation = pick(ACTIVATIONS);
  const padding = small ? 'same' : pick(['same', 'valid'] as const);
  const strides = small ? 1 : pick([1, 1, 2]);
  const choices: Array<() => Layer> = [
    () => l.conv2d({ filters: pick([2, 5, 8]), kernelSize: pick([1, 2, 3]), padding, strides, activation }),
    () => l.depthwiseConv2d({ kernelSize: 3, padding: 'same', depthMultiplier: pick([1, 2]) }),
    () => l.separableConv2d({ filters: 4, kernelSize: 3, padding: 'same', activation }),
    () => l.batchNormalization(),
    () => l.layerNormalization(),
    () => pick([l.reLU(), l.leakyReLU({ alpha: 0.1 }), l.prelu(), l.elu()]),
    () => l.activation({ activation }),
    () =>
      l.zeroPadding2d({
        padding: [
          [1, 0],
          [0, 2],
        ],
      }),
    () => l.dropout({ rate: 0.3 }),
  ];
  if (!small)
    choices.push(
      () => l.maxPooling2d({ poolSize: pick([2, 3]), strides: 2, padding }),
      () => l.averagePooling2d({ poolSize: pick([2, 3]), strides: 2, padding }),
      () =>
        l.cropping2D({
          cropping: [
            [1, 0],
            [0, 1],
          ],
        }),
    );
  if (!large)
    choices.push(
      () =>
        l.conv2dTranspose({ filters: 3, kernelSize: 3, strides: pick([1, 2]), padding: 'same', activation }),
      () =>
        l.upSampling2d({
          size: pick([
            [2, 2],
            [2, 3],
          ]),
          interpolation: 'nearest',
        }),
      () => l.upSampling2d({ size: [2, 2], interpolation: 'bilinear' }),
    );
  return pick(choices)();
}

function randomHead(pick: Pick): Layer[] {
  const pooling = pick([
    () => l.flatten(),
    () => l.globalAveragePooling2d({}),
    () => l.globalMaxPooling2d({}),
  ]);
  return [
    pooling(),
    l.dense({ units: 6, activation: 'elu' }),
    l.dense({ units: 4, activation: pick(['softmax', 'linear'] as const) }),
  ];
}

/** A convolutional autoencoder whose gradients tfjs-backend-cpu computes correctly (no nearest upsampling). */
export function smallAutoencoder(): layers.LayersModel {
  const model = layers.sequential({
    layers: [
      l.conv2d({ inputShape: [8, 8, 2], filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
      l.maxPooling2d({ poolSize: 2 }),
      l.conv2d({ filters: 6, kernelSize: 3, padding: 'same', activation: 'relu' }),
      l.batchNormalization(),
      l.upSampling2d({ size: [2, 2], interpolation: 'bilinear' }),
      l.conv2dTranspose({ filters: 2, kernelSize: 3, padding: 'same', activation: 'sigmoid' }),
    ],
  });
  seedWeights(model, 3);
  return model;
}
