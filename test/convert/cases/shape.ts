import * as tf from '@tensorflow/tfjs-core';
import type { Case } from '../support/differential.ts';

const IMAGES = [2, 5, 4, 3];
const REDUCE = { sum: tf.sum, mean: tf.mean, max: tf.max, min: tf.min };
const AXES: Array<[number | number[] | undefined, boolean]> = [
  [undefined, false],
  [-1, false],
  [[1, 2], false],
  [[0, 1, 2], true],
  [0, false],
  [3, true],
];
const float = (x: tf.Tensor) => tf.cast(x, 'float32');
const indices = (values: number[]) => tf.tensor1d(values, 'int32');
/** Data that is not known on the host, so that batching kernels are recorded too. */
const computed = (x: tf.Tensor) => tf.mul(x, 2);
/** A value that exists in NCHW only: what a convolution leaves behind. */
const pooled = (x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, 1, 1, 'valid');

export const SHAPE_CASES: Case[] = [
  ...Object.entries(REDUCE).flatMap(([name, fold]) =>
    AXES.flatMap(([axis, keep]): Case[] => [
      {
        name: `${name} over ${axis}${keep ? ', kept' : ''}`,
        shapes: [IMAGES],
        fn: (x) => fold(x, axis, keep),
      },
      {
        name: `${name} over ${axis}${keep ? ', kept' : ''}, after pooling`,
        shapes: [IMAGES],
        fn: (x) => fold(pooled(x), axis, keep),
      },
    ]),
  ),
  ...Object.entries(REDUCE).flatMap(([name, fold]): Case[] => [
    {
      name: `${name} over the channels of large images`,
      shapes: [[2, 24, 25, 8]],
      fn: (x) => fold(pooled(x), 3),
    },
    {
      name: `${name} over axes between large others, kept`,
      shapes: [[3, 4, 24, 60]],
      fn: (x) => fold(x, [1, 2], true),
    },
    {
      name: `${name} over an axis of one element`,
      shapes: [[2, 1, 5000]],
      fn: (x) => fold(x, 1),
    },
  ]),
  {
    name: 'sum of large int32',
    shapes: [[2, 4, 1100]],
    fn: (x) => float(tf.sum(x, 1)),
    range: [-9, 9],
    integers: true,
    gradient: 'none',
  },
  {
    name: 'mean of int32',
    shapes: [[4, 5]],
    fn: (x) => tf.mean(x, 1),
    range: [-9, 9],
    integers: true,
    gradient: 'none',
  },
  { name: 'sum of bool', shapes: [[4, 5]], fn: (x) => float(tf.sum(tf.greater(x, 0), 1)), gradient: 'none' },
  { name: 'prod', shapes: [[3, 4]], fn: (x) => tf.prod(x, 1), gradient: 'none' },
  { name: 'sum of a broadcast', shapes: [[1, 3]], fn: (x) => tf.sum(tf.broadcastTo(x, [4, 3]), 0) },
  { name: 'argMax', shapes: [[3, 4]], fn: (x) => float(tf.argMax(x, 1)), gradient: 'none' },
  { name: 'argMin', shapes: [[3, 4]], fn: (x) => float(tf.argMin(x, 0)), gradient: 'none' },
  { name: 'all', shapes: [[6, 3]], fn: (x) => float(tf.all(tf.greater(x, -1), 1)), gradient: 'none' },
  { name: 'any', shapes: [[6, 3]], fn: (x) => float(tf.any(tf.greater(x, 1), 1, true)), gradient: 'none' },
  { name: 'softmax', shapes: [IMAGES], fn: (x) => tf.softmax(x) },
  { name: 'softmax after pooling', shapes: [IMAGES], fn: (x) => tf.softmax(pooled(x)) },
  { name: 'logSoftmax', shapes: [[3, 5]], fn: (x) => tf.logSoftmax(x) },
  { name: 'cumsum', shapes: [[3, 4]], fn: (x) => tf.cumsum(x, 1) },
  {
    name: 'cumsum, exclusive, reversed',
    shapes: [[3, 4]],
    fn: (x) => tf.cumsum(x, 0, true, true),
    gradient: 'none',
  },
  {
    name: 'moments',
    shapes: [IMAGES],
    fn: (x) => {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      return tf.add(mean, variance);
    },
  },
  { name: 'logSumExp', shapes: [IMAGES], fn: (x) => tf.logSumExp(x, 3) },
  { name: 'reshape', shapes: [IMAGES], fn: (x) => tf.reshape(computed(x), [2, 20, 3]) },
  { name: 'reshape after pooling', shapes: [IMAGES], fn: (x) => tf.reshape(pooled(x), [2, -1]) },
  {
    name: 'expandDims and squeeze',
    shapes: [IMAGES],
    fn: (x) => tf.squeeze(tf.expandDims(computed(x), 2), [2]),
  },
  { name: 'transpose to NCHW', shapes: [IMAGES], fn: (x) => tf.transpose(x, [0, 3, 1, 2]) },
  { name: 'transpose from NCHW', shapes: [IMAGES], fn: (x) => tf.relu(tf.transpose(x, [0, 2, 3, 1])) },
  { name: 'transpose after pooling', shapes: [IMAGES], fn: (x) => tf.transpose(pooled(x), [2, 1, 3, 0]) },
  { name: 'transpose of ones', shapes: [[3, 2]], fn: (x) => tf.mul(x, tf.transpose(tf.ones([2, 3]))) },
  { name: 'slice', shapes: [IMAGES], fn: (x) => tf.slice(computed(x), [0, 1, 2, 0], [2, 3, 2, 2]) },
  {
    name: 'slice after pooling',
    shapes: [IMAGES],
    fn: (x) => tf.slice(pooled(x), [1, 1, 0, 1], [1, 2, -1, 2]),
  },
  { name: 'whole slice', shapes: [IMAGES], fn: (x) => tf.slice(computed(x), 0) },
  {
    name: 'stridedSlice, backwards',
    shapes: [IMAGES],
    fn: (x) => tf.stridedSlice(x, [0, 4, 0, 0], [2, 0, 4, 3], [1, -2, 2, 1]),
    gradient: 'none',
  },
  {
    name: 'stridedSlice, whole axis backwards',
    shapes: [[6]],
    fn: (x) => tf.stridedSlice(x, [5], [-7], [-1]),
    gradient: 'none',
  },
  {
    name: 'stridedSlice, shrinking',
    shapes: [IMAGES],
    fn: (x) => tf.stridedSlice(x, [1, 0, 0, 0], [2, 5, 3, 3], [1, 1, 1, 1], 0, 0, 0, 0, 1),
    gradient: 'none',
  },
  { name: 'concat of channels', shapes: [IMAGES, [2, 5, 4, 2]], fn: (a, b) => tf.concat([a, b], -1) },
  {
    name: 'concat after pooling',
    shapes: [IMAGES, [2, 5, 4, 2]],
    fn: (a, b) => tf.concat([pooled(a), b], 3),
  },
  { name: 'concat of rows', shapes: [IMAGES, IMAGES], fn: (a, b) => tf.concat([a, pooled(b)], 1) },
  {
    name: 'stack',
    shapes: [
      [2, 3],
      [2, 3],
    ],
    fn: (a, b) => tf.stack([a, b], 1),
  },
  {
    name: 'unstack',
    shapes: [[2, 3]],
    fn: (x) => {
      const [a, b, c] = tf.unstack(x, 1);
      return tf.add(tf.mul(a!, b!), c!);
    },
  },
  {
    name: 'split',
    shapes: [IMAGES],
    fn: (x) => {
      const [a, b] = tf.split(pooled(x), [1, 3], 2);
      return tf.concat([b!, a!], 2);
    },
  },
  { name: 'tile', shapes: [[2, 3]], fn: (x) => tf.tile(x, [2, 3]) },
  { name: 'tile of a single row', shapes: [[2, 1, 3]], fn: (x) => tf.tile(x, [1, 4, 1]) },
  { name: 'broadcastTo', shapes: [[1, 3]], fn: (x) => tf.broadcastTo(x, [4, 3]) },
  {
    name: 'pad',
    shapes: [IMAGES],
    fn: (x) =>
      tf.pad(
        x,
        [
          [0, 0],
          [1, 2],
          [0, 3],
          [0, 0],
        ],
        0.5,
      ),
  },
  {
    name: 'pad after pooling',
    shapes: [IMAGES],
    fn: (x) =>
      tf.pad(pooled(x), [
        [0, 0],
        [1, 2],
        [0, 3],
        [1, 0],
      ]),
  },
  {
    name: 'mirrorPad reflect',
    shapes: [IMAGES],
    fn: (x) =>
      tf.mirrorPad(
        pooled(x),
        [
          [0, 0],
          [1, 2],
          [2, 2],
          [0, 0],
        ],
        'reflect',
      ),
    gradient: 'none',
  },
  {
    name: 'mirrorPad reflect of three axes, up to all but one of their elements',
    shapes: [[3, 4, 5]],
    fn: (x) =>
      tf.mirrorPad(
        computed(x),
        [
          [2, 1],
          [0, 3],
          [4, 0],
        ],
        'reflect',
      ),
    gradient: 'none',
  },
  { name: 'reverse', shapes: [IMAGES], fn: (x) => tf.reverse(pooled(x), [1, 3]) },
  { name: 'gather', shapes: [[5, 4]], fn: (x) => tf.gather(computed(x), indices([0, 3, 3])) },
  { name: 'gather columns', shapes: [[5, 4]], fn: (x) => tf.gather(computed(x), indices([2, 0]), 1) },
  {
    name: 'unsortedSegmentSum drops negative ids',
    shapes: [[4, 3]],
    fn: (x) => tf.unsortedSegmentSum(x, indices([1, -1, 0, 1]), 3),
    gradient: 'none',
  },
  { name: 'topk values', shapes: [[3, 6]], fn: (x) => tf.topk(x, 2).values, gradient: 'none' },
  { name: 'topk indices', shapes: [[3, 6]], fn: (x) => float(tf.topk(x, 2).indices), gradient: 'none' },
  {
    name: 'oneHot, with indices out of range',
    shapes: [[8]],
    fn: (x) => float(tf.oneHot(tf.cast(tf.floor(tf.mul(x, 2)), 'int32'), 3, 5, 0.5)),
    gradient: 'none',
  },
];
