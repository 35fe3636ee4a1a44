/** The variational bottleneck (Kingma and Welling 2014), of standard layers only. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Random } from '../random.ts';
import { glorot } from './blocks.ts';

/** Keeps the logarithm finite. */
const SMALLEST_DEVIATION = 1e-6;

export interface VariationalBottleneck {
  /** Input of the model, `[N, latent]`: normal noise in training, zeros for the mean of the posterior. */
  readonly noise: tfl.SymbolicTensor;
  /** `[N, latent]`: mean + deviation * noise. */
  readonly code: tfl.SymbolicTensor;
  /** Output of the model, `[N, 2 * latent]`: mean and standard deviation of the posterior, for `divergence`. */
  readonly posterior: tfl.SymbolicTensor;
}

/** `features`: `[N, ...]`. The standard deviation is a softplus: no custom layer is needed, any tfjs loads the model. */
export function variational(
  features: tfl.SymbolicTensor,
  latent: number,
  random: Random,
): VariationalBottleneck {
  const flat = tfl.layers.flatten({ name: 'flatten' }).apply(features) as tfl.SymbolicTensor;
  const dense = (name: string, activation: 'linear' | 'softplus') =>
    tfl.layers
      .dense({ name, units: latent, activation, kernelInitializer: glorot(random) })
      .apply(flat) as tfl.SymbolicTensor;
  const mean = dense('mean', 'linear');
  const deviation = dense('deviation', 'softplus');
  const noise = tfl.input({ name: 'noise', shape: [latent] });
  const spread = tfl.layers.multiply({ name: 'spread' }).apply([deviation, noise]) as tfl.SymbolicTensor;
  const code = tfl.layers.add({ name: 'code' }).apply([mean, spread]) as tfl.SymbolicTensor;
  const posterior = tfl.layers
    .concatenate({ name: 'posterior' })
    .apply([mean, deviation]) as tfl.SymbolicTensor;
  return { noise, code, posterior };
}

/**
 * Kullback-Leibler divergence of the posterior from the standard normal, mean over the batch, for each of `values`
 * values of an image: with a loss that is a mean over those values, weight 1 gives the evidence lower bound.
 * `posterior` is `[N, 2 * latent]`, means and then standard deviations. Kingma and Welling 2014, appendix B.
 */
export function divergence(posterior: tf.Tensor, values: number): tf.Scalar {
  return tf.tidy(() => {
    const [mean, deviation] = tf.split(posterior, 2, 1) as [tf.Tensor, tf.Tensor];
    const variance = tf.square(deviation);
    const logarithm = tf.mul(2, tf.log(tf.maximum(deviation, SMALLEST_DEVIATION)));
    const each = tf.sub(tf.add(tf.square(mean), variance), tf.add(logarithm, 1));
    return tf.mul(tf.mean(tf.sum(each, 1)), 0.5 / values) as tf.Scalar;
  });
}

/** Standard normal numbers, float32 `[count, latent]` (Box and Muller 1958). */
export function normalNoise(count: number, latent: number, random: Random): tf.Tensor2D {
  const values = Float32Array.from({ length: count * latent }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return radius * Math.cos(2 * Math.PI * random());
  });
  return tf.tensor2d(values, [count, latent]);
}
