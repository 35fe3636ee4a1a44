/** GRU with `reset_after`, Keras' default: its formulas, step by step. */
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { drawing } from './support/draw.ts';
import { type Grid, gridOf, sum } from './support/grids.ts';
import { assertFormula, type SavedLayer, savedLayers, type Weights } from './support/saved_layers.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));

interface Way {
  readonly backwards?: boolean;
  /** Steps of zeros leave the state as it is. */
  readonly masked?: boolean;
  /** Masked steps give zeros. */
  readonly zeros?: boolean;
}

/** All states, in the order in which the steps are taken: by example, step and unit. */
function states(
  x: Grid,
  kernel: Grid,
  recurrent: Grid,
  bias: Grid | undefined,
  { backwards = false, masked = false, zeros = false }: Way = {},
): number[][][] {
  const [examples, steps, features] = x.shape as [number, number, number];
  const units = recurrent.shape[0]!;
  return Array.from({ length: examples }, (_, n) => {
    let state = Array.from({ length: units }, () => 0);
    return Array.from({ length: steps }, (_, step) => {
      const t = backwards ? steps - 1 - step : step;
      const given = (column: number) =>
        sum(features, (f) => x.at(n, t, f) * kernel.at(f, column)) + (bias?.at(0, column) ?? 0);
      const inner = (column: number) =>
        sum(units, (u) => state[u]! * recurrent.at(u, column)) + (bias?.at(1, column) ?? 0);
      const next = state.map((before, u) => {
        const update = sigmoid(given(u) + inner(u));
        const reset = sigmoid(given(units + u) + inner(units + u));
        const fresh = Math.tanh(given(2 * units + u) + reset * inner(2 * units + u));
        return update * before + (1 - update) * fresh;
      });
      const left = masked && sum(features, (f) => Math.abs(x.at(n, t, f))) === 0;
      if (!left) state = next;
      return left && zeros ? state.map(() => 0) : state;
    });
  });
}

const flat = (values: number[][][]) => values.flat(2);
const last = (values: number[][][]) => values.map((steps) => [steps.at(-1)!]);

function weightsOf(features: number, units: number, bias = true) {
  return {
    kernel: [features, 3 * units],
    recurrent_kernel: [units, 3 * units],
    ...(bias && { bias: [2, 3 * units] }),
  };
}

const settings = { activation: 'tanh', recurrent_activation: 'sigmoid', reset_after: true };
const rectified: SavedLayer = { class_name: 'ReLU' };
const masking: SavedLayer = { class_name: 'Masking', config: { mask_value: 0 } };
const relu = (x: Grid): Grid =>
  gridOf(
    x.shape,
    x.values.map((value) => Math.max(0, value)),
  );

for (const seed of [1, 2, 3, 7, 9]) {
  const d = drawing(seed);
  const [steps, features, units] = [d.int(2, 6), d.int(1, 3), d.int(1, 4)];
  const sequences = seed % 2 === 0;
  const [backwards, use_bias, masked] = Array.from({ length: 3 }, () => d.pick([true, false]));
  const title = JSON.stringify({ steps, features, units, sequences, backwards, use_bias, masked });
  const { kernel, recurrent_kernel, bias } = weightsOf(features, units);
  const weights = (within = '') => ({
    [`${within}kernel`]: kernel,
    [`${within}recurrent_kernel`]: recurrent_kernel,
    ...(use_bias && { [`${within}bias`]: bias! }),
  });
  const before = masked ? [rectified, masking] : [];
  const formula =
    (within: string) =>
    ([given]: readonly Grid[], held: Weights): Grid => {
      const x = masked ? relu(given!) : given!;
      const [k, r, b] = ['kernel', 'recurrent_kernel', 'bias'].map((name) => held[within + name]);
      const all = states(x, k!, r!, b, { backwards: backwards!, masked: masked! });
      return sequences
        ? gridOf([x.shape[0]!, steps, units], flat(all))
        : gridOf([x.shape[0]!, units], flat(last(all)));
    };
  const direction = { return_sequences: sequences, go_backwards: backwards };

  test(`GRU ${title}`, async () => {
    const gru: SavedLayer = {
      class_name: 'GRU',
      config: { ...settings, ...direction, units, use_bias },
      weights: weights('gru_cell/'),
    };
    await assertFormula(savedLayers([[steps, features]], [...before, gru]), formula('gru_cell/'));
  });

  test(`RNN of a GRUCell ${title}`, async () => {
    const cell = { class_name: 'GRUCell', config: { ...settings, name: 'cell', units, use_bias } };
    const rnn: SavedLayer = { class_name: 'RNN', config: { ...direction, cell }, weights: weights('cell/') };
    await assertFormula(savedLayers([[steps, features]], [...before, rnn]), formula('cell/'));
  });
}

const cell = { class_name: 'GRUCell', config: { ...settings, name: 'gru_cell', units: 2 } };
for (const [what, layer] of [
  ['GRU', { class_name: 'GRU', config: { ...settings, name: 'gru', units: 2, return_sequences: true } }],
  ['RNN of a GRUCell', { class_name: 'RNN', config: { name: 'gru', cell, return_sequences: true } }],
] as const)
  test(`${what} in both directions, behind a mask: masked steps give zeros, as Keras has it there`, async () => {
    const [steps, features, units] = [5, 1, 2];
    const weights = Object.fromEntries(
      ['forward', 'backward'].flatMap((way) =>
        Object.entries(weightsOf(features, units)).map(([name, shape]) => [
          `${way}_gru/gru_cell/${name}`,
          shape,
        ]),
      ),
    );
    const both: SavedLayer = { class_name: 'Bidirectional', config: { layer, merge_mode: 'sum' }, weights };
    await assertFormula(savedLayers([[steps, features]], [rectified, masking, both]), ([given], held) => {
      const x = relu(given!);
      const [forward, backward] = ['forward', 'backward'].map((way) => {
        const of = (name: string) => held[`${way}_gru/gru_cell/${name}`]!;
        const how = { backwards: way === 'backward', masked: true, zeros: true };
        const all = states(x, of('kernel'), of('recurrent_kernel'), of('bias'), how);
        return flat(how.backwards ? all.map((one) => one.toReversed()) : all);
      });
      return gridOf(
        [x.shape[0]!, steps, units],
        forward!.map((value, i) => value + backward![i]!),
      );
    });
  });

test('cells in a list, of which each has its own form, under the names that Keras gives their weights', async () => {
  const one = (name: string, units: number) => ({
    class_name: 'GRUCell',
    config: { ...settings, name, units },
  });
  const cells = { class_name: 'StackedRNNCells', config: { cells: [one('one', 2), one('two', 3)] } };
  const sizes = { one: [2, 2], two: [2, 3] } as const;
  const weights = Object.fromEntries(
    Object.entries(sizes).flatMap(([name, [features, units]]) =>
      Object.entries(weightsOf(features, units)).map(([weight, shape]) => [
        `stacked_rnn_cells/${name}/${weight}`,
        shape,
      ]),
    ),
  );
  const rnn: SavedLayer = { class_name: 'RNN', config: { cell: cells }, weights };
  await assertFormula(savedLayers([[4, 2]], [rnn]), ([x], held) => {
    const run = (given: Grid, name: string) => {
      const of = (weight: string) => held[`stacked_rnn_cells/${name}/${weight}`]!;
      return states(given, of('kernel'), of('recurrent_kernel'), of('bias'));
    };
    const first = run(x!, 'one');
    const second = run(gridOf([x!.shape[0]!, 4, 2], flat(first)), 'two');
    return gridOf([x!.shape[0]!, 3], flat(last(second)));
  });
});

for (const [version, merged] of [
  ['2.15.0', (a: boolean, b: boolean) => a && b],
  ['3.15.1', (a: boolean, b: boolean) => a || b],
] as const)
  test(`the mask of a sum of masked sequences, by Keras ${version}`, async () => {
    const units = 2;
    const call = (histories: Array<[string, number]>) => {
      const tensors = histories.map(([name, node]) => ({
        ...{ class_name: '__keras_tensor__', config: { keras_history: [name, node, 0] } },
      }));
      return { args: tensors.length === 1 ? tensors : [tensors], kwargs: {} };
    };
    const uses = (...each: Array<Array<[string, number]>>) =>
      version.startsWith('3')
        ? each.map(call)
        : each.map((use) => use.map(([name, node]) => [name, node, 0, {}]));
    const saved = savedLayers(
      [
        [4, 1],
        [4, 1],
      ],
      [
        { ...rectified, from: uses([['input_0', 0]], [['input_1', 0]]) },
        { ...masking, from: uses([['layer_0', 0]], [['layer_0', 1]]) },
        {
          class_name: 'Add',
          from: uses([
            ['layer_1', 0],
            ['layer_1', 1],
          ]),
        },
        {
          class_name: 'GRU',
          config: { ...settings, units },
          from: uses([['layer_2', 0]]),
          weights: Object.fromEntries(
            Object.entries(weightsOf(1, units)).map(([name, shape]) => [`gru_cell/${name}`, shape]),
          ),
        },
      ],
      version,
    );
    await assertFormula(saved, ([first, second], held) => {
      const [a, b] = [relu(first!), relu(second!)];
      const [batch] = a.shape as [number];
      const of = (name: string) => held[`gru_cell/${name}`]!;
      return gridOf(
        [batch, units],
        Array.from({ length: batch }, (_, n) => {
          const steps = [0, 1, 2, 3].filter((t) => merged(a.at(n, t, 0) > 0, b.at(n, t, 0) > 0));
          if (steps.length === 0) return [0, 0];
          const x = gridOf(
            [1, steps.length, 1],
            steps.map((t) => a.at(n, t, 0) + b.at(n, t, 0)),
          );
          return states(x, of('kernel'), of('recurrent_kernel'), of('bias'))[0]!.at(-1)!;
        }).flat(),
      );
    });
  });
