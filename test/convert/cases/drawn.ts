import * as tf from '@tensorflow/tfjs-core';
import type { Case } from '../support/differential.ts';
import type { Draw } from '../support/draw.ts';

/** A use of a kernel whose shapes and attributes are drawn anew for each seed. */
export interface DrawnCase {
  name: string;
  draw(d: Draw): Omit<Case, 'name'>;
}

type Padding = 'same' | 'valid';
type Volume = tf.Tensor5D;
const PADDINGS: readonly Padding[] = ['same', 'valid'];
const float = (x: tf.Tensor) => tf.cast(x, 'float32');
const whole = (x: tf.Tensor) => tf.cast(tf.floor(x), 'int32');

/** Volumes of 3 to 6 voxels a side and 1 to 3 channels, windows of 1 to 3, strides of 1 and 2. */
export const VOLUME_CASES: DrawnCase[] = [
  {
    name: 'conv3d',
    draw: (d) => {
      const [channels, pad] = [d.int(1, 3), d.pick(PADDINGS)];
      const strides = triple(d, 1, 2);
      return {
        shapes: [volume(d, channels), [...triple(d, 1, 3), channels, d.int(1, 4)]],
        fn: (x, w) => tf.conv3d(x as Volume, w as Volume, strides, pad),
        range: [-1, 1],
        gradient: 'none',
      };
    },
  },
  {
    name: 'conv3d, dilated',
    draw: (d) => ({
      shapes: [volume(d, 2), [2, 2, 2, 2, 3]],
      fn: (x, w) => tf.conv3d(x as Volume, w as Volume, 1, 'same', 'NDHWC', 2),
      range: [-1, 1],
      gradient: 'none',
    }),
  },
  {
    name: 'conv3dTranspose',
    draw: (d) => {
      const [stride, pad, size, channels] = [d.int(1, 2), d.pick(PADDINGS), d.int(1, 3), d.int(1, 3)];
      const from = [d.int(1, 2), ...triple(d, 2, 4), channels];
      const grow = (n: number) => (pad === 'same' ? n * stride : (n - 1) * stride + size);
      const filters = d.int(1, 3);
      const out = [from[0]!, ...from.slice(1, 4).map(grow), filters] as tf.Tensor5D['shape'];
      return {
        shapes: [from, [size, size, size, filters, channels]],
        fn: (x, w) => tf.conv3dTranspose(x as Volume, w as Volume, out, stride, pad),
        range: [-1, 1],
        gradient: 'none',
      };
    },
  },
  ...Object.entries({ maxPool3d: tf.maxPool3d, avgPool3d: tf.avgPool3d }).map(
    ([name, pool]): DrawnCase => ({
      name,
      draw: (d) => {
        const [window, strides, pad] = [triple(d, 1, 3), triple(d, 1, 2), d.pick(PADDINGS)];
        return {
          shapes: [volume(d, d.int(1, 3))],
          fn: (x) => pool(x as Volume, window, strides, pad),
          gradient: 'none',
        };
      },
    }),
  ),
];

/** Images of 4 to 8 pixels a side, blocks of 1 to 3, batches of 1 to 3. */
export const BLOCK_CASES: DrawnCase[] = [
  {
    name: 'spaceToBatchND',
    draw: (d) => {
      const block = [d.int(1, 3), d.int(1, 2)];
      const [rows, columns] = [d.int(2, 4), d.int(2, 4)];
      const paddings = block.map((b) => [d.int(0, 1) * b, b]);
      return {
        shapes: [[d.int(1, 3), rows * block[0]!, columns * block[1]!, 2]],
        fn: (x) => tf.spaceToBatchND(x, block, paddings),
      };
    },
  },
  {
    name: 'batchToSpaceND',
    draw: (d) => {
      const block = [d.int(1, 3), d.int(1, 2)];
      const crops = [
        [0, d.int(0, 1)],
        [d.int(0, 1), 0],
      ];
      return {
        shapes: [[block[0]! * block[1]! * d.int(1, 3), d.int(2, 4), d.int(2, 4), d.int(1, 3)]],
        fn: (x) => tf.batchToSpaceND(x, block, crops),
      };
    },
  },
  {
    name: 'depthToSpace',
    draw: (d) => ({
      shapes: [[d.int(1, 3), d.int(1, 4), d.int(1, 4), 4 * d.int(1, 3)]],
      fn: (x) => tf.depthToSpace(x as tf.Tensor4D, 2, 'NHWC'),
      gradient: 'none',
    }),
  },
  {
    name: 'mirrorPad',
    draw: (d) => {
      const mode = d.pick(['reflect', 'symmetric'] as const);
      const pads = [0, 1, 2, 3].map(() => [d.int(0, 1), d.int(0, 2)] as [number, number]);
      return {
        shapes: [[d.int(3, 4), d.int(3, 5), d.int(3, 5), 3]],
        fn: (x) => tf.mirrorPad(tf.maxPool(x as tf.Tensor4D, 1, 1, 'valid'), pads, mode),
        gradient: 'none',
      };
    },
  },
  {
    name: 'flipLeftRight',
    draw: (d) => ({
      shapes: [[d.int(1, 3), d.int(2, 5), d.int(2, 5), d.int(1, 3)]],
      fn: (x) => tf.image.flipLeftRight(x as tf.Tensor4D),
      gradient: 'none',
    }),
  },
  {
    name: 'cropAndResize',
    draw: (d) => {
      const batch = d.int(1, 3);
      const boxes = d.int(1, 4);
      const [size, method] = [
        [d.int(1, 5), d.int(1, 5)] as [number, number],
        d.pick(['bilinear', 'nearest'] as const),
      ];
      const owners = tf.tensor1d(
        Array.from({ length: boxes }, () => d.int(0, batch - 1)),
        'int32',
      );
      return {
        shapes: [
          [batch, d.int(4, 8), d.int(4, 8), d.int(1, 3)],
          [boxes, 4],
        ],
        // Corners of any order, some of them outside of the image.
        fn: (x, b) => tf.image.cropAndResize(x as tf.Tensor4D, b as tf.Tensor2D, owners, size, method, 0.5),
        range: [-0.2, 1.2],
        gradient: 'none',
      };
    },
  },
  {
    name: 'dilation2d',
    draw: (d) => {
      const [channels, pad] = [d.int(1, 3), d.pick(PADDINGS)];
      const [strides, dilations] = [d.int(1, 2), d.int(1, 2)];
      return {
        shapes: [
          [d.int(1, 3), d.int(5, 8), d.int(5, 8), channels],
          [d.int(1, 3), d.int(1, 3), channels],
        ],
        fn: (x, w) => tf.dilation2d(x as tf.Tensor4D, w as tf.Tensor3D, strides, pad, dilations),
        gradient: 'none',
      };
    },
  },
  {
    name: 'maxPoolWithArgmax',
    draw: (d) => {
      const [size, stride, pad, whole] = [d.int(1, 3), d.int(1, 2), d.pick(PADDINGS), d.pick([true, false])];
      return {
        shapes: [[d.int(1, 3), d.int(4, 8), d.int(4, 8), d.int(1, 3)]],
        fn: (x) => {
          const found = tf.maxPoolWithArgmax(x as tf.Tensor4D, size, stride, pad, whole);
          return tf.stack([found.result!, float(found.indexes!)]);
        },
        gradient: 'none',
      };
    },
  },
  {
    name: 'localResponseNormalization',
    draw: (d) => {
      const radius = d.int(1, 3);
      return {
        shapes: [[d.int(1, 3), d.int(2, 4), d.int(2, 4), d.int(1, 8)]],
        fn: (x) => tf.localResponseNormalization(x as tf.Tensor4D, radius, 1.5, 0.3, 0.7),
        gradient: 'none',
      };
    },
  },
  ...(['depthwiseConv2d', 'conv2d'] as const).map(
    (name): DrawnCase => ({
      name: `fused ${name}, with any activation`,
      draw: (d) => {
        const activation = d.pick([
          'linear',
          'relu',
          'relu6',
          'elu',
          'sigmoid',
          'leakyrelu',
          'prelu',
        ] as const);
        const [channels, second, pad] = [d.int(1, 3), d.int(1, 3), d.pick(PADDINGS)];
        const out = name === 'conv2d' ? second : channels * second;
        return {
          shapes: [[d.int(1, 3), d.int(3, 6), d.int(3, 6), channels], [2, 2, channels, second], [out], [out]],
          fn: (x, filter, bias, slopes) =>
            tf.fused[name]({
              x: x as tf.Tensor4D,
              filter: filter as tf.Tensor4D,
              strides: 1,
              pad,
              bias,
              activation,
              ...(activation === 'prelu' ? { preluActivationWeights: slopes } : {}),
              leakyreluAlpha: 0.1,
            }),
          gradient: 'none',
        };
      },
    }),
  ),
];

/** Tensors of 2 to 6 elements an axis. */
export const PLACE_CASES: DrawnCase[] = [
  {
    name: 'gatherND',
    draw: (d) => {
      const depth = d.int(1, 3);
      const indices = tf.tensor2d(
        Array.from({ length: 4 }, () => Array.from({ length: depth }, () => d.int(0, 1))),
        [4, depth],
        'int32',
      );
      return { shapes: [sides(d, 3)], fn: (x) => tf.gatherND(tf.mul(x, 2), indices), gradient: 'none' };
    },
  },
  {
    name: 'gather with batch dimensions',
    draw: (d) => {
      const [batch, rows] = [d.int(1, 3), d.int(2, 5)];
      const axis = d.int(1, 2);
      const indices = tf.tensor2d(
        Array.from({ length: batch }, () => [d.int(0, 1), 0, 1]),
        [batch, 3],
        'int32',
      );
      return {
        shapes: [[batch, rows, d.int(2, 4), 2]],
        fn: (x) => tf.gather(tf.mul(x, 2), indices, axis, 1),
        gradient: 'none',
      };
    },
  },
  {
    name: 'scatterND adds',
    draw: (d) => {
      const rows = d.int(2, 6);
      const indices = tf.tensor2d(
        Array.from({ length: 5 }, () => [d.int(0, rows - 1)]),
        [5, 1],
        'int32',
      );
      return {
        shapes: [[5, 3]],
        fn: (x) => tf.scatterND(indices, tf.mul(x, 2), [rows, 3]),
        gradient: 'none',
      };
    },
  },
  {
    name: 'tensorScatterUpdate',
    draw: (d) => {
      const rows = d.int(3, 6);
      const indices = tf.tensor2d([[d.int(0, 1)], [2]], [2, 1], 'int32');
      return {
        shapes: [
          [rows, 3],
          [2, 3],
        ],
        fn: (x, updates) => tf.tensorScatterUpdate(tf.mul(x, 2), indices, updates),
        gradient: 'none',
      };
    },
  },
  {
    name: 'sparseToDense',
    draw: (d) => {
      const rows = d.int(3, 5);
      const places = tf.tensor2d([0, 1, 1, 0, 2, 2], [3, 2], 'int32');
      return {
        shapes: [[3]],
        fn: (x) => tf.sparseToDense(places, tf.mul(x, 2), [rows, 4], 0.5),
        gradient: 'none',
      };
    },
  },
  ...[false, true].map(
    (binary): DrawnCase => ({
      name: `denseBincount${binary ? ', binary' : ''}`,
      draw: (d) => {
        const shape = [d.int(1, 3), d.int(2, 6)];
        const size = d.int(2, 6);
        return {
          shapes: [shape, shape],
          fn: (x, weights) =>
            float(
              tf.denseBincount(
                whole(x) as tf.Tensor2D,
                (binary ? tf.tensor1d([]) : weights) as tf.Tensor2D,
                size,
                binary,
              ),
            ),
          range: [0, 8],
          gradient: 'none',
        };
      },
    }),
  ),
  {
    name: 'bincount',
    draw: (d) => {
      const [length, size] = [d.int(3, 9), d.int(2, 6)];
      return {
        shapes: [[length], [length]],
        fn: (x, weights) => tf.bincount(whole(x) as tf.Tensor1D, weights as tf.Tensor1D, size),
        range: [0, 8],
        gradient: 'none',
      };
    },
  },
  ...(['left', 'right'] as const).map(
    (side): DrawnCase => ({
      name: `searchSorted, ${side}`,
      draw: (d) => ({
        shapes: [
          [2, d.int(3, 6)],
          [2, d.int(1, 5)],
        ],
        fn: (x, values) =>
          float(tf.searchSorted(tf.cumsum(tf.round(tf.abs(x)), 1), tf.round(tf.mul(values, 3)), side)),
        gradient: 'none',
      }),
    }),
  ),
  {
    name: 'cumprod',
    draw: (d) => {
      const [axis, exclusive, reverse] = [d.int(0, 2), d.pick([true, false]), d.pick([true, false])];
      return { shapes: [sides(d, 3)], fn: (x) => tf.cumprod(x, axis, exclusive, reverse), gradient: 'none' };
    },
  },
  { name: 'diag', draw: (d) => ({ shapes: [sides(d, 2)], fn: (x) => tf.diag(x), gradient: 'none' }) },
  {
    name: 'einsum',
    draw: (d) => {
      const [a, b, c, e] = [d.int(2, 6), d.int(2, 6), d.int(2, 6), d.int(2, 6)];
      const uses: Array<[string, number[][]]> = [
        [
          'ab,bc->ac',
          [
            [a, b],
            [b, c],
          ],
        ],
        [
          'abc,cde->abde',
          [
            [a, b, c],
            [c, 2, e],
          ],
        ],
        [
          'abc,abc->ab',
          [
            [a, b, c],
            [a, b, c],
          ],
        ],
        [
          'abcd,aecd->acbe',
          [
            [2, a, 2, b],
            [2, c, 2, b],
          ],
        ],
      ];
      const [equation, shapes] = d.pick(uses);
      return { shapes, fn: (x, y) => tf.einsum(equation, x, y), gradient: 'none' };
    },
  },
  {
    name: 'atan2',
    draw: (d) => {
      const shape = sides(d, 2);
      return { shapes: [shape, shape], fn: (y, x) => tf.atan2(y, x), gradient: 'none' };
    },
  },
  {
    name: 'atan2 of whole numbers',
    draw: () => ({
      shapes: [[40], [40]],
      fn: (y, x) => tf.atan2(tf.add(tf.round(y), 0), tf.add(tf.round(x), 0)),
      gradient: 'none',
    }),
  },
  {
    name: 'bitwiseAnd',
    draw: (d) => {
      const shape = sides(d, 2);
      const fn = (a: tf.Tensor, b: tf.Tensor) => float(tf.bitwiseAnd(a, b));
      return { shapes: [shape, shape], fn, range: [0, 200], integers: true, gradient: 'none' };
    },
  },
  ...Object.entries({ asinh: tf.asinh, atanh: tf.atanh }).map(
    ([name, fn]): DrawnCase => ({ name, draw: (d) => ({ shapes: [sides(d, 2)], fn, range: [-0.9, 0.9] }) }),
  ),
  { name: 'acosh', draw: (d) => ({ shapes: [sides(d, 2)], fn: tf.acosh, range: [1.1, 9] }) },
  {
    name: 'isFinite',
    draw: () => ({ shapes: [[12]], fn: (x) => float(tf.isFinite(tf.div(x, tf.round(x)))), gradient: 'none' }),
  },
  {
    name: 'nonMaxSuppressionPadded',
    draw: (d) => {
      const [boxes, overlap] = [d.int(3, 12), d.pick([0.1, 0.5])];
      return {
        shapes: [[boxes, 4], [boxes]],
        fn: (b, s) => {
          const found = tf.image.nonMaxSuppressionPadded(
            b as tf.Tensor2D,
            s as tf.Tensor1D,
            6,
            overlap,
            0.3,
            true,
          );
          return tf.concat([float(found.selectedIndices!), tf.reshape(float(found.validOutputs!), [1])]);
        },
        range: [0, 1],
        gradient: 'none',
      };
    },
  },
];

function triple(d: Draw, low: number, high: number): [number, number, number] {
  return [d.int(low, high), d.int(low, high), d.int(low, high)];
}

function volume(d: Draw, channels: number): number[] {
  return [d.int(1, 3), ...triple(d, 3, 6), channels];
}

function sides(d: Draw, rank: number): number[] {
  return Array.from({ length: rank }, () => d.int(2, 6));
}
