import * as tf from '@tensorflow/tfjs-core';
import type { GradientCase } from '../support/finite_differences.ts';

const BATCH = [2, 3, 4];
type Range = readonly [low: number, high: number];
const USUAL: Range = [-2, 2];
const float = (x: tf.Tensor) => tf.cast(x, 'float32');

/** From inputs between -2 and 2: numbers whose quotients stay away from whole ones. */
const between = (x: tf.Tensor, low: number, high: number) =>
  tf.add(tf.mul(x, (high - low) / 4), (low + high) / 2);

/** The range keeps each input more than two steps from a kink. */
const UNARY: Record<string, [(x: tf.Tensor) => tf.Tensor, Range?]> = {
  abs: [tf.abs],
  acos: [tf.acos, [-0.8, 0.8]],
  acosh: [tf.acosh, [1.3, 4]],
  asin: [tf.asin, [-0.8, 0.8]],
  asinh: [tf.asinh],
  atan: [tf.atan],
  atanh: [tf.atanh, [-0.8, 0.8]],
  cast: [(x) => tf.cast(x, 'float32')],
  'cast to int32': [(x) => float(tf.cast(x, 'int32')), [0.1, 2.9]],
  ceil: [tf.ceil],
  clipByValue: [(x) => tf.clipByValue(x, -1.02, 0.52)],
  cos: [tf.cos],
  cosh: [tf.cosh],
  elu: [tf.elu],
  erf: [tf.erf],
  exp: [tf.exp],
  expandDims: [(x) => tf.expandDims(x, 1)],
  expm1: [tf.expm1],
  floor: [tf.floor],
  identity: [tf.clone],
  isFinite: [(x) => float(tf.isFinite(x))],
  isInf: [(x) => float(tf.isInf(x))],
  isNaN: [(x) => float(tf.isNaN(x))],
  leakyRelu: [(x) => tf.leakyRelu(x, 0.1)],
  log: [tf.log, [0.3, 4]],
  log1p: [tf.log1p, [-0.5, 3]],
  logSoftmax: [(x) => tf.logSoftmax(x)],
  neg: [tf.neg],
  onesLike: [(x) => tf.mul(tf.onesLike(x), x)],
  reciprocal: [tf.reciprocal, [0.3, 4]],
  relu: [tf.relu],
  relu6: [tf.relu6, [-2.1, 8.1]],
  round: [tf.round],
  rsqrt: [tf.rsqrt, [0.3, 4]],
  selu: [tf.selu],
  sigmoid: [tf.sigmoid],
  sign: [tf.sign],
  sin: [tf.sin],
  sinh: [tf.sinh],
  softmax: [(x) => tf.softmax(x)],
  softplus: [tf.softplus],
  sqrt: [tf.sqrt, [0.3, 4]],
  square: [tf.square],
  step: [(x) => tf.step(x, 0.2)],
  tan: [tf.tan, [-1.1, 1.1]],
  tanh: [tf.tanh],
  zerosLike: [(x) => tf.add(tf.zerosLike(x), x)],
};

const BINARY: Record<string, [(a: tf.Tensor, b: tf.Tensor) => tf.Tensor, Range?]> = {
  add: [tf.add],
  atan2: [tf.atan2, [0.3, 4]],
  floorDiv: [(a, b) => tf.floorDiv(between(a, 4, 5), between(b, 2.6, 3.6))],
  greaterEqual: [(a, b) => float(tf.greaterEqual(a, b))],
  maximum: [tf.maximum],
  minimum: [tf.minimum],
  mod: [(a, b) => tf.mod(between(a, 4, 5), between(b, 2.6, 3.6))],
  multiply: [tf.mul],
  pow: [tf.pow, [0.3, 2.7]],
  prelu: [tf.prelu],
  realDiv: [tf.div, [0.3, 4]],
  squaredDifference: [tf.squaredDifference],
  sub: [tf.sub],
};

/** Gradients element by element, and those that broadcast. */
export const ELEMENTWISE_GRADIENTS: GradientCase[] = [
  ...Object.entries(UNARY).map(([name, [fn, range = USUAL]]): GradientCase => {
    return { name, shapes: [range[1] - range[0] < 2 ? [2, 3, 2] : BATCH], fn, range };
  }),
  ...Object.entries(BINARY).flatMap(([name, [fn, range = USUAL]]): GradientCase[] => [
    { name, shapes: [BATCH, BATCH], fn, range },
    { name: `${name}, a vector to each`, shapes: [BATCH, [4]], fn, range },
    {
      name: `${name}, to a batch of columns`,
      shapes: [
        [2, 1, 4],
        [2, 3, 1],
      ],
      fn,
      range,
    },
  ]),
  { name: 'addN', shapes: [BATCH, BATCH, BATCH], fn: (...xs) => tf.addN(xs) },
  {
    name: 'select',
    shapes: [BATCH, BATCH],
    fn: (a, b) => tf.where(tf.tensor([true, false, true, false]), tf.square(a), tf.exp(b)),
  },
];
