import * as tf from '@tensorflow/tfjs-core';
import type { Case } from '../support/differential.ts';

const IMAGES = [2, 5, 4, 3];

const UNARY = {
  smooth: {
    exp: tf.exp,
    neg: tf.neg,
    sin: tf.sin,
    cos: tf.cos,
    tanh: tf.tanh,
    sinh: tf.sinh,
    cosh: tf.cosh,
    sigmoid: tf.sigmoid,
    softplus: tf.softplus,
    square: tf.square,
    erf: tf.erf,
    expm1: tf.expm1,
    atan: tf.atan,
  },
  kinked: { abs: tf.abs, relu: tf.relu, relu6: tf.relu6, elu: tf.elu, selu: tf.selu },
  flat: {
    sign: tf.sign,
    step: (x: tf.Tensor) => tf.step(x),
    ceil: tf.ceil,
    floor: tf.floor,
    round: tf.round,
  },
  positive: { log: tf.log, sqrt: tf.sqrt, rsqrt: tf.rsqrt, log1p: tf.log1p, reciprocal: tf.reciprocal },
  within: { asin: tf.asin, acos: tf.acos, tan: tf.tan },
} satisfies Record<string, Record<string, (x: tf.Tensor) => tf.Tensor>>;

/** TensorFlow.js cannot differentiate these where shapes differ. */
const UNBROADCAST = new Set(['maximum', 'minimum', 'squaredDifference']);
const BINARY = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
  pow: tf.pow,
} satisfies Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>;
const COMPARE = {
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
  equal: tf.equal,
  notEqual: tf.notEqual,
} satisfies Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>;
const float = (x: tf.Tensor) => tf.cast(x, 'float32');

/** Values whose comparison with zero, rounding and NaN tests hit every branch. */
const corners = () =>
  tf.tensor1d([-2, -1.5, -0.5, -0, 0, 0.5, 1.5, 2.5, Number.NaN, Number.POSITIVE_INFINITY]);

export const ELEMENTWISE_CASES: Case[] = [
  ...Object.entries(UNARY.smooth).map(([name, fn]): Case => ({ name, shapes: [IMAGES], fn })),
  ...Object.entries(UNARY.kinked).map(([name, fn]): Case => ({ name, shapes: [IMAGES], fn })),
  ...Object.entries(UNARY.flat).map(([name, fn]): Case => ({ name, shapes: [IMAGES], fn, gradient: 'none' })),
  ...Object.entries(UNARY.positive).map(
    ([name, fn]): Case => ({ name, shapes: [IMAGES], fn, range: [0.1, 2] }),
  ),
  ...Object.entries(UNARY.within).map(
    ([name, fn]): Case => ({ name, shapes: [IMAGES], fn, range: [-0.9, 0.9] }),
  ),
  { name: 'expm1 near zero', shapes: [[40]], fn: tf.expm1, range: [-1e-6, 1e-6], gradient: 'none' },
  { name: 'log1p near zero', shapes: [[40]], fn: tf.log1p, range: [-1e-6, 1e-6], gradient: 'none' },
  { name: 'log1p below zero', shapes: [[40]], fn: tf.log1p, range: [-0.99, -0.4] },
  { name: 'expm1 far', shapes: [[40]], fn: tf.expm1, range: [-20, 20], gradient: 'none' },
  ...Object.entries({
    sigmoid: tf.sigmoid,
    softplus: tf.softplus,
    tanh: tf.tanh,
    elu: tf.elu,
    selu: tf.selu,
    erf: tf.erf,
  }).map(([name, fn]): Case => ({ name: `${name} far from zero`, shapes: [[60]], fn, range: [-80, 80] })),
  { name: 'pow of negative numbers', shapes: [IMAGES], fn: (x) => tf.pow(x, 3), gradient: 'none' },
  {
    name: 'pow of int32',
    shapes: [[40]],
    fn: (x) => float(tf.pow(x, tf.scalar(2, 'int32'))),
    range: [-9, 9],
    gradient: 'none',
    integers: true,
  },
  { name: 'step with alpha', shapes: [IMAGES], fn: (x) => tf.step(x, 0.2), gradient: 'none' },
  { name: 'leakyRelu', shapes: [IMAGES], fn: (x) => tf.leakyRelu(x, 0.1) },
  { name: 'clipByValue', shapes: [IMAGES], fn: (x) => tf.clipByValue(x, -0.5, 0.7) },
  {
    name: 'isNaN',
    shapes: [[10]],
    fn: (x) => float(tf.isNaN(tf.add(corners(), tf.mul(x, 0)))),
    gradient: 'none',
  },
  {
    name: 'isInf',
    shapes: [[10]],
    fn: (x) => float(tf.isInf(tf.add(corners(), tf.mul(x, 0)))),
    gradient: 'none',
  },
  {
    name: 'round corners',
    shapes: [[10]],
    fn: (x) => tf.round(tf.add(corners(), tf.mul(x, 0))),
    gradient: 'none',
  },
  {
    name: 'cast to int32',
    shapes: [IMAGES],
    fn: (x) => float(tf.cast(tf.mul(x, 3), 'int32')),
    gradient: 'none',
  },
  { name: 'cast to bool', shapes: [IMAGES], fn: (x) => float(tf.cast(tf.relu(x), 'bool')), gradient: 'none' },
  ...Object.entries(BINARY).flatMap(([name, fn]): Case[] => {
    const gradient = UNBROADCAST.has(name) ? 'none' : 'cpu';
    return [
      { name, shapes: [IMAGES, IMAGES], fn, range: [0.2, 2] },
      { name: `${name} with a vector`, shapes: [IMAGES, [3]], fn, range: [0.2, 2], gradient },
      { name: `${name} with columns`, shapes: [[4, 1], IMAGES], fn, range: [0.2, 2], gradient },
      { name: `${name} with a scalar`, shapes: [[], IMAGES], fn, range: [0.2, 2], gradient },
    ];
  }),
  ...Object.entries(COMPARE).flatMap(([name, compare]): Case[] => {
    const fn = (a: tf.Tensor, b: tf.Tensor) => float(compare(tf.round(a), tf.round(b)));
    return [
      { name, shapes: [IMAGES, [3]], fn, gradient: 'none' },
      {
        name: `${name} of int32`,
        shapes: [IMAGES, [3]],
        fn: (a, b) => float(compare(a, b)),
        gradient: 'none',
        integers: true,
      },
    ];
  }),
  {
    name: 'logical and, or, not',
    shapes: [IMAGES, IMAGES],
    fn: (a, b) => {
      const [p, q] = [tf.greater(a, 0), tf.less(b, 1)];
      return tf.add(float(tf.logicalNot(tf.logicalAnd(p, q))), tf.mul(float(tf.logicalOr(p, q)), 2));
    },
    gradient: 'none',
  },
  {
    name: 'where',
    shapes: [IMAGES, IMAGES],
    fn: (a, b) => tf.where(tf.reshape(chosen(120), IMAGES), a, tf.mul(b, 2)),
  },
  {
    name: 'where, broadcasting',
    shapes: [IMAGES, [3]],
    fn: (a, b) => tf.where(chosen(3), a, b),
    gradient: 'none',
  },
  { name: 'prelu', shapes: [IMAGES, [3]], fn: tf.prelu },
  { name: 'addN', shapes: [IMAGES, IMAGES], fn: (a, b) => tf.addN([a, b, a]) },
  {
    name: 'floorDiv of int32',
    shapes: [[60], [60]],
    fn: floorDivision,
    range: [-9, 9],
    gradient: 'none',
    integers: true,
  },
  {
    name: 'mod of int32',
    shapes: [[60], [60]],
    fn: remainder,
    range: [-9, 9],
    gradient: 'none',
    integers: true,
  },
  { name: 'floorDiv of float32', shapes: [[60], [60]], fn: floorDivision, range: [-9, 9], gradient: 'none' },
  { name: 'mod of float32', shapes: [[60], [60]], fn: remainder, range: [-9, 9], gradient: 'none' },
  {
    name: 'zerosLike, onesLike, fill',
    shapes: [IMAGES],
    fn: (x) => tf.add(tf.add(tf.mul(x, tf.fill(IMAGES, 3)), tf.onesLike(x)), tf.zerosLike(x)),
  },
  {
    name: 'multiplying by one, adding zero',
    shapes: [[4, 3]],
    fn: (x) =>
      tf.div(tf.sub(tf.add(tf.mul(x, tf.ones([2, 4, 3])), tf.zeros([3])), tf.scalar(0)), tf.scalar(1)),
  },
  {
    name: 'multiplying by zeros, from either side',
    shapes: [[4, 3], [3]],
    fn: (x, y) => tf.add(tf.add(tf.mul(x, tf.zeros([2, 4, 3])), tf.mul(tf.scalar(0), y)), tf.mul(x, y)),
  },
];

/** The divisor is kept away from zero, where TensorFlow.js' own integers are undefined. */
function floorDivision(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return float(tf.floorDiv(a, awayFromZero(b)));
}

function remainder(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return float(tf.mod(a, awayFromZero(b)));
}

function awayFromZero(b: tf.Tensor): tf.Tensor {
  return tf.where(tf.equal(tf.round(float(b)), 0), tf.onesLike(b), b);
}

function chosen(length: number): tf.Tensor {
  return tf.cast(tf.tensor1d(Array.from({ length }, (_, i) => (i * 7) % 3)), 'bool');
}
