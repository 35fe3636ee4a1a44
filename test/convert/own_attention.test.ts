/** Attention as Keras saves it: softmax of scores, place by place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { readable } from '../../convert/source.ts';
import { type Grid, grid, gridOf, sum } from './support/grids.ts';
import { assertFormula, type SavedLayer, savedLayers, type Weights } from './support/saved_layers.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

interface Looking {
  readonly steps: number;
  readonly others: number;
  /** Of the places of one example. */
  readonly score: (n: number, t: number, s: number) => number;
  readonly through?: (n: number, t: number, s: number) => boolean;
}

/** What each place of a query takes of the others; one that may look nowhere takes all alike. */
function looks({ others, score, through = () => true }: Looking, n: number, t: number): number[] {
  const scores = Array.from({ length: others }, (_, s) => score(n, t, s));
  const open = scores.map((_, s) => through(n, t, s));
  const most = Math.max(...scores);
  const powers = scores.map((one, s) => (!open.includes(true) ? 1 : open[s] ? Math.exp(one - most) : 0));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

const history = (name: string, use = 0) => [name, use, 0];
const tensor = (name: string, use = 0) => [...history(name, use), {}];

interface Heads {
  readonly heads: number;
  readonly size: number;
  readonly valueSize: number;
  readonly out: number;
  readonly bias: boolean;
}

function weightsOfHeads({ heads, size, valueSize, out, bias }: Heads, features: readonly number[]) {
  const [query, key, value] = features;
  return {
    'query/kernel': [query!, heads, size],
    'key/kernel': [key!, heads, size],
    'value/kernel': [value!, heads, valueSize],
    'attention_output/kernel': [heads, valueSize, out],
    ...(bias && {
      'query/bias': [heads, size],
      'key/bias': [heads, size],
      'value/bias': [heads, valueSize],
      'attention_output/bias': [out],
    }),
  };
}

/** tf_keras and keras: MultiHeadAttention. */
function manyHeads(
  { heads, size, valueSize, out }: Heads,
  [query, key, value]: readonly [Grid, Grid, Grid],
  held: Weights,
  through?: Looking['through'],
): Grid {
  const [batch, steps] = query.shape as [number, number];
  const others = key.shape[1]!;
  const projected = (name: string, x: Grid, width: number) =>
    grid(
      [batch, x.shape[1]!, heads, width],
      (n, t, h, c) =>
        sum(x.shape[2]!, (f) => x.at(n!, t!, f) * held[`${name}/kernel`]!.at(f, h!, c!)) +
        (held[`${name}/bias`]?.at(h!, c!) ?? 0),
    );
  const [q, k] = [projected('query', query, size), projected('key', key, size)];
  const v = projected('value', value, valueSize);
  const attended = grid([batch, steps, heads, valueSize], (n, t, h, c) => {
    const score = (_: number, __: number, s: number) =>
      sum(size, (i) => q.at(n!, t!, h!, i) * k.at(n!, s, h!, i)) / Math.sqrt(size);
    const taken = looks({ steps, others, score, ...(through && { through }) }, n!, t!);
    return sum(others, (s) => taken[s]! * v.at(n!, s, h!, c!));
  });
  return grid(
    [batch, steps, out],
    (n, t, o) =>
      sum(heads, (h) =>
        sum(valueSize, (c) => attended.at(n!, t!, h, c) * held['attention_output/kernel']!.at(h, c, o!)),
      ) + (held['attention_output/bias']?.at(o!) ?? 0),
  );
}

const settingsOf = ({ heads, size, valueSize, out, bias }: Heads) => ({
  ...{
    num_heads: heads,
    key_dim: size,
    value_dim: valueSize,
    output_shape: [out],
    use_bias: bias,
    dropout: 0.1,
  },
});

test('MultiHeadAttention of a sequence to itself, with biases', async () => {
  const heads: Heads = { heads: 2, size: 3, valueSize: 2, out: 4, bias: true };
  const layer: SavedLayer = {
    class_name: 'MultiHeadAttention',
    config: settingsOf(heads),
    from: [[[...history('input_0'), { value: history('input_0'), key: null, use_causal_mask: false }]]],
    weights: weightsOfHeads(heads, [3, 3, 3]),
  };
  await assertFormula(savedLayers([[5, 3]], [layer]), ([x], held) => manyHeads(heads, [x!, x!, x!], held));
});

test('MultiHeadAttention of three sequences, which sees no later place', async () => {
  const heads: Heads = { heads: 3, size: 2, valueSize: 1, out: 2, bias: false };
  const called = { value: history('input_1'), key: history('input_2'), use_causal_mask: true };
  const layer: SavedLayer = {
    class_name: 'MultiHeadAttention',
    config: settingsOf(heads),
    from: [[[...history('input_0'), called]]],
    weights: weightsOfHeads(heads, [3, 4, 2]),
  };
  const saved = savedLayers(
    [
      [4, 3],
      [6, 2],
      [6, 4],
    ],
    [layer],
  );
  await assertFormula(saved, ([query, value, key], held) =>
    manyHeads(heads, [query!, key!, value!], held, (_, t, s) => s <= t),
  );
});

const rectified: SavedLayer = { class_name: 'ReLU' };
const masking: SavedLayer = { class_name: 'Masking', config: { mask_value: 0 } };
const relu = (x: Grid) =>
  gridOf(
    x.shape,
    x.values.map((value) => Math.max(0, value)),
  );

test('MultiHeadAttention behind a mask, of both sides, and with a mask that it is given', async () => {
  const heads: Heads = { heads: 2, size: 2, valueSize: 2, out: 3, bias: true };
  const called = { value: history('layer_1'), attention_mask: history('layer_2') };
  const layer: SavedLayer = {
    class_name: 'MultiHeadAttention',
    config: settingsOf(heads),
    from: [[[...history('layer_1'), called]]],
    weights: weightsOfHeads(heads, [1, 1, 1]),
  };
  const saved = savedLayers(
    [
      [4, 1],
      [4, 4],
    ],
    [
      { ...rectified, from: [[tensor('input_0')]] },
      { ...masking, from: [[tensor('layer_0')]] },
      { ...rectified, from: [[tensor('input_1')]] },
      layer,
    ],
  );
  await assertFormula(saved, ([given, mask], held) => {
    const x = relu(given!);
    const through = (n: number, t: number, s: number) =>
      x.at(n, t, 0) > 0 && x.at(n, s, 0) > 0 && mask!.at(n, t, s) > 0;
    return manyHeads(heads, [x, x, x], held, through);
  });
});

/** Of query and key; by the class and its settings. */
const SCORES: Readonly<
  Record<string, [layer: SavedLayer, (q: number[], k: number[], held: Weights) => number]>
> = {
  'Attention by products': [
    { class_name: 'Attention', config: { use_scale: false, score_mode: 'dot' } },
    (q, k) => sum(q.length, (i) => q[i]! * k[i]!),
  ],
  'Attention by products with a scale': [
    { class_name: 'Attention', config: { use_scale: true, score_mode: 'dot' }, weights: { scale: [] } },
    (q, k, { scale }) => scale!.values[0]! * sum(q.length, (i) => q[i]! * k[i]!),
  ],
  'Attention by sums': [
    {
      class_name: 'Attention',
      config: { use_scale: true, score_mode: 'concat' },
      weights: { scale: [], concat_score_weight: [] },
    },
    (q, k, { scale, concat_score_weight: weight }) =>
      weight!.values[0]! * sum(q.length, (i) => Math.tanh(scale!.values[0]! * (q[i]! + k[i]!))),
  ],
  AdditiveAttention: [
    { class_name: 'AdditiveAttention', config: { use_scale: true }, weights: { scale: [2] } },
    (q, k, { scale }) => sum(q.length, (i) => scale!.at(i) * Math.tanh(q[i]! + k[i]!)),
  ],
};

const row = (x: Grid, n: number, t: number) => Array.from({ length: x.shape[2]! }, (_, i) => x.at(n, t, i));

for (const [name, [layer, score]] of Object.entries(SCORES))
  test(name, async () => {
    const call = { use_causal_mask: true };
    const from = [[[...history('input_0'), call], tensor('input_1'), tensor('input_2')]];
    const saved = savedLayers(
      [
        [3, 2],
        [4, 3],
        [4, 2],
      ],
      [{ ...layer, from }],
    );
    await assertFormula(saved, ([query, value, key], held) => {
      const [batch, steps, others] = [query!.shape[0]!, 3, 4];
      const looking: Looking = {
        ...{ steps, others, through: (_, t, s) => s <= t },
        score: (n, t, s) => score(row(query!, n, t), row(key!, n, s), held),
      };
      return grid([batch, steps, 3], (n, t, c) => {
        const taken = looks(looking, n!, t!);
        return sum(others, (s) => taken[s]! * value!.at(n!, s, c!));
      });
    });
  });

test('Attention behind masks of both sides: nothing of what the mask leaves out, and zeros in its places', async () => {
  const layer: SavedLayer = {
    ...{ class_name: 'Attention', config: { use_scale: false, score_mode: 'dot' } },
    from: [[tensor('layer_1', 0), tensor('layer_1', 1)]],
  };
  const saved = savedLayers(
    [
      [3, 1],
      [4, 1],
    ],
    [
      { ...rectified, from: [[tensor('input_0')], [tensor('input_1')]] },
      { ...masking, from: [[tensor('layer_0', 0)], [tensor('layer_0', 1)]] },
      layer,
    ],
  );
  await assertFormula(saved, ([first, second]) => {
    const [query, value] = [relu(first!), relu(second!)];
    const looking: Looking = {
      ...{ steps: 3, others: 4 },
      score: (n, t, s) => query.at(n, t, 0) * value.at(n, s, 0),
      through: (n, _, s) => value.at(n, s, 0) > 0,
    };
    return grid([query.shape[0]!, 3, 1], (n, t) => {
      if (query.at(n!, t!, 0) === 0) return 0;
      const taken = looks(looking, n!, t!);
      return sum(4, (s) => taken[s]! * value.at(n!, s, 0));
    });
  });
});

test('what cannot be said is refused by the name of the layer, with what works instead', async () => {
  const heads: Heads = { heads: 1, size: 2, valueSize: 2, out: 2, bias: false };
  const layer = (from: readonly unknown[], more: object = {}): SavedLayer => ({
    ...{ class_name: 'MultiHeadAttention', config: { ...settingsOf(heads), ...more }, from },
  });
  const self = [[[...history('input_0'), { value: history('input_0') }]]];
  for (const [shape, one, expected] of [
    [
      [4, 4, 2],
      layer(self, { attention_axes: [1, 2] }),
      /layer layer_0 \(MultiHeadAttention\) attends along the axes 1,2/,
    ],
    [[4, 2], layer(self, { output_shape: [2, 3] }), /layer_0 .* results of shape 2,3.*graph model/],
    [[4, 2], layer(self, { sliding_window: 2 }), /layer_0 .* sliding window/],
    [
      [4, 2],
      layer([...self, [[...history('input_0'), { value: history('input_0'), use_causal_mask: true }]]]),
      /layer layer_0 \(MultiHeadAttention\) is used in different ways/,
    ],
    [
      [4, 2],
      {
        class_name: 'Attention',
        from: [[[...history('input_0'), { mask: [null, history('input_0')] }], tensor('input_0')]],
      },
      /layer layer_0 \(Attention\) is called with a mask/,
    ],
  ] as ReadonlyArray<[number[], SavedLayer, RegExp]>)
    await assert.rejects(
      assertFormula(savedLayers([shape], [one]), ([x]) => x!),
      expected,
    );
  const within = { class_name: 'Attention', config: { name: 'within' } };
  const { artifacts } = savedLayers(
    [[2, 4, 2]],
    [{ class_name: 'TimeDistributed', config: { layer: within } }],
  );
  assert.throws(
    () => readable(artifacts),
    /layer within \(Attention\) is used within another layer.*graph model/,
  );
});

test('what a layer is given twice is still there for the next: a sequence, attention of it to itself, and their sum', async () => {
  const heads: Heads = { heads: 1, size: 2, valueSize: 2, out: 3, bias: false };
  const saved = savedLayers(
    [[4, 3]],
    [
      { class_name: 'Activation', config: { activation: 'tanh' } },
      {
        class_name: 'MultiHeadAttention',
        config: settingsOf(heads),
        from: [[[...history('layer_0'), { value: history('layer_0') }]]],
        weights: weightsOfHeads(heads, [3, 3, 3]),
      },
      { class_name: 'Multiply', from: [[tensor('layer_0'), tensor('layer_0')]] },
      { class_name: 'Add', from: [[tensor('layer_0'), tensor('layer_1'), tensor('layer_2')]] },
    ],
  );
  await assertFormula(saved, ([x]) => {
    const t = grid(x!.shape, (...place) => Math.tanh(x!.at(...place)));
    const attended = manyHeads(heads, [t, t, t], saved.weightsOf(1));
    return grid(t.shape, (...place) => t.at(...place) + attended.at(...place) + t.at(...place) ** 2);
  });
});
