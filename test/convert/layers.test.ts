/** Every layer class of TensorFlow.js, converted and compared, at sizes drawn from stated ranges. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers, model, type SymbolicTensor, sequential } from '@tensorflow/tfjs-layers';
import { traceableModel } from '../../convert/model_conversion.ts';
import { type TracedFunction, trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';
import { ACTIVATIONS, LAYER_CLASS_CASES } from './cases/layer_classes.ts';
import { drawing } from './support/draw.ts';
import { seedWeights } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const DRAWS = 2;

/** Largest difference to TensorFlow.js, of an element or of 1 % of the largest: single precision, summed in another order. */
const RELATIVE = 1e-4;

describe('models of each layer class agree with TensorFlow.js at batch 1, 3 and 8', () => {
  LAYER_CLASS_CASES.forEach(({ classes, build, range = [-1, 1] }, i) => {
    test(`${classes.join(', ')} (${i})`, async () => {
      for (let seed = 1; seed <= DRAWS; seed++) {
        const built = build(drawing(100 * i + seed));
        const found = classesOf(built.layers);
        for (const name of classes) assert.ok(found.has(name), `the model has no ${name}`);
        seedWeights(built, seed);
        const { fn, inputs } = traceableModel(built);
        const difference = await compare(fn, trace(fn, inputs), inputs, { seed, range });
        const sizes = inputs.map(({ shape }) => `[${shape}]`).join(' ');
        assert.ok(difference.compared > 0);
        assert.ok(difference.relative <= RELATIVE, `${difference.relative} of ${sizes}, draw ${seed}`);
      }
    });
  });
});

/** Classes that are no layer of a model on their own, and those that hold others. */
const PARTS = new Set([
  'InputLayer', // every model above has one
  'Functional', // what Keras calls a Model since its version 2.3
  // Cells, inside of RNN or ConvLSTM2D above.
  'SimpleRNNCell',
  'GRUCell',
  'LSTMCell',
  'StackedRNNCells',
  'ConvLSTM2DCell',
]);

test('no layer class of TensorFlow.js is left out', () => {
  const covered = new Set(LAYER_CLASS_CASES.flatMap(({ classes }) => classes));
  const left = layerClasses().filter((name) => !covered.has(name) && !PARTS.has(name));
  assert.deepEqual(left, []);
});

test('no activation of TensorFlow.js is left out', () => {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const known = Object.keys(classNameMap).filter((name) => {
    const instance = Object.create(classNameMap[name]![0].prototype) as { apply?: unknown };
    return /^[a-z]/.test(name) && typeof instance.apply === 'function';
  });
  assert.ok(known.length >= 15, known.join());
  assert.deepEqual(
    known.filter((name) => !(ACTIVATIONS as readonly string[]).includes(name)),
    [],
  );
});

test('a layer class of the caller converts like any other', async () => {
  class Doubled extends layers.Layer {
    static readonly className = 'Doubled';
    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.mul([inputs].flat()[0]!, 2);
    }
  }
  const input = layers.input({ shape: [3] });
  const { fn, inputs } = traceableModel(
    model({ inputs: input, outputs: new Doubled({}).apply(input) as SymbolicTensor }),
  );
  const { relative } = await compare(fn, trace(fn, inputs), inputs);
  assert.ok(relative <= RELATIVE, `${relative}`);
});

test('batch normalization of another axis than the last follows its definition', async () => {
  // tfjs-backend-cpu takes the wrong channel's numbers there, so that it cannot be the reference.
  const axis = 1;
  const normalize = layers.batchNormalization({ axis, epsilon: 0.1 });
  const input = layers.input({ shape: [2, 3, 4] });
  const built = model({ inputs: input, outputs: normalize.apply(input) as SymbolicTensor });
  seedWeights(built, 1);
  const { fn, inputs } = traceableModel(built);
  const [gamma, beta, mean, variance] = normalize.getWeights().map((w) => tf.reshape(w, [1, -1, 1, 1]));
  const defined = (x: tf.Tensor) => {
    const deviation = tf.sqrt(tf.add(variance!, 0.1));
    return tf.add(tf.mul(tf.div(tf.sub(x, mean!), deviation), gamma!), beta!);
  };
  const name = Object.keys(tf.tidy(() => fn(tf.zeros([1, 2, 3, 4]))))[0]!;
  const { relative } = await compare((x) => ({ [name]: defined(x!) }), trace(fn, inputs), inputs);
  assert.ok(relative <= RELATIVE, `${relative}`);
  assert.ok((await compare(fn, trace(fn, inputs), inputs)).relative <= RELATIVE, 'the function to trace');
});

test("batch normalization with its axis in a list, as Python's Keras 2 saves it, is that of the axis alone", async () => {
  for (const axis of [1, 3]) {
    const [alone, listed] = [axis, [axis] as unknown as number].map((given) => {
      const input = layers.input({ shape: [2, 3, 4] });
      const normalize = layers.batchNormalization({ axis: given, name: `axis_${axis}` });
      const built = model({ inputs: input, outputs: normalize.apply(input) as SymbolicTensor });
      seedWeights(built, 1);
      return traceableModel(built);
    });
    const onnx = trace(listed!.fn, listed!.inputs);
    const reference: TracedFunction = (...x) =>
      Object.fromEntries(named(alone!.fn(...x), listed!.outputNames));
    assert.ok((await compare(reference, onnx, listed!.inputs)).relative <= RELATIVE, `axis ${axis}`);
  }
  const input = layers.input({ shape: [2, 3, 4] });
  const several = layers.batchNormalization({ axis: [1, 3] as unknown as number, name: 'several' });
  assert.throws(() => {
    const built = model({ inputs: input, outputs: several.apply(input) as SymbolicTensor });
    const { fn, inputs } = traceableModel(built);
    trace(fn, inputs);
  }, /several|axis/i);
});

const named = (outputs: Record<string, tf.Tensor>, names: readonly string[]) =>
  Object.values(outputs).map((tensor, i) => [names[i]!, tensor] as const);

test('a stateful layer keeps its own state while it is converted', async () => {
  const lstm = layers.lstm({
    recurrentInitializer: 'glorotUniform',
    units: 2,
    stateful: true,
    batchInputShape: [1, 3, 2],
  });
  const recurrent = sequential({ layers: [lstm] });
  const x = tf.ones([1, 3, 2]);
  const [first, second] = [0, 1].map(() => [...(recurrent.predict(x) as tf.Tensor).dataSync()]);
  assert.notDeepEqual(first, second);
  lstm.resetStates();
  recurrent.predict(x);
  const { fn, inputs } = traceableModel(recurrent);
  trace(fn, inputs);
  assert.deepEqual([...(recurrent.predict(x) as tf.Tensor).dataSync()], second);
});

function classesOf(list: readonly layers.Layer[]): ReadonlySet<string> {
  return new Set(
    list.flatMap((layer) => {
      const { layer: wrapped, forwardLayer } = layer as unknown as Record<string, layers.Layer | undefined>;
      return [layer, wrapped, forwardLayer].flatMap((each) => each?.getClassName() ?? []);
    }),
  );
}

/** Every class that is registered as a layer, or as a cell of a recurrent one. */
function layerClasses(): string[] {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const isLayer = (name: string) => {
    const { prototype } = classNameMap[name]![0];
    return prototype instanceof layers.Layer || prototype instanceof layers.RNNCell;
  };
  return Object.keys(classNameMap).filter(isLayer);
}
