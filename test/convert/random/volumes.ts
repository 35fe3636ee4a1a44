/** Steps of random models from volumes [N, depth, height, width, channels], and from clips, which are images in a row. */
import type { Draw } from '../support/draw.ts';
import {
  ACTIVATIONS,
  BOOLEANS,
  ELEMENTWISE,
  elementsOf,
  joined,
  type Layer,
  l,
  PADDINGS,
  PLAIN,
  type Step,
  type Steps,
  type Symbolic,
  shapeOf,
  to,
} from './step.ts';

const LARGE = 400;

/** Steps that see a volume as one. */
export const VOLUME_STEPS: readonly Step[] = [
  convolution,
  convolution,
  (x, d) => {
    if (elementsOf(x) > LARGE) return pooling(x, d);
    const [filters, kernelSize, strides] = [d.int(1, 3), d.int(1, 3), d.int(1, 2)];
    const [padding, activation] = [d.pick(PADDINGS), d.pick(ACTIVATIONS)];
    return to(x, l.conv3dTranspose({ filters, kernelSize, strides, padding, activation }));
  },
  pooling,
];

/** Steps that see a row of images. */
export const CLIP_STEPS: readonly Step[] = [
  (x, d) => to(x, convLstm(x, d, true)),
  (x, d) => {
    const options = { kernelSize: d.int(1, 3), padding: 'same', activation: d.pick(ACTIVATIONS) } as const;
    const layer = d.pick<() => Layer>([
      () => l.conv2d({ ...options, filters: d.int(1, 4), strides: d.int(1, 2) }),
      () => l.separableConv2d({ ...options, filters: d.int(1, 4) }),
      () => l.depthwiseConv2d(options),
      () => l.maxPooling2d({ poolSize: 2, padding: 'same' }),
      () => l.batchNormalization(),
      () => (elementsOf(x) > LARGE ? l.dense({ units: 2 }) : l.upSampling2d({ size: [2, 1] })),
    ])();
    return to(x, l.timeDistributed({ layer }));
  },
];

export const VOLUMES: Steps = {
  within: () => [
    ...ELEMENTWISE,
    ...VOLUME_STEPS,
    ...CLIP_STEPS,
    (x, d) =>
      joined(x, to(x, l.conv3d({ filters: x.shape[4]!, kernelSize: d.int(1, 2), padding: 'same' })), d),
  ],
  onward: () => [
    (x, d) => to(x, convLstm(x, d, false)),
    (x) => to(x, l.flatten()),
    (x, d) =>
      to(x, l.timeDistributed({ layer: d.pick<() => Layer>([l.flatten, () => l.globalMaxPooling2d({})])() })),
    (x) => {
      const [depth, height, width, channels] = shapeOf(x) as [number, number, number, number];
      return to(x, l.reshape({ targetShape: [depth * height, width, channels] }));
    },
  ],
};

function convolution(x: Symbolic, d: Draw): Symbolic {
  const padding = smallest(x) < 3 ? 'same' : d.pick(PADDINGS);
  const [filters, kernelSize, strides] = [d.int(1, 4), d.int(1, 3), elementsOf(x) > LARGE ? 2 : d.int(1, 2)];
  const [useBias, activation] = [d.pick(BOOLEANS), d.pick(ACTIVATIONS)];
  return to(x, l.conv3d({ filters, kernelSize, strides, padding, useBias, activation }));
}

function pooling(x: Symbolic, d: Draw): Symbolic {
  const padding = smallest(x) < 3 ? 'same' : d.pick(PADDINGS);
  const poolSize = d.int(2, 3);
  // TensorFlow.js types sizes as three numbers; its own code takes one, too.
  const options = { poolSize, strides: d.int(1, 2), padding } as never;
  return to(x, d.pick([l.maxPooling3d, l.averagePooling3d])(options));
}

function convLstm(x: Symbolic, d: Draw, returnSequences: boolean): Layer {
  const padding = smallest(x) < 3 ? 'same' : d.pick(PADDINGS);
  const [filters, kernelSize, goBackwards] = [d.int(1, 3), d.int(1, 3), d.pick(BOOLEANS)];
  return l.convLstm2d({ ...PLAIN, filters, kernelSize, padding, returnSequences, goBackwards }) as Layer;
}

function smallest(x: Symbolic): number {
  return Math.min(...shapeOf(x).slice(0, 3));
}
