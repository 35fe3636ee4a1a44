/** What the steps of random models have in common. */
import * as layers from '@tensorflow/tfjs-layers';
import type { Draw } from '../support/draw.ts';

export const l = layers.layers;
export type Symbolic = layers.SymbolicTensor;
export type Layer = layers.layers.Layer;

/** One way to go on from what a model has computed so far; draws its details. */
export type Step = (x: Symbolic, d: Draw) => Symbolic;

/** Steps from tensors of one rank. */
export interface Steps {
  /** To tensors of the same rank. */
  readonly within: (x: Symbolic) => readonly Step[];
  /** To tensors of other ranks. */
  readonly onward: (x: Symbolic) => readonly Step[];
}

export const BOOLEANS = [true, false] as const;
export const PADDINGS = ['same', 'valid'] as const;
export const ACTIVATIONS = [
  'relu',
  'elu',
  'selu',
  'tanh',
  'sigmoid',
  'softplus',
  'softsign',
  'swish',
  'mish',
  'gelu',
  'relu6',
  'hardSigmoid',
  'linear',
] as const;

/** TensorFlow.js makes its default, an orthogonal matrix, with operations that have to be registered apart. */
export const PLAIN = { recurrentInitializer: 'glorotUniform' } as const;

export function to(x: Symbolic, layer: Layer): Symbolic {
  return layer.apply(x) as Symbolic;
}

/** Without the batch. */
export function shapeOf(x: Symbolic): number[] {
  return x.shape.slice(1) as number[];
}

export function elementsOf(x: Symbolic): number {
  return shapeOf(x).reduce((a, b) => a * b, 1);
}

/** With an epsilon that keeps rounding errors small: over few values the default one enlarges them thirtyfold. */
export function normalization(options: Parameters<typeof l.layerNormalization>[0] = {}): Layer {
  return l.layerNormalization({ epsilon: 0.1, ...options });
}

/** The tensor joined with one of its shape that was computed of it. */
export function joined(x: Symbolic, side: Symbolic, d: Draw): Symbolic {
  const join = d.pick([l.add, l.multiply, l.average, l.maximum, l.minimum, l.concatenate]);
  return join({}).apply([x, side]) as Symbolic;
}

/** Steps of tensors of any shape. */
export const ELEMENTWISE: readonly Step[] = [
  (x, d) => to(x, l.batchNormalization({ scale: d.pick(BOOLEANS), center: d.pick(BOOLEANS) })),
  (x, d) => to(x, normalization({ scale: d.pick(BOOLEANS), center: d.pick(BOOLEANS) })),
  (x, d) =>
    to(
      x,
      d.pick<() => Layer>([
        () => l.reLU(d.pick([{ maxValue: 0.5 }, {}])),
        () => l.leakyReLU({ alpha: 0.1 }),
        () => l.prelu(),
        () => l.elu(),
        () => l.thresholdedReLU({ theta: 0.2 }),
        () => l.softmax({ axis: -1 }),
        () => l.activation({ activation: d.pick(ACTIVATIONS) }),
      ])(),
    ),
  (x, d) =>
    to(
      x,
      d.pick<() => Layer>([
        () => l.dropout({ rate: 0.3 }),
        () => l.gaussianNoise({ stddev: 0.3 }),
        () => l.gaussianDropout({ rate: 0.3 }),
        () => l.alphaDropout({ rate: 0.3 }),
      ])(),
    ),
  (x, d) =>
    to(x, l.dense({ units: d.int(2, 6), activation: d.pick(ACTIVATIONS), useBias: d.pick(BOOLEANS) })),
];
