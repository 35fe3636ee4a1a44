/** The detector `autoencoder`: what a small denoising autoencoder cannot redraw. */
import * as tf from '@tensorflow/tfjs-core';
import { type Random, randomFor } from '../random.ts';
import type { Detector, FitDetector } from './detector.ts';
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
 */
export const fitAutoencoder: FitDetector<AutoencoderOptions> = async function* (features, model, options) {
  const { seed, name, epochs, batchSize, signal } = options;
  const standard = standardOf(features);
  const training = standardiseMatrix(features, standard);
  const validation = options.validation === null ? null : standardiseMatrix(options.validation, standard);
  const sizes = [features.columns, model.hidden, model.bottleneck, model.hidden, features.columns];
  const weights = initialWeights(sizes, randomFor(seed, 'weights', name));
  const variables = weights.map(({ values, shape }) => tf.variable(tf.tensor(values, shape)));
  const optimizer = new OneCycleAdam(options.learningRate, epochs * STEPS);
  const random = randomFor(seed, 'batches', name);
  const noise = makeNoise(model.noise, randomFor(seed, 'noise', name));
  const shape: [number, number] = [Math.min(batchSize, training.rows), training.columns];
  try {
    for (let epoch = 0; epoch < epochs && !signal.aborted; epoch++) {
      let sum = 0;
      let steps = 0;
      for (; steps < STEPS && !signal.aborted; steps++) {
        const batch = drawRows(training, shape[0], random);
        sum += await step(optimizer, variables, {
          clean: tf.tensor2d(batch, shape),
          noisy: tf.tensor2d(noise(batch), shape),
        });
        options.onBatch(shape[0]);
      }
      if (steps === STEPS)
        yield {
          loss: sum / steps,
          validationLoss: validation === null ? null : await lossOf(variables, validation),
        };
    }
    const trained = await Promise.all(variables.map(async (v) => (await v.data()) as Float32Array));
    return detectorOf(
      standard,
      weights.map(({ shape }, i) => ({ shape, values: Float32Array.from(trained[i]!) })),
    );
  } finally {
    tf.dispose(variables);
    optimizer.dispose();
  }
};

async function step(
  optimizer: OneCycleAdam,
  variables: tf.Variable[],
  { clean, noisy }: { readonly clean: tf.Tensor2D; readonly noisy: tf.Tensor2D },
): Promise<number> {
  const loss = optimizer.step(
    () => tf.mean<tf.Scalar>(tf.square(tf.sub(redraw(noisy, variables), clean))),
    variables,
  );
  const [value] = await loss.data();
  tf.dispose([loss, clean, noisy]);
  return value!;
}

async function lossOf(variables: readonly tf.Tensor[], { rows, columns, data }: Matrix): Promise<number> {
  const loss = tf.tidy(() => {
    const x = tf.tensor2d(data, [rows, columns]);
    return tf.mean(tf.square(tf.sub(redraw(x, variables), x)));
  });
  const [value] = await loss.data();
  loss.dispose();
  return value!;
}

interface Weights {
  readonly shape: number[];
  readonly values: Float32Array;
}

function detectorOf(standard: Standard, weights: readonly Weights[]): Detector {
  const widths = weights.filter(({ shape }) => shape.length === 2).map(({ shape }) => shape[0]);
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

function redraw(x: tf.Tensor2D, weights: readonly tf.Tensor[]): tf.Tensor2D {
  const dense = (input: tf.Tensor, layer: number) =>
    tf.add(tf.matMul(input as tf.Tensor2D, weights[2 * layer] as tf.Tensor2D), weights[2 * layer + 1]!);
  return dense(gelu(dense(dense(gelu(dense(x, 0)), 1), 2)), 3) as tf.Tensor2D;
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
    return [make([inputs, outputs], inputs * outputs), make([outputs], outputs)];
  });
}

/** With replacement. */
function drawRows(matrix: Matrix, count: number, random: Random): Float32Array {
  const values = new Float32Array(count * matrix.columns);
  for (let i = 0; i < count; i++)
    values.set(rowOf(matrix, Math.floor(random() * matrix.rows)), i * matrix.columns);
  return values;
}
