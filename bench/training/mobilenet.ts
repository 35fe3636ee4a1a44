/** MobileNet (Howard et al. 2017) up to its mean features, with random weights: how fast, not how good. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { random as randomNumbers } from '../../test/support/images.ts';
import { randomArray } from '../random.ts';

/** Filters and stride of each depthwise separable block. */
const BLOCKS: ReadonlyArray<readonly [filters: number, stride: number]> = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/** float32 `[N, 224, 224, 3]` -> `[N, 1024]`. */
export function mobileNet(): tfl.LayersModel {
  const { conv2d, depthwiseConv2d, batchNormalization, reLU, globalAveragePooling2d } = tfl.layers;
  const model = tfl.sequential({ name: 'mobilenet' });
  model.add(tfl.layers.inputLayer({ name: 'image', inputShape: [224, 224, 3] }));
  const activate = (name: string) => {
    model.add(batchNormalization({ name: `${name}_norm`, epsilon: 0.001 }));
    model.add(reLU({ name: `${name}_relu`, maxValue: 6 }));
  };
  const shared = { padding: 'same', useBias: false } as const;
  model.add(conv2d({ name: 'conv', filters: 32, kernelSize: 3, strides: 2, ...shared }));
  activate('conv');
  for (const [i, [filters, strides]] of BLOCKS.entries()) {
    model.add(depthwiseConv2d({ name: `depthwise${i + 1}`, kernelSize: 3, strides, ...shared }));
    activate(`depthwise${i + 1}`);
    model.add(conv2d({ name: `pointwise${i + 1}`, filters, kernelSize: 1, ...shared }));
    activate(`pointwise${i + 1}`);
  }
  model.add(globalAveragePooling2d({ name: 'features' }));
  drawWeights(model);
  return model;
}

/** He et al. 2015, uniform, so that signals keep their size through 27 layers; normalizations stay as they begin. */
function drawWeights(model: tfl.LayersModel): void {
  const random = randomNumbers(1);
  const values = model.weights.map((weight) => {
    const shape = weight.shape as number[];
    if (!weight.originalName.endsWith('kernel')) return weight.read().clone();
    const inputs = weight.originalName.includes('depthwise') ? 1 : shape[2]!;
    const limit = Math.sqrt(6 / (shape[0]! * shape[1]! * inputs));
    return tf.tensor(randomArray(tf.util.sizeFromShape(shape), -limit, limit, random), shape);
  });
  model.setWeights(values);
  tf.dispose(values);
}
