/** Steps of random models from vectors [N, size]. */
import * as layers from '@tensorflow/tfjs-layers';
import { ACTIVATIONS, ELEMENTWISE, joined, l, type Step, type Steps, type Symbolic, to } from './step.ts';

const SMALL = 12;

export const VECTORS: Steps = {
  within: () => [
    ...ELEMENTWISE,
    (x, d) => to(x, l.dense({ units: d.int(2, SMALL), activation: d.pick(ACTIVATIONS) })),
    (x, d) => joined(x, to(x, l.dense({ units: x.shape[1]!, activation: d.pick(ACTIVATIONS) })), d),
    nested,
    (x) => {
      const [a, b] = [to(x, l.dense({ units: 4 })), to(x, l.dense({ units: 4 }))];
      return l.dot({ axes: 1, normalize: true }).apply([a, b]) as Symbolic;
    },
  ],
  onward: () => [
    (x, d) => to(few(x), l.repeatVector({ n: d.int(2, 5) })),
    (x, d) => image(x, [4, d.int(4, 6), d.int(1, 3)]),
    (x, d) => image(x, [3, d.int(3, 4), 3, d.int(1, 2)]),
  ],
};

/** A model, or a sequence of layers, as a layer. */
const nested: Step = (x, d) => {
  const size = x.shape[1]!;
  const inner = [
    l.dense({ units: d.int(2, 6), activation: d.pick(ACTIVATIONS), inputShape: [size] }),
    l.dropout({ rate: 0.5 }),
  ];
  if (d.pick([true, false])) return to(x, layers.sequential({ layers: inner }));
  const input = l.input({ shape: [size] });
  const side = inner.reduce(to, input);
  return to(x, layers.model({ inputs: input, outputs: l.concatenate().apply([side, input]) as Symbolic }));
};

function image(x: Symbolic, targetShape: number[]): Symbolic {
  const units = targetShape.reduce((a, b) => a * b);
  return to(to(few(x), l.dense({ units })), l.reshape({ targetShape }));
}

function few(x: Symbolic): Symbolic {
  return x.shape[1]! > SMALL ? to(x, l.dense({ units: SMALL, activation: 'tanh' })) : x;
}
