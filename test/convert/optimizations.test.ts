import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { traceableModel } from '../../convert/model_conversion.ts';
import { type InputSpec, type TracedFunction, trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';
import { randomModel } from './random/models.ts';
import { optimizationDifference } from './support/optimizers.ts';

const MODELS = 20;

/** To TensorFlow.js. */
const RELATIVE = 1e-4;

/** Of the largest value: optimized kernels sum in another order. */
const OPTIMIZED = 1e-5;

tf.env().set('PROD', true);
await tf.setBackend('cpu');
const images = { name: 'image', shape: [null, 4, 4, 3] };

describe("onnxruntime's graph optimizations change nothing but rounding", () => {
  const unchanged = async (
    fn: TracedFunction,
    inputs: readonly InputSpec[],
    { seed = 1, range = [-1, 1] }: { seed?: number; range?: readonly [number, number] } = {},
  ) => {
    const difference = await optimizationDifference(trace(fn, inputs), inputs, { batch: 2, seed, range });
    assert.ok(difference <= OPTIMIZED, `relative difference ${difference}`);
  };

  for (let seed = 1; seed <= MODELS; seed++)
    test(`of random model ${seed}`, () => {
      const { model, range } = randomModel(seed);
      const { fn, inputs } = traceableModel(model);
      return unchanged(fn, inputs, { seed, range });
    });

  const border = (x: tf.Tensor) =>
    tf.pad(tf.neg(tf.abs(x)) as tf.Tensor4D, [
      [0, 0],
      [1, 3],
      [2, 1],
      [0, 0],
    ]);
  const filter = tf.randomNormal<tf.Rank.R4>([2, 2, 3, 16], 0, 1, 'float32', 1);
  const wide = (x: tf.Tensor) => tf.conv2d(x as tf.Tensor4D, filter, 1, 'same');
  const after: Record<string, (x: tf.Tensor4D) => tf.Tensor> = {
    'max pooling, valid': (x) => tf.maxPool(x, 2, 2, 'valid'),
    'max pooling, same': (x) => tf.maxPool(x, 3, 2, 'same'),
    'average pooling, valid': (x) => tf.avgPool(x, 2, 2, 'valid'),
    'average pooling, same': (x) => tf.avgPool(x, 3, 2, 'same'),
    'a step that is nothing, and max pooling': (x) =>
      tf.maxPool(tf.mul(tf.cast(x, 'float32'), 1), 2, 1, 'valid'),
  };
  for (const [name, pool] of Object.entries(after))
    test(`of a border of zeros and ${name}`, async () => {
      for (const before of [(x: tf.Tensor) => x, wide]) {
        const fn = (x: tf.Tensor) => ({ y: pool(border(before(x))) });
        await unchanged(fn, [images]);
        const result = await compare(fn, trace(fn, [images]), [images], { range: [-1, 1] });
        assert.ok(result.relative <= RELATIVE, `relative difference to TensorFlow.js ${result.relative}`);
      }
    });
});
