import * as layers from '@tensorflow/tfjs-layers';
import { seedWeights } from './models.ts';
import { seeded } from './numbers.ts';

const l = layers.layers;
type Image = layers.SymbolicTensor;
type Layer = layers.layers.Layer;
type Pick = <T>(list: readonly T[]) => T;
type Sides = [[number, number], [number, number]];

/** One way to go on from an image [N, height, width, channels]; draws its details with `pick`. */
type Step = (x: Image, pick: Pick) => Image;

const ACTIVATIONS = [
  'relu',
  'elu',
  'selu',
  'tanh',
  'sigmoid',
  'softplus',
  'swish',
  'gelu',
  'relu6',
  'hardSigmoid',
  'linear',
] as const;

/**
 * A random model of the layers that conversion supports, three to eight steps deep: an image in; an image, a sequence
 * or a vector out. Equal seeds give equal models and weights.
 */
export function randomModel(seed: number): layers.LayersModel {
  const random = seeded(seed * 7919 + 13);
  for (let i = 0; i < 5; i++) random(); // the first draws of neighbouring seeds are alike
  const pick: Pick = (list) => list[Math.floor(random() * list.length)]!;
  const input = l.input({ shape: [pick([8, 9, 12]), pick([8, 9, 12]), pick([1, 2, 3])] });
  let x: Image = input;
  for (let i = pick([3, 4, 5, 6, 7, 8]); i > 0; i--) {
    const [, height, width] = x.shape as number[];
    const fitting = [...ANYWHERE];
    if (Math.min(height!, width!) >= 4) fitting.push(...SHRINKING);
    if (Math.max(height!, width!) <= 12) fitting.push(...GROWING);
    x = pick(fitting)(x, pick);
  }
  const outputs = pick([true, false]) ? pick(HEADS)(x, pick) : x;
  const model = layers.model({ inputs: input, outputs });
  seedWeights(model, seed + 1);
  return model;
}

const ANYWHERE: readonly Step[] = [
  convolution,
  convolution,
  (x, pick) => {
    const [depthMultiplier, activation] = [pick([1, 2]), pick(ACTIVATIONS)];
    const useBias = pick([true, false]);
    return to(x, l.depthwiseConv2d({ kernelSize: 3, padding: 'same', depthMultiplier, useBias, activation }));
  },
  (x, pick) => {
    const [filters, activation] = [pick([3, 16]), pick(ACTIVATIONS)];
    return to(x, l.separableConv2d({ filters, kernelSize: 3, padding: 'same', activation }));
  },
  (x, pick) => to(x, l.batchNormalization({ scale: pick([true, false]), center: pick([true, false]) })),
  (x, pick) => to(x, normalization({ scale: pick([true, false]), center: pick([true, false]) })),
  (x) => to(x, normalization({ axis: [1, 2, 3] })),
  (x, pick) => {
    const few = to(x, l.conv2d({ filters: pick([1, 2]), kernelSize: 1 }));
    return to(few, normalization());
  },
  (x, pick) =>
    to(
      x,
      pick<() => Layer>([
        () => l.reLU({ maxValue: 0.5 }),
        () => l.leakyReLU({ alpha: 0.1 }),
        () => l.prelu(),
        () => l.prelu({ sharedAxes: [1, 2] }),
        () => l.elu(),
        () => l.softmax({ axis: -1 }),
        () => l.activation({ activation: pick(ACTIVATIONS) }),
      ])(),
    ),
  (x, pick) =>
    to(
      x,
      pick<() => Layer>([
        () => l.dropout({ rate: 0.3 }),
        () => l.gaussianNoise({ stddev: 0.3 }),
        () => l.gaussianDropout({ rate: 0.3 }),
        () => l.alphaDropout({ rate: 0.3 }),
      ])(),
    ),
  skip,
];

/** Steps that need at least 4 rows and columns. */
const SHRINKING: readonly Step[] = [
  pooling,
  (x, pick) => pooling(border(x, pick), pick),
  (x, pick) => {
    const noise = to(border(x, pick), l.dropout({ rate: 0.1 })); // nothing in inference
    return pooling(noise, pick);
  },
  (x, pick) => {
    const cropping = pick<Sides>([
      [
        [1, 0],
        [0, 1],
      ],
      [
        [0, 0],
        [1, 1],
      ],
      [
        [1, 1],
        [1, 0],
      ],
    ]);
    return to(x, l.cropping2D({ cropping }));
  },
];

/** Steps that need at most 12 rows and columns. */
const GROWING: readonly Step[] = [
  border,
  (x, pick) => convolution(border(x, pick), pick),
  (x, pick) => to(border(x, pick), l.depthwiseConv2d({ kernelSize: 2, padding: pick(['same', 'valid']) })),
  (x, pick) => {
    const [filters, kernelSize, strides] = [pick([2, 3]), pick([2, 3]), pick([1, 2])];
    const [padding, activation] = [pick(['same', 'valid'] as const), pick(ACTIVATIONS)];
    return to(x, l.conv2dTranspose({ filters, kernelSize, strides, padding, activation }));
  },
  (x, pick) =>
    to(
      x,
      l.upSampling2d({
        size: pick([
          [2, 2],
          [2, 3],
        ]) as [number, number],
      }),
    ),
  (x) => to(x, l.upSampling2d({ size: [2, 2], interpolation: 'bilinear' })),
  bottleneck,
];

/** From an image to a vector, a sequence, or an image of classes. */
const HEADS: readonly Step[] = [
  (x, pick) => classes(to(x, l.flatten()), pick),
  (x, pick) => classes(to(x, l.globalAveragePooling2d({})), pick),
  (x, pick) => classes(to(x, l.globalMaxPooling2d({})), pick),
  (x, pick) => to(x, l.dense({ units: pick([1, 4]), activation: 'sigmoid' })),
  (x) => {
    const [, height, width, channels] = x.shape as number[];
    const rows = to(x, l.reshape({ targetShape: [height!, width! * channels!] }));
    return to(to(rows, l.timeDistributed({ layer: l.dense({ units: 3 }) })), l.permute({ dims: [2, 1] }));
  },
];

function to(x: Image, layer: Layer): Image {
  return layer.apply(x) as Image;
}

/** With an epsilon that keeps rounding errors small: over few channels the default one enlarges them thirtyfold. */
function normalization(options: Parameters<typeof l.layerNormalization>[0] = {}): Layer {
  return l.layerNormalization({ epsilon: 0.1, ...options });
}

function convolution(x: Image, pick: Pick): Image {
  const small = Math.min(x.shape[1]!, x.shape[2]!) < 4;
  const padding = small ? 'same' : pick(['same', 'valid'] as const);
  const [filters, activation] = [pick([2, 5, 16]), pick(ACTIVATIONS)];
  const kernelSize = pick<number | number[]>([1, 2, 3, [3, 2]]);
  const [strides, useBias] = [small ? 1 : pick([1, 1, 2]), pick([true, true, false])];
  return to(x, l.conv2d({ filters, kernelSize, padding, strides, useBias, activation }));
}

/** Narrow ones, and one that is wider than any pooling window here. */
function border(x: Image, pick: Pick): Image {
  const padding = pick<Sides>([
    [
      [1, 0],
      [0, 2],
    ],
    [
      [1, 1],
      [1, 1],
    ],
    [
      [3, 2],
      [0, 4],
    ],
  ]);
  return to(x, l.zeroPadding2d({ padding }));
}

function pooling(x: Image, pick: Pick): Image {
  const options = {
    poolSize: pick([2, 3]),
    strides: pick([1, 2]),
    padding: pick(['same', 'valid'] as const),
  };
  return to(x, pick([true, false]) ? l.maxPooling2d(options) : l.averagePooling2d(options));
}

/** The image beside, or joined with, something computed from it. */
function skip(x: Image, pick: Pick): Image {
  const filters = x.shape[3]!;
  const side = to(x, l.conv2d({ filters, kernelSize: 3, padding: 'same', activation: pick(ACTIVATIONS) }));
  const join = pick([l.add, l.multiply, l.average, l.maximum, l.minimum, l.concatenate]);
  return join({}).apply([x, side]) as Image;
}

function bottleneck(x: Image, pick: Pick): Image {
  const shape = x.shape.slice(1) as number[];
  const narrow = to(to(x, l.flatten()), l.dense({ units: pick([1, 2, 6]), activation: pick(ACTIVATIONS) }));
  const wide = to(narrow, l.dense({ units: shape.reduce((a, b) => a * b) }));
  return to(wide, l.reshape({ targetShape: shape }));
}

function classes(x: Image, pick: Pick): Image {
  const normal = pick([true, false]) ? to(x, normalization()) : to(x, l.batchNormalization());
  const hidden = to(normal, l.dense({ units: 6, activation: 'elu' }));
  return to(hidden, l.dense({ units: 4, activation: pick(['softmax', 'linear'] as const) }));
}
