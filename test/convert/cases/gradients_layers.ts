import * as tf from '@tensorflow/tfjs-core';
import type { GradientCase } from '../support/finite_differences.ts';

type Images = tf.Tensor4D;
type Volumes = tf.Tensor5D;
const PADDINGS = ['same', 'valid'] as const;
/** A wide range keeps the many inputs of one case apart, see SMALLEST_GAP. */
const WIDE = [-4, 4] as const;
const WIDEST = [-16, 16] as const;

/** Moves the six taps of a filter so that the sums of taps and pixels lie apart, as pixels alone do. */
const unlike = (filter: tf.Tensor) =>
  tf.add(filter, tf.reshape(tf.mul(tf.range(0, 6), 0.045), [2, 3, 1])) as tf.Tensor3D;

const MATRIX: GradientCase[] = [false, true].flatMap((ta) =>
  [false, true].flatMap((tb): GradientCase[] => [
    {
      name: `matMul${ta ? ' a^T' : ''}${tb ? ' b^T' : ''} of a batch`,
      shapes: [ta ? [2, 4, 3] : [2, 3, 4], tb ? [2, 2, 4] : [2, 4, 2]],
      fn: (a, b) => tf.matMul(a, b, ta, tb),
    },
    {
      name: `matMul${ta ? ' a^T' : ''}${tb ? ' b^T' : ''} of a batch and one`,
      shapes: [ta ? [2, 4, 3] : [2, 3, 4], tb ? [2, 4] : [4, 2]],
      fn: (a, b) => tf.matMul(a, b, ta, tb),
    },
  ]),
);

const CONVOLUTION: GradientCase[] = [
  ...PADDINGS.flatMap((pad) =>
    [1, 2].flatMap((stride): GradientCase[] => [
      {
        name: `conv2d 3x2, stride ${stride}, ${pad}`,
        shapes: [
          [2, 4, 5, 2],
          [3, 2, 2, 3],
        ],
        fn: (x, w) => tf.conv2d(x as Images, w as Images, stride, pad),
        range: WIDE,
      },
      {
        name: `depthwiseConv2d 3x2, stride ${stride}, ${pad}`,
        shapes: [
          [2, 4, 5, 2],
          [3, 2, 2, 2],
        ],
        fn: (x, w) => tf.depthwiseConv2d(x as Images, w as Images, stride, pad),
        range: WIDE,
      },
      {
        name: `conv2dTranspose 3x3, stride ${stride}, ${pad}`,
        shapes: [
          [2, 2, 3, 2],
          [3, 3, 2, 2],
        ],
        fn: (x, w) => {
          const [height, width] = [2, 3].map((n) => (pad === 'same' ? n * stride : (n - 1) * stride + 3));
          return tf.conv2dTranspose(x as Images, w as Images, [2, height!, width!, 2], stride, pad);
        },
      },
      {
        name: `conv3d 2x3x2, stride ${stride}, ${pad}`,
        shapes: [
          [2, 3, 3, 3, 2],
          [2, 3, 2, 2, 2],
        ],
        fn: (x, w) => tf.conv3d(x as Volumes, w as Volumes, stride, pad),
        range: WIDE,
      },
      {
        name: `dilation2d 2x3, stride ${stride}, ${pad}`,
        shapes: [
          [2, 4, 5, 2],
          [2, 3, 2],
        ],
        fn: (x, w) => tf.dilation2d(x as Images, unlike(w), stride, pad),
        range: WIDEST,
      },
    ]),
  ),
  {
    name: 'conv2d 1x1',
    shapes: [
      [2, 3, 4, 3],
      [1, 1, 3, 2],
    ],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 1, 'same'),
  },
  {
    name: 'conv2d, dilated',
    shapes: [
      [2, 5, 5, 2],
      [2, 3, 2, 2],
    ],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 1, 'same', 'NHWC', 2),
    range: WIDE,
  },
  {
    name: 'depthwiseConv2d, dilated',
    shapes: [
      [2, 5, 5, 2],
      [2, 3, 2, 2],
    ],
    fn: (x, w) => tf.depthwiseConv2d(x as Images, w as Images, 1, 'same', 'NHWC', [2, 1]),
    range: WIDE,
  },
  {
    name: 'conv3d, dilated',
    shapes: [
      [2, 4, 3, 3, 1],
      [2, 2, 2, 1, 2],
    ],
    fn: (x, w) => tf.conv3d(x as Volumes, w as Volumes, 1, 'same', 'NDHWC', [2, 1, 2]),
  },
  {
    name: 'the gradient of conv2d',
    shapes: [
      [2, 3, 4, 2],
      [2, 2, 2, 2],
    ],
    fn: (x, w) => {
      const loss = (of: tf.Tensor) => tf.sum(tf.square(tf.conv2d(of as Images, w as Images, 1, 'same')));
      return tf.grad(loss)(x);
    },
    range: [-1.5, 1.5],
  },
  {
    name: 'conv2d, padding 1',
    shapes: [
      [2, 5, 5, 1],
      [3, 3, 1, 2],
    ],
    fn: (x, w) => tf.conv2d(x as Images, w as Images, 2, 1, 'NHWC', 1, 'floor'),
  },
  {
    name: 'dilation2d, dilated',
    shapes: [
      [2, 5, 5, 2],
      [2, 3, 2],
    ],
    fn: (x, w) => tf.dilation2d(x as Images, unlike(w), 1, 'same', 2),
    range: WIDEST,
  },
];

const POOLS: ReadonlyArray<[number, number]> = [
  [2, 2],
  [2, 1],
  [3, 2],
  [2, 3],
];

const POOLING: GradientCase[] = POOLS.flatMap(([size, stride]) =>
  PADDINGS.flatMap((pad): GradientCase[] => {
    const name = `${size}, stride ${stride}, ${pad}`;
    const pool = { shapes: [[2, 5, 4, 2]], range: WIDE };
    const pool3d = { shapes: [[2, 3, 4, 3, 2]], range: WIDE };
    const gaps = stride > size && pad === 'same'; // refused for volumes, see gradients.test.ts
    const images: GradientCase[] = [
      { ...pool, name: `maxPool ${name}`, fn: (x) => tf.maxPool(x as Images, size, stride, pad) },
      { ...pool, name: `avgPool ${name}`, fn: (x) => tf.avgPool(x as Images, size, stride, pad) },
    ];
    const volumes: GradientCase[] = [
      { ...pool3d, name: `maxPool3d ${name}`, fn: (x) => tf.maxPool3d(x as Volumes, size, stride, pad) },
      { ...pool3d, name: `avgPool3d ${name}`, fn: (x) => tf.avgPool3d(x as Volumes, size, stride, pad) },
    ];
    return gaps ? images : [...images, ...volumes];
  }),
);

const SIZES: ReadonlyArray<[number, number]> = [
  [6, 8],
  [5, 3],
  [2, 9],
  [1, 1],
];

const RESIZING: GradientCase[] = Object.entries({
  resizeNearestNeighbor: tf.image.resizeNearestNeighbor,
  resizeBilinear: tf.image.resizeBilinear,
}).flatMap(([name, resize]) =>
  SIZES.flatMap((size) =>
    [
      { manner: '', alignCorners: false, halfPixels: false },
      { manner: ', corners aligned', alignCorners: true, halfPixels: false },
      { manner: ', half pixels', alignCorners: false, halfPixels: true },
    ].map(
      ({ manner, alignCorners, halfPixels }): GradientCase => ({
        name: `${name} to ${size.join('x')}${manner}`,
        shapes: [[2, 3, 4, 2]],
        fn: (x) => resize(x as Images, size, alignCorners, halfPixels),
      }),
    ),
  ),
);

const NORMALIZATION: GradientCase[] = [
  ...[1, 2, 5].map(
    (radius): GradientCase => ({
      name: `localResponseNormalization, radius ${radius}`,
      shapes: [[2, 2, 3, 5]],
      fn: (x) => tf.localResponseNormalization(x as Images, radius, 1.1, 0.7, 0.6),
    }),
  ),
  {
    name: 'batchNorm',
    shapes: [[2, 3, 4], [4], [4], [4], [4]],
    fn: (x, mean, variance, offset, scale) =>
      tf.batchNorm(
        x,
        mean as tf.Tensor1D,
        tf.add(tf.square(variance), 0.5) as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
        0.1,
      ),
  },
];

/** Gradients of convolutions, pools, resizing, matrix products and normalizations. */
export const LAYER_GRADIENTS: GradientCase[] = [
  ...MATRIX,
  ...CONVOLUTION,
  ...POOLING,
  ...RESIZING,
  ...NORMALIZATION,
];
