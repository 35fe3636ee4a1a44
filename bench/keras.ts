/** Whether Keras models written in Python give the same scores after `convert` as they do in Python. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import type { Residual } from '../config/residual.ts';
import { modelFiles } from '../convert/files.ts';
import { runCommand } from '../trainer/backend/command.ts';
import { makeResidual, meanOfEach } from '../trainer/losses/residual.ts';
import type { Bench, BenchContext, Table } from './bench.ts';
import { convertByCommand, readFloats, runOnnx } from './keras/converted.ts';
import { pythonEnvironment } from './python/environment.ts';

export const keras: Bench = {
  name: 'keras',
  title: 'Keras models of the five systems, trained in Python and converted: the same scores?',
  run,
};

const BOUND = 1e-4;
/** Plain JavaScript takes seconds for an image of the largest model. */
const IMAGES_IN_TFJS = 2;

/** What keras/train.py prints of a system. */
interface Trained {
  readonly name: string;
  /** Of one input. */
  readonly shape: readonly number[];
  readonly residual: Residual;
  readonly layers: number;
  readonly kinds: readonly string[];
  readonly parameters: number;
  /** Of the first and of the last epoch. */
  readonly losses: readonly [number, number];
  /** Standard deviation of a reconstructed value over the images, mean of all values. */
  readonly variation: number;
}

/** Largest differences from Python; those of scores are relative, the others absolute. */
interface Differences extends Trained {
  readonly score: number;
  readonly reconstruction: number;
  readonly tfjs: number;
}

async function run(context: BenchContext): Promise<Table[]> {
  const python = await pythonEnvironment(context, 'keras');
  const folder = await mkdtemp(join(context.cache, 'keras-'));
  try {
    tf.enableProdMode(); // or its plain JavaScript backend prints a banner that recommends tfjs-node
    await tf.setBackend('cpu');
    context.report('Python trains the systems\n');
    const script = fileURLToPath(new URL('keras/train.py', import.meta.url)); // -B: leave no bytecode in the tree
    const trained = JSON.parse(await runCommand(python, ['-B', script, folder])) as Trained[];
    const results: Differences[] = [];
    for (const system of trained) {
      context.report(`${system.name}: convert, and compare\n`);
      results.push({ ...system, ...(await differences(system, join(folder, system.name))) });
    }
    return [agreement(results)];
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function differences({ shape, residual }: Trained, folder: string) {
  const [image, reconstruction, scores] = await Promise.all(
    ['image', 'reconstruction', 'score'].map((name) => readFloats(join(folder, `${name}.bin`))),
  );
  const dims = [scores!.length, ...shape];
  const model = join(folder, 'model.onnx');
  await convertByCommand(folder, model);
  const converted = await runOnnx(model, image!, dims);
  const some = [IMAGES_IN_TFJS, ...shape];
  const inTfjs = await runTfjs(folder, image!.subarray(0, tf.util.sizeFromShape(some)), some);
  return {
    score: largest(relative)(scoresOf(residual, image!, converted, dims), scores!),
    reconstruction: largest(absolute)(converted, reconstruction!),
    tfjs: largest(absolute)(inTfjs, reconstruction!.subarray(0, inTfjs.length)),
  };
}

/** The saved model as TensorFlow.js itself loads and computes it. */
async function runTfjs(folder: string, image: Float32Array, dims: number[]): Promise<Float32Array> {
  const model = await loadLayersModel(modelFiles(folder));
  try {
    return tf.tidy(() => (model.predict(tf.tensor(image, dims)) as tf.Tensor).dataSync<'float32'>());
  } finally {
    model.dispose();
  }
}

/** By the trainer's own residual, which a bundle holds too. */
function scoresOf(residual: Residual, image: Float32Array, reconstruction: Float32Array, dims: number[]) {
  return tf.tidy(() => {
    const difference = makeResidual(residual, null)(tf.tensor(image, dims), tf.tensor(reconstruction, dims));
    return meanOfEach(difference).dataSync<'float32'>();
  });
}

const absolute = (got: number, expected: number) => Math.abs(got - expected);
const relative = (got: number, expected: number) => Math.abs(got - expected) / Math.abs(expected);

/** Infinite where lengths differ or a value is not a number: no bound may accept those. */
function largest(difference: (got: number, expected: number) => number) {
  return (got: Float32Array, expected: Float32Array): number => {
    if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
    const worst = got.reduce((most, value, i) => Math.max(most, difference(value, expected[i]!)), 0);
    return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
  };
}

function agreement(results: readonly Differences[]): Table {
  const within = ({ score, reconstruction, tfjs }: Differences) =>
    Math.max(score, reconstruction, tfjs) <= BOUND;
  return {
    title: 'Keras models from Python, converted: differences from what Python computes',
    columns: [
      'system',
      'layers',
      'parameters',
      'score',
      'reconstruction',
      'tfjs',
      `within ${BOUND}`,
      'loss',
      'varies by',
      'kinds of layer',
    ],
    rows: results.map((result) => [
      result.name,
      result.layers,
      result.parameters,
      result.score,
      result.reconstruction,
      result.tfjs,
      within(result) ? 'yes' : 'NO',
      result.losses.map((loss) => loss.toFixed(3)).join(' -> '),
      result.variation,
      result.kinds.join(' '),
    ]),
    notes: [
      'score: largest relative difference of 16 synthetic images, the residual of Keras in Python against that of trainer/losses here.',
      'reconstruction: largest absolute difference of a value in [0, 1], onnxruntime running what the command convert wrote.',
      `tfjs: the same for TensorFlow.js running the saved model itself (its plain JavaScript backend, ${IMAGES_IN_TFJS} images).`,
      'loss: of the first and the last epoch in Python. varies by: standard deviation of the reconstructions over the images; one of 0 would agree with anything.',
      'The frozen ResNet50 of brain-mri has random weights here, and normalization statistics of one pass of such images.',
    ],
    failed: !results.every(within),
  };
}
