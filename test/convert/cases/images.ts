import * as tf from '@tensorflow/tfjs-core';
import type { Case } from '../support/differential.ts';

type Images = tf.Tensor4D;
type Padding = 'same' | 'valid';
const IMAGES = [2, 7, 6, 3];

const POOLS: Array<[number, number, Padding]> = [
  [2, 2, 'valid'],
  [2, 2, 'same'],
  [3, 2, 'same'],
  [3, 1, 'valid'],
  [3, 1, 'same'],
  [2, 3, 'same'],
];

const POOLING: Case[] = [
  ...POOLS.flatMap(([size, stride, pad]): Case[] => {
    const name = `${size}x${size}, stride ${stride}, ${pad}`;
    return [
      { name: `maxPool ${name}`, shapes: [IMAGES], fn: (x) => tf.maxPool(x as Images, size, stride, pad) },
      // tfjs-backend-cpu divides by the whole window at a padded border, hence its gradient is no reference.
      {
        name: `avgPool ${name}`,
        shapes: [IMAGES],
        fn: (x) => tf.avgPool(x as Images, size, stride, pad),
        gradient: 'linear',
      },
    ];
  }),
  {
    name: 'maxPool with ties',
    shapes: [[2, 6, 6, 2]],
    fn: (x) => tf.maxPool(tf.relu(x) as Images, 2, 2, 'same'),
  },
];

type Paddings = [[number, number], [number, number], [number, number], [number, number]];
const BORDER: Paddings = [
  [0, 0],
  [1, 2],
  [2, 1],
  [0, 0],
];

/** What follows a border of zeros around something negative, where -infinity or nothing would give another result. */
const BORDERS: Case[] = [
  ...([2, 3] as const).flatMap((size) =>
    (['same', 'valid'] as const).flatMap((pad): Case[] => [
      bordered(`maxPool ${size}x${size}, ${pad}`, (x) => tf.maxPool(x, size, 1, pad)),
      {
        ...bordered(`avgPool ${size}x${size}, ${pad}`, (x) => tf.avgPool(x, size, 1, pad)),
        gradient: 'none',
      },
    ]),
  ),
  ...(['same', 'valid'] as const).flatMap((pad): Case[] => [
    bordered(`conv2d, ${pad}`, (x, w) => tf.conv2d(x, w, 2, pad)),
    bordered(`depthwiseConv2d, ${pad}`, (x, w) => tf.depthwiseConv2d(x, w, 1, pad)),
    bordered(`fused conv2d, ${pad}`, (x, filter) =>
      tf.fused.conv2d({ x, filter, strides: 1, pad, activation: 'elu' }),
    ),
  ]),
  bordered('another border and conv2d', (x, w) => tf.conv2d(tf.pad(x, BORDER), w, 1, 'same')),
  bordered('conv2d, itself and a view of it', (x, w) =>
    tf.add(tf.conv2d(x, w, 1, 'same'), tf.reshape(tf.reshape(x, [2, -1]), x.shape)),
  ),
];

const RESIZES: Array<[[number, number], boolean, boolean]> = [
  [[14, 12], false, false],
  [[31, 12], false, false], // 7 * fround(31 / 7) < 31
  [[14, 12], true, false],
  [[14, 12], false, true],
  [[21, 6], false, true],
  [[5, 4], false, false],
  [[9, 7], false, true],
  [[3, 11], true, false],
  [[1, 1], true, false],
];

const RESIZING: Case[] = (['resizeNearestNeighbor', 'resizeBilinear'] as const).flatMap((name) =>
  RESIZES.map(
    ([size, alignCorners, halfPixels]): Case => ({
      name: `${name} to ${size}${alignCorners ? ', corners aligned' : ''}${halfPixels ? ', half pixels' : ''}`,
      shapes: [IMAGES],
      fn: (x) => tf.image[name](x as Images, size, alignCorners, halfPixels),
      gradient: 'linear', // tfjs-backend-cpu: nearest is wrong for batch > 1, bilinear ignores half pixels
    }),
  ),
);

/** The factor 7 / 11 rounds down: 11 times as much is a little less than 7, and onnxruntime rounds down again. */
const RESIZED_AND_JOINED: Case = {
  name: 'resizeBilinear to fewer columns, added to what is as large',
  shapes: [[2, 9, 11, 3]],
  fn: (x) => {
    const smooth = tf.image.resizeBilinear(x as Images, [13, 7], false, true);
    return tf.add(smooth, tf.image.resizeNearestNeighbor(x as Images, [13, 7], false, true));
  },
  gradient: 'linear',
};

export const IMAGE_CASES: Case[] = [...POOLING, ...BORDERS, ...RESIZING, RESIZED_AND_JOINED];

/**
 * `after` on the negative result of a convolution (so that it lies in NCHW), with zeros around it. Tidied, as a model
 * does: a tensor that somebody may still read is an output of the graph, and outputs are not optimized away.
 */
function bordered(name: string, after: (x: Images, w: Images) => tf.Tensor): Case {
  const fn = (x: tf.Tensor, w: tf.Tensor) =>
    tf.tidy(() => {
      const negative = tf.neg(tf.conv2d(x as Images, w as Images, 1, 'same')) as Images;
      return after(tf.pad(negative, BORDER), w as Images);
    });
  return { name: `a border of zeros and ${name}`, shapes: [IMAGES, [3, 3, 3, 3]], fn, range: [0.1, 1] };
}
