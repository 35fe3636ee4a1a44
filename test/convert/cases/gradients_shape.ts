import * as tf from '@tensorflow/tfjs-core';
import type { GradientCase } from '../support/finite_differences.ts';

const BATCH = [2, 3, 4];

const AXES: Array<[string, number | number[] | undefined]> = [
  ['the batch', 0],
  ['the middle axis', 1],
  ['the last axis', 2],
  ['two axes', [0, 2]],
  ['all axes', undefined],
];

const REDUCTIONS: GradientCase[] = [
  ...Object.entries({ sum: tf.sum, mean: tf.mean, max: tf.max, min: tf.min, prod: tf.prod }).flatMap(
    ([name, fold]) =>
      AXES.flatMap(([over, axis]): GradientCase[] =>
        [false, true].map((keepDims) => ({
          name: `${name} over ${over}${keepDims ? ', kept' : ''}`,
          shapes: [BATCH],
          fn: (x) => fold(x, axis, keepDims),
          range: name === 'prod' ? [0.5, 1.9] : [-2, 2],
        })),
      ),
  ),
  ...[0, 1, 2].flatMap((axis) =>
    [false, true].flatMap((exclusive) =>
      [false, true].map(
        (reverse): GradientCase => ({
          name: `cumsum along ${axis}${exclusive ? ', exclusive' : ''}${reverse ? ', reversed' : ''}`,
          shapes: [BATCH],
          fn: (x) => tf.cumsum(x, axis, exclusive, reverse),
        }),
      ),
    ),
  ),
  { name: 'prod with a zero', shapes: [BATCH], fn: (x) => tf.prod(tf.mul(x, tf.tensor([1, 0, 1, 1])), 2) },
  ...Object.entries({ argMax: tf.argMax, argMin: tf.argMin }).map(
    ([name, fn]): GradientCase => ({ name, shapes: [BATCH], fn: (x) => tf.cast(fn(x, 1), 'float32') }),
  ),
];

/** Everything that moves elements: joins, cuts, repeats and reorders them. */
const MOVES: GradientCase[] = [
  ...[0, 1, 2].flatMap((axis): GradientCase[] => [
    { name: `concat along ${axis}`, shapes: [BATCH, BATCH, BATCH], fn: (...xs) => tf.concat(xs, axis) },
    { name: `stack along ${axis}`, shapes: [BATCH, BATCH], fn: (...xs) => tf.stack(xs, axis) },
    {
      name: `unstack along ${axis}`,
      shapes: [BATCH],
      fn: (x) => tf.addN(tf.unstack(x, axis).map((part, i) => tf.mul(tf.square(part), i + 1))),
    },
    { name: `reverse along ${axis}`, shapes: [BATCH], fn: (x) => tf.reverse(x, axis) },
    {
      name: `gather along ${axis}, one twice and one never`,
      shapes: [[3, 3, 4]],
      fn: (x) => tf.gather(x, tf.tensor1d([2, 0, 2], 'int32'), axis),
    },
    {
      name: `gather of a table along ${axis}`,
      shapes: [[3, 3, 4]],
      fn: (x) => {
        const places = tf.tensor2d([2, 0, 2, 1, 1, 1], [2, 3], 'int32');
        return tf.gather(x, places, axis);
      },
    },
  ]),
  {
    name: 'unstack of one',
    shapes: [[1, 2, 3]],
    fn: (x) => tf.square(tf.unstack(x, 0)[0]!),
  },
  {
    name: 'unstack of one along the last axis',
    shapes: [[2, 3, 1]],
    fn: (x) => tf.square(tf.unstack(x, 2)[0]!),
  },
  {
    name: 'gather within each of a batch',
    shapes: [[2, 4, 3]],
    fn: (x) => tf.gather(x, tf.tensor2d([3, 0, 1, 1], [2, 2], 'int32'), 1, 1),
  },
  {
    name: 'split, evenly and not',
    shapes: [[2, 3, 6]],
    fn: (x) => {
      const [a, b] = tf.split(x, 2, 2) as [tf.Tensor, tf.Tensor];
      const [c, d] = tf.split(x, [1, 5], 2) as [tf.Tensor, tf.Tensor];
      return tf.concat([tf.mul(a, b), tf.mul(c, d)], 2);
    },
  },
  { name: 'split of one', shapes: [BATCH], fn: (x) => tf.square(tf.split(x, [4], 2)[0]!) },
  { name: 'slice', shapes: [[3, 3, 4]], fn: (x) => tf.slice(x, [1, 0, 2], [2, 2, 2]) },
  {
    name: 'pad',
    shapes: [BATCH],
    fn: (x) =>
      tf.pad(
        x,
        [
          [0, 1],
          [2, 0],
          [1, 1],
        ],
        0.5,
      ),
  },
  ...(['reflect', 'symmetric'] as const).map(
    (mode): GradientCase => ({
      name: `mirrorPad, ${mode}`,
      shapes: [[2, 3, 4]],
      fn: (x) =>
        tf.mirrorPad(
          x,
          [
            [0, 0],
            [1, 2],
            [2, 1],
          ],
          mode,
        ),
    }),
  ),
  { name: 'tile', shapes: [BATCH], fn: (x) => tf.tile(x, [2, 1, 3]) },
  { name: 'broadcastTo', shapes: [[2, 1, 4]], fn: (x) => tf.broadcastTo(x, [2, 3, 4]) },
  { name: 'broadcastTo of more axes', shapes: [[3, 1]], fn: (x) => tf.broadcastTo(x, [2, 3, 4]) },
  { name: 'reshape', shapes: [BATCH], fn: (x) => tf.square(tf.reshape(x, [6, 4])) },
  { name: 'transpose', shapes: [BATCH], fn: (x) => tf.transpose(x, [2, 0, 1]) },
  {
    name: 'spaceToBatchND',
    shapes: [[2, 3, 4, 2]],
    fn: (x) =>
      tf.spaceToBatchND(
        x,
        [2, 2],
        [
          [1, 0],
          [0, 2],
        ],
      ),
  },
  {
    name: 'batchToSpaceND',
    shapes: [[8, 2, 2, 2]],
    fn: (x) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [1, 0],
          [0, 1],
        ],
      ),
  },
  {
    name: 'unsortedSegmentSum, one segment empty',
    shapes: [[5, 2, 3]],
    fn: (x) => tf.unsortedSegmentSum(x, tf.tensor1d([0, 2, 0, 3, 2], 'int32'), 4),
  },
  {
    name: 'oneHot',
    shapes: [BATCH],
    fn: (x) => tf.cast(tf.oneHot(tf.cast(x, 'int32'), 4), 'float32'),
    range: [0.1, 2.9],
  },
];

/** Gradients of reductions, and of what rearranges elements. */
export const SHAPE_GRADIENTS: GradientCase[] = [...REDUCTIONS, ...MOVES];
