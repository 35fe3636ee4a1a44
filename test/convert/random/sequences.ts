/** Steps of random models from sequences [N, steps, features]. */
import type { Draw } from '../support/draw.ts';
import {
  ACTIVATIONS,
  BOOLEANS,
  ELEMENTWISE,
  joined,
  type Layer,
  l,
  PADDINGS,
  PLAIN,
  type Step,
  type Steps,
  type Symbolic,
  to,
} from './step.ts';

const RECURRENT = [l.lstm, l.gru, l.simpleRNN] as const;
const CELLS = [l.lstmCell, l.gruCell, l.simpleRNNCell] as const;

export const SEQUENCES: Steps = {
  within: (x) => [
    ...ELEMENTWISE,
    (x, d) => to(x, recurrence(d, true)),
    (x, d) => to(x, recurrence(d, true)),
    (x, d) =>
      to(x, l.timeDistributed({ layer: l.dense({ units: d.int(1, 5), activation: d.pick(ACTIVATIONS) }) })),
    (x, d) => {
      const [filters, kernelSize, padding] = [
        d.int(1, 5),
        d.int(1, 3),
        x.shape[1]! < 3 ? 'same' : d.pick(PADDINGS),
      ];
      const options = { strides: d.int(1, 2), activation: d.pick(ACTIVATIONS), useBias: d.pick(BOOLEANS) };
      return to(x, l.conv1d({ filters, kernelSize, padding, ...options }));
    },
    (x) => to(x, l.spatialDropout1d({ rate: 0.3 })),
    (x, d) =>
      joined(x, to(x, l.conv1d({ filters: x.shape[2]!, kernelSize: d.int(1, 3), padding: 'same' })), d),
    attention,
    ...(x.shape[1]! >= 3 ? [pooling] : []),
    ...(x.shape[1]! <= 12 && x.shape[2]! <= 12 ? [(x: Symbolic) => to(x, l.permute({ dims: [2, 1] }))] : []),
  ],
  onward: () => [
    (x, d) => to(x, recurrence(d, false)),
    (x, d) => to(x, recurrence(d, false)),
    masked,
    (x, d) => to(x, d.pick([l.globalAveragePooling1d, l.globalMaxPooling1d])()),
    (x) => to(x, l.flatten()),
    (x, d) => {
      const units = 4 * d.int(1, 3);
      return to(to(x, l.dense({ units })), l.reshape({ targetShape: [x.shape[1]!, 4, units / 4] }));
    },
  ],
};

/** Any of the recurrent layers, in any of the ways to wrap it. */
export function recurrence(d: Draw, returnSequences: boolean): Layer {
  const options = {
    ...PLAIN,
    activation: d.pick(['tanh', 'relu', 'sigmoid', 'softsign'] as const),
    recurrentActivation: d.pick(['hardSigmoid', 'sigmoid'] as const),
    useBias: d.pick(BOOLEANS),
    dropout: 0.2,
    recurrentDropout: 0.2,
  };
  const shape = { returnSequences, goBackwards: d.pick(BOOLEANS) };
  const cell = () => d.pick(CELLS)({ ...options, units: d.int(1, 5) });
  const plain = () => d.pick(RECURRENT)({ ...options, ...shape, units: d.int(1, 5) });
  return d.pick<() => Layer>([
    plain,
    plain,
    () => l.rnn({ ...shape, cell: cell() }) as Layer,
    // TensorFlow.js types the parameter as one cell; stacked ones are one.
    () => l.rnn({ ...shape, cell: l.stackedRNNCells({ cells: [cell(), cell()] }) as never }) as Layer,
    () => {
      const layer = d.pick(RECURRENT)({ ...options, returnSequences, units: d.int(1, 4) }) as never;
      return l.bidirectional({ layer, mergeMode: d.pick(['concat', 'sum', 'mul', 'ave'] as const) });
    },
  ])();
}

/** Steps that are zero in all (one) features are masked; each layer then takes the mask on. */
const masked: Step = (x, d) => {
  const one = to(x, l.dense({ units: 1, activation: 'tanh' }));
  return maskedRecurrence(to(to(one, l.thresholdedReLU({ theta: 0 })), l.masking({ maskValue: 0 })), d);
};

/** From a sequence with a mask to a vector, or to a sequence without one. */
export const maskedRecurrence: Step = (x, d) => {
  const layer = (returnSequences: boolean) =>
    d.pick(RECURRENT)({ ...PLAIN, units: d.int(1, 4), returnSequences });
  const inner = d.pick(BOOLEANS) ? to(to(x, layer(true)), l.dropout({ rate: 0.2 })) : x;
  return to(inner, layer(false));
};

const pooling: Step = (x, d) => {
  const options = { poolSize: d.int(2, 3), strides: d.int(1, 2), padding: d.pick(PADDINGS) };
  return to(x, d.pick([l.maxPooling1d, l.averagePooling1d])(options));
};

/** Each step a mean of all, weighted by how well they fit. */
const attention: Step = (x, d) => {
  const project = () => to(x, l.dense({ units: d.int(3, 3) }));
  const scores = l
    .dot({ axes: [2, 2], normalize: d.pick(BOOLEANS) })
    .apply([project(), project()]) as Symbolic;
  const weights = to(scores, l.softmax({ axis: -1 }));
  return l.dot({ axes: [2, 1] }).apply([weights, project()]) as Symbolic;
};
