/** Differences between images and their reconstructions: one function for what training minimises and what scores. */
import * as tf from '@tensorflow/tfjs-core';
import type { Residual } from '../../config/residual.ts';
import type { Images, MakeResidual } from '../models/autoencoder.ts';
import { gradientDifference } from './gradient.ts';
import { perceptualDifference, type Taps } from './perceptual.ts';
import { structuralDissimilarity } from './ssim.ts';

/** As Keras' `binary_crossentropy`: keeps both logarithms finite. */
const EPSILON = 1e-7;

/**
 * The residual called `kind`, as config/residual.ts describes it. Frames are compared one by one.
 * @throws Error when `kind` is `perceptual` and there are no taps.
 */
export const makeResidual: MakeResidual = (kind, taps) => {
  const residual = RESIDUALS[kind](taps);
  return (x, y) => tf.tidy(() => ofFrames(residual, x, y));
};

type OfStills = (x: tf.Tensor4D, y: tf.Tensor4D) => tf.Tensor4D;

const RESIDUALS: Readonly<Record<Residual, (taps: Taps | null) => OfStills>> = {
  squared: () => (x, y) => tf.square(tf.sub(y, x)),
  absolute: () => (x, y) => tf.abs(tf.sub(y, x)),
  'cross-entropy': () => crossEntropy,
  ssim: () => structuralDissimilarity,
  gradient: () => gradientDifference,
  perceptual: (taps) => {
    if (taps === null) throw new Error('the residual "perceptual" needs the taps of an encoder');
    return (x, y) => perceptualDifference(taps, x, y);
  },
};

/** `x` are the probabilities wanted, `y` those given. */
function crossEntropy(x: tf.Tensor4D, y: tf.Tensor4D): tf.Tensor4D {
  const p = tf.clipByValue(y, EPSILON, 1 - EPSILON);
  const wanted = tf.mul(x, tf.log(p));
  const unwanted = tf.mul(tf.sub(1, x), tf.log(tf.sub(1, p)));
  return tf.neg(tf.add(wanted, unwanted));
}

function ofFrames(residual: OfStills, x: Images, y: Images): tf.Tensor {
  if (x.rank === 4) return residual(x as tf.Tensor4D, y as tf.Tensor4D);
  const [count, frames, ...size] = x.shape as [number, number, number, number, number];
  const still = (images: Images) => tf.reshape(images, [count * frames, ...size]) as tf.Tensor4D;
  const result = residual(still(x), still(y));
  return tf.reshape(result, [count, frames, ...result.shape.slice(1)]);
}

/** Score of each image: the mean of its residual, float32 `[N]`. */
export function meanOfEach(residual: tf.Tensor): tf.Tensor1D {
  const axes = residual.shape.map((_, axis) => axis).slice(1);
  return tf.mean(residual, axes);
}
