import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { OnnxBackend } from '../../../convert/backend.ts';
import { elements } from '../../../convert/shapes.ts';
import { assertClose, randomArray, seeded } from './numbers.ts';

/** One use of a TensorFlow.js operation, with inputs drawn from `range`. */
export interface Case {
  name: string;
  shapes: number[][];
  fn: (...inputs: tf.Tensor[]) => tf.Tensor;
  range?: [number, number];
  /**
   * Where the expected gradient comes from: TensorFlow.js' cpu backend (default); `linear`, finite differences of
   * the cpu backend's forward pass with a wide step, exact for linear functions; or `none`, no gradient exists.
   */
  gradient?: 'cpu' | 'linear' | 'none';
  /** Cast inputs to int32 first, in the graph: small int32 data would be computed on the host. */
  integers?: boolean;
}

const STEP = 0.5;

/**
 * Compares one case, forward and gradient, and proves that onnxruntime computed it. `tolerance` is relative to the value,
 * and to 0.1 for smaller ones.
 */
export async function compareCase(
  c: Case,
  onnx: OnnxBackend,
  seed: number,
  tolerance: number,
): Promise<void> {
  const within = { relative: tolerance, absolute: 0.1 * tolerance };
  const random = seeded(seed);
  const [low, high] = c.range ?? [-2, 2];
  const values = c.shapes.map((shape) => randomArray(elements(shape), random, low, high));
  const expected = await evaluate('cpu', c, values);
  const runs = onnx.statistics.runs;
  const got = await evaluate('onnx', c, values);
  assert.ok(onnx.statistics.runs > runs, 'onnxruntime did not run');
  assertClose(got.forward, expected.forward, { ...within, what: 'forward' });
  expected.gradients.forEach((gradient, i) => {
    assertClose(got.gradients[i]!, gradient, { ...within, what: `gradient of input ${i}` });
  });
}

interface Evaluation {
  forward: ArrayLike<number>;
  gradients: Array<ArrayLike<number>>;
}

async function evaluate(
  backend: 'cpu' | 'onnx',
  c: Case,
  values: readonly Float32Array[],
): Promise<Evaluation> {
  await tf.setBackend(backend);
  const tensors = (data: readonly Float32Array[]) => data.map((v, i) => tf.tensor(v.slice(), c.shapes[i]!));
  const fn: Case['fn'] = (...xs) => c.fn(...(c.integers ? xs.map((x) => tf.cast(x, 'int32')) : xs));
  const inputs = tensors(values);
  const forward = await fn(...inputs).data();
  if (c.gradient === 'none') return { forward, gradients: [] };
  const loss = (...xs: tf.Tensor[]) => weightedSum(fn(...xs));
  if (backend === 'cpu' && c.gradient === 'linear')
    return { forward, gradients: finiteDifferences(loss, values, tensors) };
  const gradients = tf.grads(loss)(inputs);
  return { forward, gradients: await Promise.all(gradients.map((g) => g.data())) };
}

/** Weights differ from element to element, so that a misplaced gradient shows. */
function weightedSum(y: tf.Tensor): tf.Scalar {
  const weights = Float32Array.from({ length: y.size }, (_, i) => Math.sin(i) + 0.3);
  return tf.sum(tf.mul(y, tf.tensor(weights, y.shape)));
}

function finiteDifferences(
  loss: (...inputs: tf.Tensor[]) => tf.Scalar,
  values: readonly Float32Array[],
  tensors: (data: readonly Float32Array[]) => tf.Tensor[],
): Float32Array[] {
  const at = (input: number, element: number, step: number) => {
    const moved = values.map((v) => v.slice());
    moved[input]![element]! += step;
    return tf.tidy(() => loss(...tensors(moved)).dataSync()[0]!);
  };
  return values.map((v, i) => v.map((_, j) => (at(i, j, STEP) - at(i, j, -STEP)) / (2 * STEP)));
}
