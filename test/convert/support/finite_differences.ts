import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { OnnxBackend } from '../../../convert/backend.ts';
import { elements } from '../../../convert/shapes.ts';
import { assertClose, seeded } from './numbers.ts';

/** A differentiable use of TensorFlow.js, at a batch of at least two wherever there is a batch. */
export interface GradientCase {
  name: string;
  shapes: number[][];
  fn: (...inputs: tf.Tensor[]) => tf.Tensor;
  /** Between which numbers the inputs lie. Default -2 and 2. */
  range?: readonly [number, number];
}

/** Central differences of fourth order reach two steps to each side. */
const STEP = 0.01;
/** Inputs lie at least this far apart, so that no maximum and no order changes within a step. */
const SMALLEST_GAP = 4.5 * STEP;
/** Rounding of the forward pass, 1e-7 of values up to 10, over a step; sums of up to a hundred such terms. */
const TOLERANCE = { relative: 2e-3, absolute: 1e-3 };

/** Compares the gradient of every input on our backend with finite differences of TensorFlow.js' forward pass. */
export async function compareWithDifferences(
  c: GradientCase,
  onnx: OnnxBackend,
  seed: number,
): Promise<void> {
  const values = distinctValues(c, seed);
  const tensors = (data: readonly Float32Array[]) => data.map((v, i) => tf.tensor(v, c.shapes[i]!));
  await tf.setBackend('onnx');
  const { runs } = onnx.statistics;
  const inputs = tensors(values);
  const gradients = tf.tidy(() => tf.grads((...xs) => weightedSum(c.fn(...xs)))(inputs));
  const got = await Promise.all(gradients.map((gradient) => gradient.data()));
  tf.dispose([inputs, gradients]);
  assert.ok(onnx.statistics.runs > runs, 'onnxruntime did not run');
  await tf.setBackend('cpu');
  const at = (input: number, element: number, steps: number) => {
    const moved = values.map((v) => v.slice());
    moved[input]![element]! += steps * STEP;
    return sumInDouble(tf.tidy(() => c.fn(...tensors(moved)).dataSync()));
  };
  values.forEach((v, i) => {
    const expected = Array.from(v, (_, j) => {
      const [far, near] = [at(i, j, 2) - at(i, j, -2), at(i, j, 1) - at(i, j, -1)];
      return (8 * near - far) / (12 * STEP);
    });
    assertClose(got[i]!, expected, { ...TOLERANCE, what: `${c.name}, gradient of input ${i}` });
  });
}

/** Evenly spaced numbers over the range, over all inputs, in an order drawn from the seed. */
function distinctValues({ name, shapes, range = [-2, 2] }: GradientCase, seed: number): Float32Array[] {
  const sizes = shapes.map((shape) => elements(shape));
  const count = sizes.reduce((a, b) => a + b);
  const gap = (range[1] - range[0]) / count;
  assert.ok(
    gap >= SMALLEST_GAP,
    `${name}: ${count} values from ${range.join(' to ')} are too close together`,
  );
  const random = seeded(seed);
  const order = Array.from({ length: count }, (_, i) => ({
    value: range[0] + (i + 0.5) * gap,
    at: random(),
  }));
  const values = order.sort((a, b) => a.at - b.at).map(({ value }) => value);
  return sizes.map((size) => Float32Array.from(values.splice(0, size)));
}

/** Weights differ from element to element, so that a misplaced gradient shows. */
function weightOf(i: number): number {
  return Math.sin(i) + 0.3;
}

function weightedSum(y: tf.Tensor): tf.Scalar {
  const weights = Float32Array.from({ length: y.size }, (_, i) => weightOf(i));
  return tf.sum(tf.mul(y, tf.tensor(weights, y.shape)));
}

function sumInDouble(y: ArrayLike<number>): number {
  return Array.from(y).reduce((sum, value, i) => sum + value * Math.fround(weightOf(i)), 0);
}
