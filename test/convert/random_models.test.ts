/** Random models over all layers, converted and compared; `bench -- parity` does the same with more of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { traceableModel } from '../../convert/model_conversion.ts';
import { layerClasses } from '../../convert/page.ts';
import { trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';
import { FAMILY_NAMES, layerClassesOf, randomModel } from './random/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

/** That the benchmark compares, unless it is asked for another number. */
const BENCHMARK = 300;
/** Each family four times. */
const MODELS = 4 * FAMILY_NAMES.length;
const RELATIVE = 1e-4;

test(`every layer class occurs in the ${BENCHMARK} models of the benchmark`, () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= BENCHMARK; seed++) {
    const { model } = randomModel(seed);
    for (const name of layerClassesOf(model)) found.add(name);
    model.dispose();
  }
  const left = layerClasses().filter((name) => !found.has(name));
  assert.deepEqual(left, ['Functional']); // what Keras calls a Model since its version 2.3
});

describe('random models agree with TensorFlow.js at batch 1, 3 and 8', () => {
  for (let seed = 1; seed <= MODELS; seed++)
    test(`${randomModel(seed).family}, ${seed}`, async (t) => {
      const { model, range } = randomModel(seed);
      const { fn, inputs } = traceableModel(model);
      t.diagnostic(model.layers.map((layer) => layer.getClassName()).join(' '));
      const result = await compare(fn, trace(fn, inputs), inputs, { seed, range });
      assert.ok(result.compared >= 12, `only ${result.compared} elements were compared`);
      assert.ok(
        result.relative <= RELATIVE,
        `relative difference ${result.relative} at batch ${result.batch}`,
      );
    });
});
