/** Bidirectional of Keras against its definition, step by step: masked steps, and a way back of its own, as Keras 2 and 3 save it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { inKerasForms } from '../../convert/keras_forms.ts';
import { asKeras2 } from '../../convert/keras3.ts';
import { loadLayers } from '../../convert/load_layers.ts';
import { assertComputes } from './support/computes.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const [STEPS, FEATURES] = [5, 2];

/** A recurrent layer of `units`, whose activation is linear or relu. */
interface Way {
  readonly name: string;
  readonly units: number;
  readonly activation: 'linear' | 'relu';
}

type Weights = [kernel: tf.Tensor2D, recurrent: tf.Tensor2D];
type Merge = 'concat' | 'sum';

/** Two names for each: the layer within the model's JSON, and where its weights are. */
const NAMES = {
  2: { layer: (name: string) => name, weights: (way: string, name: string) => `${way}_${name}` },
  3: {
    layer: (name: string, way: string) => (way === 'forward' ? `forward_${name}` : name),
    weights: (way: string, name: string) => (way === 'forward' ? `forward_${name}` : name),
  },
} as const;

const FORWARD: Way = { name: 'simple_rnn', units: 2, activation: 'linear' };

/** relu -> Masking -> Bidirectional. Weights lie at random in the order forward, backward. */
function saved(version: 2 | 3, back: Way | undefined, merge: Merge, sequences: boolean) {
  const named = NAMES[version];
  const described = ({ name, units, activation }: Way, way: 'forward' | 'backward') => ({
    ...{ module: 'keras.layers', class_name: 'SimpleRNN', registered_name: null },
    config: {
      ...{ name: named.layer(name, way), trainable: true, dtype: 'float32', use_bias: false },
      ...{ units, activation, return_sequences: sequences, return_state: false, stateful: false },
      ...{ go_backwards: way === 'backward', unroll: false, zero_output_for_mask: false },
    },
  });
  // Keras 3 always writes the way back down, Keras 2 one of its own alone.
  const written = back ?? (version === 3 ? { ...FORWARD, name: `backward_${FORWARD.name}` } : undefined);
  const both = {
    name: 'both',
    trainable: true,
    dtype: 'float32',
    merge_mode: merge,
    layer: described(FORWARD, 'forward'),
    ...(written && { backward_layer: described(written, 'backward') }),
  };
  const entrance = {
    name: 'x',
    [version === 3 ? 'batch_shape' : 'batch_input_shape']: [null, STEPS, FEATURES],
  };
  const layers = [
    { class_name: 'InputLayer', config: { ...entrance, dtype: 'float32' } },
    { class_name: 'ReLU', config: { name: 'above', dtype: 'float32' } },
    { class_name: 'Masking', config: { name: 'masked', dtype: 'float32', mask_value: 0 } },
    { class_name: 'Bidirectional', config: both },
  ];
  const ways = [FORWARD, back ?? FORWARD].map(({ name, units }, i) => {
    const at = `both/${back === undefined && i === 1 ? `backward_${name}` : named.weights(i === 0 ? 'forward' : 'backward', name)}`;
    const numbers: Weights = [
      tf.randomUniform([FEATURES, units], -1, 1, 'float32', 7 + i),
      tf.randomUniform([units, units], -1, 1, 'float32', 17 + i),
    ];
    const specs = numbers.map(({ shape }, k) => ({
      ...{
        name: `${at}/simple_rnn_cell/${['kernel', 'recurrent_kernel'][k]}`,
        shape,
        dtype: 'float32' as const,
      },
    }));
    return { numbers, specs };
  });
  const numbers = ways.flatMap((way) => way.numbers);
  const artifacts: tf.io.ModelArtifacts = {
    modelTopology: {
      keras_version: version === 3 ? '3.15.1' : '2.15.0',
      model_config: { class_name: 'Sequential', config: { name: 'sequential', layers } },
    },
    weightSpecs: ways.flatMap(({ specs }) => specs),
    weightData: tf.io.concatenateArrayBuffers(numbers.map((one) => new Float32Array(one.dataSync()).buffer)),
  };
  return { artifacts, weights: ways.map((way) => way.numbers) as [Weights, Weights] };
}

/** Results of every step in the order of the input: zeros where it is masked, and the state goes on from the step before. */
function walked(x: tf.Tensor, [kernel, recurrent]: Weights, { units, activation }: Way, back: boolean) {
  const act = activation === 'relu' ? tf.relu : (sum: tf.Tensor) => sum;
  const steps = tf.unstack(x, 1) as tf.Tensor2D[];
  let state: tf.Tensor2D = tf.zeros([x.shape[0]!, units]);
  const results: tf.Tensor[] = [];
  for (const [i, step] of back ? [...steps.entries()].reverse() : steps.entries()) {
    const next = act(tf.add(tf.matMul(step, kernel), tf.matMul(state, recurrent)));
    const on = tf.cast(tf.any(tf.notEqual(step, 0), 1, true), 'float32');
    state = tf.add(tf.mul(on, next), tf.mul(tf.sub(1, on), state));
    results[i] = tf.mul(on, next);
  }
  return { results: tf.stack(results, 1), last: state };
}

const OWN: Way = { name: 'way_back', units: 3, activation: 'relu' };
const ALIKE: Way = { ...OWN, units: FORWARD.units };

for (const version of [2, 3] as const)
  for (const [what, back, merge, sequences] of [
    ['every step, of which some are masked', undefined, 'concat', true],
    ['the sum of every step, of which some are masked', undefined, 'sum', true],
    ['the last step', undefined, 'concat', false],
    ['another layer for the way back', OWN, 'concat', true],
    ['another layer for the way back, the last step', OWN, 'concat', false],
    ['another layer for the way back, added', ALIKE, 'sum', true],
  ] as const)
    test(`Keras ${version}: ${what}`, async () => {
      const { artifacts, weights } = saved(version, back, merge, sequences);
      const model = await loadLayers(inKerasForms(asKeras2(artifacts)));
      if (back?.units === OWN.units && merge === 'concat')
        assert.equal(model.outputs[0]!.shape.at(-1), FORWARD.units + OWN.units);
      await assertComputes(model, (x) => {
        const steps = tf.relu(x);
        const ways = [
          walked(steps, weights[0], FORWARD, false),
          walked(steps, weights[1], back ?? FORWARD, true),
        ].map(({ results, last }) => (sequences ? results : last));
        return merge === 'sum' ? tf.add(ways[0]!, ways[1]!) : tf.concat(ways, -1);
      });
    });
