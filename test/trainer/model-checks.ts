/** What every kind of autoencoder must hold: checks that the tests of the models share. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { trace } from '../../convert/trace.ts';
import type { Autoencoder } from '../../trainer/models/autoencoder.ts';
import { randomFor } from '../../trainer/random.ts';

/** Without TensorFlow.js' advertisement of its node backend. */
export async function useOnnx(): Promise<void> {
  tf.env().set('PROD', true);
  registerOnnxBackend();
  await tf.setBackend('onnx');
}

/** Smooth pictures in [0, 1], float32 of `shape` ([N, height, width, channels], or with frames); equal seeds, equal pictures. */
export function pictures(shape: readonly number[], seed: number): tf.Tensor {
  const random = randomFor(seed, 'pictures');
  const [height, width, channels] = shape.slice(-3) as [number, number, number];
  const size = height * width * channels;
  const values = new Float32Array(shape.reduce((a, b) => a * b));
  for (let start = 0; start < values.length; start += size) {
    const [row, column, phase] = [random() * 6, random() * 6, random() * 6];
    for (let i = 0; i < size; i++) {
      const [y, x, c] = [
        Math.floor(i / (width * channels)) / height,
        (i / channels / width) % 1,
        i % channels,
      ];
      values[start + i] = 0.5 + 0.35 * Math.sin(row * y + column * x + phase + c);
    }
  }
  return tf.tensor(values, [...shape]);
}

/** Mean absolute error before each of `steps` steps of Adam on `images`, masks and the like drawn from `seed`. */
export async function trainingLosses(
  { model, inputs, targets, losses }: Autoencoder,
  images: tf.Tensor,
  { steps, seed, learningRate }: { steps: number; seed: number; learningRate: number },
): Promise<number[]> {
  const random = randomFor(seed, 'training');
  model.compile({ optimizer: tf.train.adam(learningRate), loss: losses((x, y) => tf.abs(tf.sub(x, y))) });
  const history: number[] = [];
  for (let i = 0; i < steps; i++) {
    const loss = await model.trainOnBatch(inputs(images, null, random), targets(images));
    history.push(loss as number);
  }
  return history;
}

/** The largest difference between the reconstruction by TensorFlow.js' own cpu backend and by the exported graph. */
export async function exportDifference(autoencoder: Autoencoder, images: tf.Tensor): Promise<number> {
  const shape = [null, ...images.shape.slice(1)];
  const graph = trace((x) => ({ reconstruction: autoencoder.reconstruct(x!) }), [{ name: 'image', shape }]);
  const values = (await images.data()) as Float32Array;
  const session = await InferenceSession.create(graph, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const { reconstruction } = await session.run({ image: new Tensor('float32', values, images.shape) });
  await session.release();
  assert.deepEqual(reconstruction!.dims, images.shape);
  const expected = await onCpu(() => autoencoder.reconstruct(tf.tensor(values, images.shape)).data());
  let largest = 0;
  const got = reconstruction!.data as Float32Array;
  expected.forEach((v, i) => {
    const difference = Math.abs(v - got[i]!);
    largest = difference <= largest ? largest : difference; // NaN stays
  });
  return largest;
}

export async function onCpu<T>(action: () => Promise<T>): Promise<T> {
  const before = tf.getBackend();
  await tf.setBackend('cpu');
  try {
    return await action();
  } finally {
    await tf.setBackend(before);
  }
}

/** Weights `factor` times as large, so that no gradient drowns in rounding errors. */
export function enlargeWeights({ model }: Autoencoder, factor: number): void {
  tf.tidy(() => model.setWeights(model.getWeights().map((w) => tf.mul(w, factor))));
}

/** A gradient along one random direction in the space of one weight. */
export interface Slope {
  readonly weight: string;
  readonly analytic: number;
  /** Central difference. */
  readonly numeric: number;
}

/** Gradients of a weighted sum of the model's output by each trained weight, on the current backend. */
export async function gradients(
  { model }: Autoencoder,
  inputs: tf.Tensor[],
): Promise<Map<string, Float32Array>> {
  const { grads } = tf.variableGrads(() => {
    const y = model.apply(inputs, { training: true }) as tf.Tensor;
    const weights = tf.tensor(
      Float32Array.from({ length: y.size }, (_, i) => emphasis(i)),
      y.shape,
    );
    return tf.sum(tf.mul(y, weights)) as tf.Scalar;
  });
  const found = new Map<string, Float32Array>();
  for (const { name } of model.trainableWeights) found.set(name, await grads[name]!.data<'float32'>());
  return found;
}

/** `gradients` along one random direction each, beside central differences. */
export async function slopes(autoencoder: Autoencoder, inputs: tf.Tensor[]): Promise<Slope[]> {
  const { model } = autoencoder;
  const random = randomFor(5, 'directions');
  const analytic = await gradients(autoencoder, inputs);
  const found: Slope[] = [];
  for (const weight of model.trainableWeights) {
    const start = weight.read().clone();
    const direction = Float32Array.from(
      { length: start.size },
      () => (random() < 0.5 ? -1 : 1) / Math.sqrt(start.size),
    );
    const at = async (distance: number) => {
      weight.write(tf.add(start, tf.mul(tf.tensor(direction, start.shape), distance)));
      const output = await (model.apply(inputs, { training: true }) as tf.Tensor).data<'float32'>();
      return output.reduce((sum, v, i) => sum + v * emphasis(i), 0);
    };
    const numeric = ((await at(STEP)) - (await at(-STEP))) / (2 * STEP);
    weight.write(start);
    const gradient = analytic.get(weight.name)!;
    found.push({
      weight: weight.name,
      analytic: gradient.reduce((sum, v, i) => sum + v * direction[i]!, 0),
      numeric,
    });
  }
  return found;
}

const STEP = 1e-2;

/** Differs from value to value, so that a misplaced gradient shows. */
function emphasis(i: number): number {
  return Math.sin(i) + 0.3;
}
