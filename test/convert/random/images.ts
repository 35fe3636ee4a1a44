/** Steps of random models from images [N, height, width, channels]. */
import type { Draw } from '../support/draw.ts';
import {
  ACTIVATIONS,
  BOOLEANS,
  ELEMENTWISE,
  elementsOf,
  joined,
  type Layer,
  l,
  normalization,
  PADDINGS,
  type Step,
  type Steps,
  type Symbolic,
  shapeOf,
  to,
} from './step.ts';

type Sides = [[number, number], [number, number]];

export const IMAGES: Steps = {
  within: (x) => {
    const [height, width] = shapeOf(x) as [number, number];
    return [
      ...ANYWHERE,
      ...(Math.min(height, width) >= 4 ? SHRINKING : []),
      ...(Math.max(height, width) <= 12 ? GROWING : []),
    ];
  },
  onward: () => [
    (x, d) => to(x, d.pick([l.globalAveragePooling2d, l.globalMaxPooling2d])({})),
    (x) => to(x, l.flatten()),
    (x) => {
      const [height, width, channels] = shapeOf(x) as [number, number, number];
      return to(x, l.reshape({ targetShape: [height, width * channels] }));
    },
    (x) => to(x, l.timeDistributed({ layer: l.flatten() })),
  ],
};

/** What prepares images: sizes, places and scales. */
export const PREPARING: readonly Step[] = [
  (x, d) => to(x, l.rescaling({ scale: 0.5, offset: d.pick([0, -0.2]) }) as Layer),
  (x, d) => {
    const options = { height: d.int(4, 9), width: d.int(4, 9), cropToAspectRatio: d.pick(BOOLEANS) };
    return to(
      x,
      l.resizing({ ...options, interpolation: d.pick(['bilinear', 'nearest'] as const) }) as Layer,
    );
  },
  (x, d) => {
    const [height, width] = shapeOf(x) as [number, number];
    return to(x, l.centerCrop({ height: d.int(3, height), width: d.int(3, width) }) as Layer);
  },
  (x) => to(x, l.randomWidth({ factor: 0.5, seed: 1 }) as Layer),
  crop,
  border,
];

const ANYWHERE: readonly Step[] = [
  ...ELEMENTWISE,
  convolution,
  convolution,
  (x, d) => {
    const [depthMultiplier, activation] = [d.int(1, 2), d.pick(ACTIVATIONS)];
    const useBias = d.pick(BOOLEANS);
    return to(x, l.depthwiseConv2d({ kernelSize: 3, padding: 'same', depthMultiplier, useBias, activation }));
  },
  (x, d) => {
    const [filters, activation] = [d.pick([3, 16]), d.pick(ACTIVATIONS)];
    return to(x, l.separableConv2d({ filters, kernelSize: 3, padding: 'same', activation }));
  },
  (x) => to(x, normalization({ axis: [1, 2, 3] })),
  (x, d) => to(to(x, l.conv2d({ filters: d.int(1, 2), kernelSize: 1 })), normalization()),
  (x) => to(x, l.prelu({ sharedAxes: [1, 2] })),
  (x, d) => {
    const [filters, activation] = [x.shape[3]!, d.pick(ACTIVATIONS)];
    return joined(x, to(x, l.conv2d({ filters, kernelSize: 3, padding: 'same', activation })), d);
  },
  (x, d) =>
    to(
      x,
      l.permute({
        dims: d.pick([
          [2, 1, 3],
          [1, 2, 3],
        ]),
      }),
    ),
];

/** Steps that need at least 4 rows and columns. */
const SHRINKING: readonly Step[] = [
  pooling,
  (x, d) => pooling(border(x, d), d),
  (x, d) => {
    const noise = to(border(x, d), l.dropout({ rate: 0.1 })); // nothing in inference
    return pooling(noise, d);
  },
  crop,
  ...PREPARING,
];

/** Steps that need at most 12 rows and columns. */
const GROWING: readonly Step[] = [
  border,
  (x, d) => convolution(border(x, d), d),
  (x, d) => to(border(x, d), l.depthwiseConv2d({ kernelSize: 2, padding: d.pick(PADDINGS) })),
  (x, d) => {
    const [filters, kernelSize, strides] = [d.int(2, 3), d.int(2, 3), d.int(1, 2)];
    const [padding, activation] = [d.pick(PADDINGS), d.pick(ACTIVATIONS)];
    return to(x, l.conv2dTranspose({ filters, kernelSize, strides, padding, activation }));
  },
  (x, d) => to(x, l.upSampling2d({ size: [2, d.int(2, 3)] })),
  (x) => to(x, l.upSampling2d({ size: [2, 2], interpolation: 'bilinear' })),
  bottleneck,
];

function convolution(x: Symbolic, d: Draw): Symbolic {
  const small = Math.min(x.shape[1]!, x.shape[2]!) < 4;
  const padding = small ? 'same' : d.pick(PADDINGS);
  const [filters, activation] = [d.pick([2, 5, 16]), d.pick(ACTIVATIONS)];
  const kernelSize = d.pick<number | number[]>([1, 2, 3, [3, 2]]);
  const useBias = d.pick([true, true, false]);
  const windows =
    !small && d.int(1, 4) === 1 ? { dilationRate: 2, kernelSize: 2 } : { strides: small ? 1 : d.int(1, 2) };
  return to(x, l.conv2d({ filters, kernelSize, padding, useBias, activation, ...windows }));
}

/** Narrow ones, and one that is wider than any pooling window here. */
function border(x: Symbolic, d: Draw): Symbolic {
  const padding = d.pick<Sides>([
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

function crop(x: Symbolic, d: Draw): Symbolic {
  const cropping = d.pick<Sides>([
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
}

function pooling(x: Symbolic, d: Draw): Symbolic {
  const options = { poolSize: d.int(2, 3), strides: d.int(1, 2), padding: d.pick(PADDINGS) };
  return to(x, d.pick([l.maxPooling2d, l.averagePooling2d])(options));
}

function bottleneck(x: Symbolic, d: Draw): Symbolic {
  const units = d.pick([1, 2, 6]);
  const narrow = to(to(x, l.flatten()), l.dense({ units, activation: d.pick(ACTIVATIONS) }));
  return to(to(narrow, l.dense({ units: elementsOf(x) })), l.reshape({ targetShape: shapeOf(x) }));
}
