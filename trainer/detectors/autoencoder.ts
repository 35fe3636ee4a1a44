/** The detector `autoencoder`: what a small denoising autoencoder cannot redraw. */
import * as tf from '@tensorflow/tfjs-core';
import { type Random, randomFor } from '../random.ts';
import type { Detector, FitDetectors, TrainingSet } from './detector.ts';
import { type Matrix, rowOf } from './matrix.ts';
import { makeNoise } from './noise.ts';
import { OneCycleAdam } from './one-cycle.ts';
import { type Standard, standardise, standardiseMatrix, standardOf } from './standardise.ts';

export interface AutoencoderOptions {
  readonly kind: 'autoencoder';
  /** Units of the layers before and behind the bottleneck. */
  readonly hidden: number;
  readonly bottleneck: number;
  /** Standard deviation of the noise added to standardised features in training. */
  readonly noise: number;
}

/** Steps of an epoch, whatever the number of images: a model of features sees a small folder many times. */
export const STEPS = 20;

/**
 * `hidden` GELU - `bottleneck` - `hidden` GELU (Hendrycks and Gimpel 2016), trained to take noise away (Vincent et al.
 * 2008) by Adam with one cycle of its rate (Smith and Topin 2018). The score is the root mean squared residual of the
 * standardised features. The weights at the end are the result: the cycle ends with a rate of nearly zero, so there
 * is no epoch to choose.
 *
 * The autoencoders of all sets take their steps together, as products of stacked matrices: about half of the time that
 * they take one after the other.
 */
export const fitAutoencoders: FitDetectors<AutoencoderOptions> = async function* (sets, model, options) {
  const { seed, epochs, batchSize, signal } = options;
  const prepared = sets.map((set) => prepare(set, model, seed));
  const columns = sets[0]!.features.columns;
  const rows = Math.min(batchSize, Math.max(...sets.map(({ features }) => features.rows)));
  const sizes = [columns, model.hidden, model.bottleneck, model.hidden, columns];
  const weights = stack(sets.map(({ name }) => initialWeights(sizes, randomFor(seed, 'weights', name))));
  const variables = weights.map(({ values, shape }) => tf.variable(tf.tensor(values, shape)));
  const validation = stackValidation(prepared, columns);
  const optimizer = new OneCycleAdam(options.learningRate, epochs * STEPS);
  const shape: [number, number, number] = [sets.length, rows, columns];
  try {
    for (let epoch = 0; epoch < epochs && !signal.aborted; epoch++) {
      const sums = sets.map(() => 0);
      let steps = 0;
      for (; steps < STEPS && !signal.aborted; steps++) {
        const clean = new Float32Array(sets.length * rows * columns);
        const noisy = new Float32Array(clean.length);
        for (const [k, { draw }] of prepared.entries()) {
          const at = k * rows * columns;
          draw(clean.subarray(at, at + rows * columns), noisy.subarray(at, at + rows * columns));
        }
        const losses = await step(optimizer, variables, tf.tensor3d(clean, shape), tf.tensor3d(noisy, shape));
        for (const [k, loss] of losses.entries()) sums[k]! += loss;
        options.onBatch(sets.length * rows);
      }
      if (steps === STEPS) {
        const unseen = await lossesOf(variables, validation);
        yield sums.map((sum, k) => ({ loss: sum / steps, validationLoss: unseen[k]! }));
      }
    }
    const trained = await Promise.all(variables.map(async (v) => (await v.data()) as Float32Array));
    return prepared.map(({ standard }, k) =>
      detectorOf(
        standard,
        weights.map(({ shape: [, ...shape] }, i) => ({ shape, values: part(trained[i]!, k, sets.length) })),
      ),
    );
  } finally {
    tf.dispose([...variables, validation.features, validation.counts]);
    optimizer.dispose();
  }
};

interface Prepared {
  readonly standard: Standard;
  readonly validation: Matrix | null;
  /** Fills `clean` with rows of the set, and `noisy` with the same and noise. */
  readonly draw: (clean: Float32Array, noisy: Float32Array) => void;
}

function prepare(
  { features, validation, name }: TrainingSet,
  model: AutoencoderOptions,
  seed: number,
): Prepared {
  const standard = standardOf(features);
  const training = standardiseMatrix(features, standard);
  const random = randomFor(seed, 'batches', name);
  const addNoise = makeNoise(model.noise, randomFor(seed, 'noise', name));
  return {
    standard,
    validation: validation === null ? null : standardiseMatrix(validation, standard),
    draw: (clean, noisy) => {
      drawRows(training, clean, random);
      addNoise(clean, noisy);
    },
  };
}

/** Of each autoencoder. */
async function step(
  optimizer: OneCycleAdam,
  variables: tf.Variable[],
  clean: tf.Tensor3D,
  noisy: tf.Tensor3D,
): Promise<Float32Array> {
  let losses: tf.Tensor | undefined;
  // Of the sum each one's weights have the gradients of its own loss alone.
  const sum = optimizer.step(() => {
    losses = tf.keep(tf.mean(tf.square(tf.sub(redraw(noisy, variables), clean)), [1, 2]));
    return tf.sum<tf.Scalar>(losses);
  }, variables);
  const values = (await losses!.data()) as Float32Array;
  tf.dispose([losses!, sum, clean, noisy]);
  return values;
}

/** What is not trained on, of all sets, filled up with rows that do not count. */
interface Validation {
  /** `[K, rows, F]`. */
  readonly features: tf.Tensor3D;
  /** 1 for a row of the set, 0 for one that fills up: `[K, rows, 1]`. */
  readonly counts: tf.Tensor3D;
  /** Of each set; 0: all of it is trained on. */
  readonly rows: readonly number[];
}

function stackValidation(sets: readonly Pick<Prepared, 'validation'>[], columns: number): Validation {
  const rows = sets.map(({ validation }) => validation?.rows ?? 0);
  const most = Math.max(1, ...rows);
  const features = new Float32Array(sets.length * most * columns);
  const counts = new Float32Array(sets.length * most);
  for (const [k, { validation }] of sets.entries()) {
    if (validation !== null) features.set(validation.data, k * most * columns);
    counts.fill(1, k * most, k * most + rows[k]!);
  }
  return {
    features: tf.tensor3d(features, [sets.length, most, columns]),
    counts: tf.tensor3d(counts, [sets.length, most, 1]),
    rows,
  };
}

/** Of each autoencoder; null: it has nothing that is not trained on. One graph for all, whatever their rows. */
async function lossesOf(
  variables: readonly tf.Tensor[],
  { features, counts, rows }: Validation,
): Promise<(number | null)[]> {
  const sums = tf.tidy(() => {
    const squares = tf.square(tf.sub(redraw(features, variables), features));
    return tf.sum(tf.mul(tf.mean(squares, 2, true), counts), [1, 2]);
  });
  const values = await sums.data();
  sums.dispose();
  return rows.map((count, k) => (count === 0 ? null : values[k]! / count));
}

interface Weights {
  readonly shape: number[];
  readonly values: Float32Array;
}

function detectorOf(standard: Standard, weights: readonly Weights[]): Detector {
  const widths = weights.filter((_, i) => i % 2 === 0).map(({ shape }) => shape[0]);
  return {
    parameters: weights.reduce((sum, { values }) => sum + values.length, 0) + 2 * standard.mean.length,
    features: standard.mean.length,
    description: `autoencoder ${widths.slice(0, 3).join('-')}`,
    score: (features) => {
      const x = standardise(features, standard);
      const y = redraw(
        x,
        weights.map(({ shape, values }) => tf.tensor(values, shape)),
      );
      return tf.sqrt(tf.mean(tf.square(tf.sub(y, x)), 1));
    },
  };
}

/** Features `[N, F]`, or `[K, N, F]` of K autoencoders whose weights are stacked. */
function redraw<T extends tf.Tensor2D | tf.Tensor3D>(x: T, weights: readonly tf.Tensor[]): T {
  const dense = (input: tf.Tensor, layer: number) =>
    tf.add(tf.matMul(input, weights[2 * layer]!), weights[2 * layer + 1]!);
  return dense(gelu(dense(dense(gelu(dense(x, 0)), 1), 2)), 3) as T;
}

function gelu(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.div(x, Math.SQRT2)))); // in this form onnxruntime makes one node of it
}

/** Kernel and bias of each layer, uniform within 1 / sqrt(inputs), as PyTorch begins its linear layers. */
function initialWeights(sizes: readonly number[], random: Random): Weights[] {
  return sizes.slice(1).flatMap((outputs, i) => {
    const inputs = sizes[i]!;
    const uniform = () => (2 * random() - 1) / Math.sqrt(inputs);
    const make = (shape: number[], length: number) => ({
      shape,
      values: Float32Array.from({ length }, uniform),
    });
    return [make([inputs, outputs], inputs * outputs), make([1, outputs], outputs)];
  });
}

/** Of all autoencoders, `[K, ...]` each. */
function stack(all: readonly (readonly Weights[])[]): Weights[] {
  return all[0]!.map(({ shape, values: { length } }, i) => {
    const values = new Float32Array(all.length * length);
    for (const [k, weights] of all.entries()) values.set(weights[i]!.values, k * length);
    return { shape: [all.length, ...shape], values };
  });
}

/** A copy of the `index`-th of `count` equal parts. */
function part(values: Float32Array, index: number, count: number): Float32Array {
  const length = values.length / count;
  return values.slice(index * length, (index + 1) * length);
}

/** As many as `into` holds, with replacement. */
function drawRows(matrix: Matrix, into: Float32Array, random: Random): void {
  for (let at = 0; at < into.length; at += matrix.columns)
    into.set(rowOf(matrix, Math.floor(random() * matrix.rows)), at);
}
