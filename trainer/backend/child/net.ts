/** The net on which backends are compared: `trainer backend list`, and the training benchmark. */
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';

/** What {@link measureTraining} trains, in words. */
export const MEASURED =
  'the fundus net (128x128x3, convolutions 32-64-128, batch 16, Adam, mean squared error)';

const SIZE = 128;
const BATCH = 16;

/** Images a second over `seconds` of training steps, after two steps that compile and warm up. */
export async function measureTraining(seconds: number): Promise<number> {
  const model = fundusNet();
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'meanSquaredError' });
  const images = tf.randomUniform([BATCH, SIZE, SIZE, 3], 0, 1, 'float32', 1);
  const step = async () => {
    await model.trainOnBatch(images, images);
  };
  await step();
  await step();
  const begin = performance.now();
  let steps = 0;
  while (performance.now() - begin < seconds * 1000) {
    await step();
    steps++;
  }
  return (steps * BATCH * 1000) / (performance.now() - begin);
}

/** [N, 128, 128, 3] -> the same: three blocks that halve, three that double, a sigmoid at the end. */
export function fundusNet(): layers.Sequential {
  const { conv2d, maxPooling2d, upSampling2d } = layers.layers;
  const convolution = (filters: number, inputShape?: number[]) =>
    conv2d({
      filters,
      kernelSize: 3,
      padding: 'same',
      activation: 'relu',
      ...(inputShape && { inputShape }),
    });
  const model = layers.sequential();
  for (const [index, filters] of [32, 64, 128].entries()) {
    model.add(convolution(filters, index === 0 ? [SIZE, SIZE, 3] : undefined));
    model.add(maxPooling2d({ poolSize: 2 }));
  }
  for (const filters of [128, 64, 32]) {
    model.add(convolution(filters));
    model.add(upSampling2d({ size: [2, 2] }));
  }
  model.add(conv2d({ filters: 3, kernelSize: 3, padding: 'same', activation: 'sigmoid' }));
  return model;
}
