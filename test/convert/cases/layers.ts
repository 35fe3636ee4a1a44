import * as tf from '@tensorflow/tfjs-core';
import type { Case } from '../support/differential.ts';

type Images = tf.Tensor4D;
const IMAGES = [2, 7, 6, 3];

const MATRIX: Case[] = [
  ...[false, true].flatMap((ta) =>
    [false, true].map(
      (tb): Case => ({
        name: `matMul${ta ? ' a^T' : ''}${tb ? ' b^T' : ''}`,
        shapes: [ta ? [4, 3] : [3, 4], tb ? [5, 4] : [4, 5]],
        fn: (a, b) => tf.matMul(a, b, ta, tb),
      }),
    ),
  ),
  {
    name: 'matMul of batches',
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    fn: (a, b) => tf.matMul(a, b),
  },
  ...(['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const).map(
    (activation): Case => ({
      name: `fused matMul, ${activation}`,
      shapes: [[3, 4], [4, 5], [5]],
      fn: (a, b, bias) => tf.fused.matMul({ a, b, bias, activation, leakyreluAlpha: 0.1 }),
    }),
  ),
];

/** Channels in whole blocks of 8 or of 16, which are convolved in onnxruntime's own layout. */
const BLOCKED: Case[] = [
  conv('blocks of channels', [2, 5, 6, 16], [3, 3, 16, 32]),
  conv('few channels in, blocks out', [2, 5, 6, 3], [3, 3, 3, 16]),
  conv('half a block in', [2, 5, 6, 8], [3, 3, 8, 16]),
  conv('a block and a half in', [2, 5, 6, 24], [3, 3, 24, 16]),
  {
    name: 'conv2d, blocks of channels, stride 2, 2x3',
    shapes: [
      [2, 6, 7, 16],
      [2, 3, 16, 16],
    ],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 2, 'same'),
    range: [-1, 1],
  },
  {
    name: 'conv2d, blocks of channels, dilated',
    shapes: [
      [2, 6, 7, 16],
      [3, 2, 16, 16],
    ],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 1, 'same', 'NHWC', 2),
    range: [-1, 1],
    gradient: 'none',
  },
  {
    name: 'conv2d, blocks of channels, bias, relu, twice',
    shapes: [[2, 5, 6, 16], [3, 3, 16, 16], [16]],
    fn: (x, w, b) => {
      const layer = (of: tf.Tensor) => tf.relu(tf.add(tf.conv2d(of as Images, w as Images, 1, 'same'), b));
      return tf.tidy(() => layer(layer(x)));
    },
    range: [-1, 1],
  },
  {
    name: 'conv2d, blocks of channels, used before and after its relu',
    shapes: [
      [2, 5, 6, 16],
      [3, 3, 16, 16],
    ],
    fn: (x, w) =>
      tf.tidy(() => {
        const y = tf.conv2d(x as Images, w as Images, 1, 'same');
        return tf.mul(tf.relu(y), tf.sigmoid(y));
      }),
    range: [-1, 1],
  },
  {
    name: 'conv2dTranspose, blocks of channels',
    shapes: [
      [2, 4, 5, 16],
      [3, 3, 32, 16],
    ],
    fn: (x, w) => tf.conv2dTranspose(x as Images, w as Images, [2, 4, 5, 32], 1, 'same'),
    range: [-1, 1],
  },
];

const CONVOLUTION: Case[] = [
  ...[1, 2, 3].flatMap((stride) =>
    (['same', 'valid'] as const).flatMap((pad) =>
      [1, 2, 3, 5].map(
        (size): Case => ({
          name: `conv2d ${size}x${size}, stride ${stride}, ${pad}`,
          shapes: [IMAGES, [size, size, 3, 4]],
          fn: (x, w) => tf.conv2d(x as Images, w as Images, stride, pad),
          range: [-1, 1],
        }),
      ),
    ),
  ),
  conv('many channels in, few out', [2, 5, 5, 17], [3, 3, 17, 2]),
  conv('few channels in, many out', [2, 5, 5, 2], [3, 3, 2, 17]),
  conv('one channel', [2, 8, 8, 1], [3, 3, 1, 4]),
  conv('above the limit of a single product', [2, 5, 5, 9], [3, 3, 9, 12]),
  ...BLOCKED,
  {
    name: 'conv2d, padding 1',
    shapes: [IMAGES, [3, 3, 3, 4]],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 1, 1),
    range: [-1, 1],
  },
  {
    name: 'conv2d, padding wider than the filter',
    shapes: [IMAGES, [2, 2, 3, 4]],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 1, 3),
    range: [-1, 1],
  },
  {
    name: 'conv2d of zeros, and one without consequences',
    shapes: [IMAGES, [3, 3, 3, 4]],
    fn: (x, w) => {
      const given = tf.conv2d(x as Images, w as Images, 1, 'same');
      const nothing = tf.conv2d(tf.zeros([2, 7, 6, 3]) as Images, w as Images, 1, 'same');
      return tf.add(tf.add(given, nothing), tf.mul(given, tf.zeros([4])));
    },
    range: [-1, 1],
  },
  {
    name: 'conv2d, dilated',
    shapes: [IMAGES, [3, 3, 3, 4]],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 1, 'same', 'NHWC', 2),
    gradient: 'none',
  },
  ...(['linear', 'relu', 'elu', 'sigmoid'] as const).map(
    (activation): Case => ({
      name: `fused conv2d, ${activation}`,
      shapes: [IMAGES, [3, 3, 3, 4], [4]],
      fn: (x, filter, bias) =>
        tf.fused.conv2d({
          x: x as Images,
          filter: filter as Images,
          strides: 1,
          pad: 'same',
          bias,
          activation,
        }),
      range: [-1, 1],
    }),
  ),
  {
    name: 'conv2d, bias, relu',
    shapes: [IMAGES, [3, 3, 3, 4], [4]],
    fn: (x, w, b) => tf.relu(tf.add(tf.conv2d(x as Images, w as Images, 1, 'same'), b)),
    range: [-1, 1],
  },
  {
    name: 'conv2d whose result is used before and after its bias',
    shapes: [IMAGES, [3, 3, 3, 4], [4]],
    fn: (x, w, b) => {
      const y = tf.conv2d(x as Images, w as Images, 1, 'same');
      return tf.mul(tf.add(y, b), tf.sigmoid(y));
    },
    range: [-1, 1],
  },
  {
    name: 'the same conv2d twice, with two biases',
    shapes: [IMAGES, [3, 3, 3, 4], [4], [4]],
    fn: (x, w, b, c) => {
      const y = () => tf.conv2d(x as Images, w as Images, 1, 'same');
      return tf.mul(tf.add(y(), b), tf.add(c, y()));
    },
    range: [-1, 1],
  },
  ...[1, 2].flatMap((stride) =>
    (['same', 'valid'] as const).map((pad): Case => {
      const grown: [number, number] =
        pad === 'same' ? [4 * stride, 3 * stride] : [4 * stride + 1, 3 * stride + 1];
      const out: [number, number, number, number] = [
        2,
        ...(stride === 1 && pad === 'valid' ? ([6, 5] as const) : grown),
        5,
      ];
      return {
        name: `conv2dTranspose, stride ${stride}, ${pad}`,
        shapes: [
          [2, 4, 3, 3],
          [3, 3, 5, 3],
        ],
        fn: (x, w) => tf.conv2dTranspose(x as Images, w as Images, out, stride, pad),
        range: [-1, 1],
      };
    }),
  ),
  {
    name: 'conv2dTranspose and bias',
    shapes: [[2, 4, 3, 3], [3, 3, 5, 3], [5]],
    fn: (x, w, b) => tf.add(tf.conv2dTranspose(x as Images, w as Images, [2, 8, 5, 5], 2, 'same'), b),
    range: [-1, 1],
  },
  ...[1, 2].flatMap((stride) =>
    (['same', 'valid'] as const).map(
      (pad): Case => ({
        name: `depthwiseConv2d, stride ${stride}, ${pad}`,
        shapes: [IMAGES, [3, 3, 3, 2]],
        fn: (x, w) => tf.depthwiseConv2d(x as Images, w as Images, stride, pad),
        range: [-1, 1],
      }),
    ),
  ),
];

const vector = [3];
const NORMALISATION: Case[] = [
  {
    name: 'batchNorm',
    shapes: [IMAGES, vector, vector, vector, vector],
    fn: (x, mean, variance, offset, scale) =>
      tf.batchNorm(
        x,
        mean as tf.Tensor1D,
        variance as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-3,
      ),
    range: [0.2, 2],
  },
  {
    name: 'batchNorm of rows, without scale and offset',
    shapes: [[5, 3], vector, vector],
    fn: (x, mean, variance) => tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D),
    range: [0.2, 2],
    gradient: 'none', // TensorFlow.js fails to save the scale that is not there
  },
];

const LOSSES: Case[] = [
  {
    name: 'structural similarity',
    shapes: [
      [2, 12, 12, 2],
      [2, 12, 12, 2],
    ],
    fn: structuralSimilarity,
    range: [0, 1],
  },
  { name: 'mean squared error', shapes: [IMAGES, IMAGES], fn: (y, p) => tf.losses.meanSquaredError(y, p) },
  { name: 'huber loss', shapes: [IMAGES, IMAGES], fn: (y, p) => tf.losses.huberLoss(y, p) },
  {
    name: 'binary cross-entropy',
    shapes: [IMAGES, IMAGES],
    fn: (y, p) => tf.losses.sigmoidCrossEntropy(tf.sigmoid(y), p),
  },
];

export const LAYER_CASES: Case[] = [...MATRIX, ...CONVOLUTION, ...NORMALISATION, ...LOSSES];

function conv(name: string, images: number[], filter: number[]): Case {
  const fn = (x: tf.Tensor, w: tf.Tensor) => tf.conv2d(x as Images, w as Images, 1, 'same');
  return { name: `conv2d, ${name}`, shapes: [images, filter], fn, range: [-1, 1] };
}

/** SSIM over 5x5 windows: many kernels in one graph. */
function structuralSimilarity(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const mean = (x: tf.Tensor) => tf.avgPool(x as Images, 5, 1, 'valid');
  const [ma, mb] = [mean(a), mean(b)];
  const covariance = (x: tf.Tensor, y: tf.Tensor, mx: tf.Tensor, my: tf.Tensor) =>
    tf.sub(mean(tf.mul(x, y)), tf.mul(mx, my));
  const luminance = tf.add(tf.mul(tf.mul(ma, mb), 2), 1e-4);
  const contrast = tf.add(tf.mul(covariance(a, b, ma, mb), 2), 9e-4);
  const means = tf.add(tf.add(tf.square(ma), tf.square(mb)), 1e-4);
  const variances = tf.add(tf.add(covariance(a, a, ma, ma), covariance(b, b, mb, mb)), 9e-4);
  return tf.mean(tf.div(tf.mul(luminance, contrast), tf.mul(means, variances)));
}
