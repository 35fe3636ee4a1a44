import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { KERNELS } from '../../convert/kernels/table.ts';
import { ELEMENTWISE_GRADIENTS } from './cases/gradients_elementwise.ts';
import { LAYER_GRADIENTS } from './cases/gradients_layers.ts';
import { SHAPE_GRADIENTS } from './cases/gradients_shape.ts';
import { useOnnx } from './support/backends.ts';
import { compareWithDifferences } from './support/finite_differences.ts';
import { assertClose, randomArray, seeded } from './support/numbers.ts';
import { isGradient, watchRecords } from './support/records.ts';

const onnx = await useOnnx();
const asked = watchGradients();
const recorded = watchRecords(onnx);

for (const [family, cases] of Object.entries({
  elementwise: ELEMENTWISE_GRADIENTS,
  'reduction and shape': SHAPE_GRADIENTS,
  layer: LAYER_GRADIENTS,
}))
  describe(`${family} gradients agree with finite differences`, () => {
    cases.forEach((c, i) => {
      test(c.name, () => compareWithDifferences(c, onnx, 1 + i));
    });
  });

/** Gradients of TensorFlow.js that no case above can ask for. */
const WITHOUT: Readonly<Record<string, string>> = {
  BroadcastTo: 'no operation of TensorFlow.js calls this kernel: tf.broadcastTo calls Tile',
  ComplexAbs: 'neither this backend nor ONNX has complex numbers; the kernel is refused by name',
  LogSoftmax: 'no operation calls this kernel: tf.logSoftmax, above, brings a gradient of its own',
};

test('every gradient that TensorFlow.js has was asked for by some case above', () => {
  const without = gradientNames().filter((name) => !asked.has(name));
  assert.deepEqual(without, Object.keys(WITHOUT));
});

test('every kernel of the table that computes a gradient was recorded by some case above', () => {
  const kernels = Object.keys(KERNELS).filter((kernel) => isGradient(kernel));
  assert.ok(kernels.length > 10, kernels.join());
  assert.deepEqual(
    kernels.filter((kernel) => !recorded.has(kernel)),
    [],
  );
});

test('a dilated convolution has second derivatives: those of the filter with zeros between its taps', async () => {
  await tf.setBackend('onnx');
  const random = seeded(5);
  const x = tf.tensor4d(randomArray(2 * 5 * 5 * 2, random, -1, 1), [2, 5, 5, 2]);
  const filter = tf.tensor4d(randomArray(2 * 2 * 2 * 2, random, -1, 1), [2, 2, 2, 2]);
  const wide = (w: tf.Tensor) => {
    const [rows, columns] = [
      tf.tensor2d([1, 0, 0, 0, 0, 1], [3, 2]),
      tf.tensor2d([1, 0, 0, 0, 0, 1], [3, 2]),
    ];
    const tall = tf.reshape(tf.matMul(rows, tf.reshape(w, [2, 8])), [3, 2, 2, 2]);
    const turned = tf.reshape(tf.transpose(tall, [1, 0, 2, 3]), [2, 12]);
    return tf.transpose(tf.reshape(tf.matMul(columns, turned), [3, 3, 2, 2]), [1, 0, 2, 3]) as tf.Tensor4D;
  };
  const second = (convolve: (x: tf.Tensor4D, w: tf.Tensor4D) => tf.Tensor) => {
    const slope = (w: tf.Tensor) =>
      tf.grad((of: tf.Tensor) => tf.sum(tf.square(convolve(of as tf.Tensor4D, w as tf.Tensor4D))))(x);
    return tf.grad((w: tf.Tensor) => tf.sum(tf.square(slope(w))))(filter);
  };
  const dilated = second((of, w) => tf.conv2d(of, w, 1, 'same', 'NHWC', 2));
  const written = second((of, w) => tf.conv2d(of, wide(w), 1, 'same'));
  const what = { relative: 1e-4, absolute: 1e-3, what: 'second derivative' };
  assertClose(await dilated.data(), await written.data(), what);
});

test('gradients put right here stay as they were for other backends', async () => {
  const slope = async (backend: string) => {
    await tf.setBackend(backend);
    const x = tf.tensor1d([5, 7, 9]);
    return [
      ...(await tf
        .grad((of: tf.Tensor) => tf.floorDiv(of, tf.scalar(2)))(x)
        .data()),
    ];
  };
  assert.deepEqual(await slope('cpu'), [0.5, 0.5, 0.5]);
  assert.deepEqual(await slope('onnx'), [0, 0, 0]);
});

describe('what cannot be trained says so, by name', () => {
  const refused: Record<string, [(x: tf.Tensor) => tf.Tensor, number[], RegExp]> = {
    'complex numbers': [(x) => tf.abs(tf.complex(x, x)), [2, 8], /kernel Complex .*no complex numbers/],
    'volumes pooled with gaps': [
      (x) => tf.maxPool3d(x as tf.Tensor5D, 2, 3, 'same'),
      [2, 3, 3, 3, 1],
      /kernel MaxPool3D .*use "valid"/,
    ],
    'drawn numbers': [
      (x) => tf.cast(tf.multinomial(x as tf.Tensor2D, 3, 1, true), 'float32'),
      [2, 8],
      /kernel Multinomial .*random/,
    ],
  };
  for (const [name, [fn, shape, message]] of Object.entries(refused))
    test(name, async () => {
      await tf.setBackend('onnx');
      assert.throws(() => tf.grad((x: tf.Tensor) => tf.sum(fn(x)))(tf.ones(shape)), message);
    });
});

/** The kernels that TensorFlow.js has a gradient for. */
function gradientNames(): string[] {
  const kernels = Object.values(tf).filter((value) => typeof value === 'string');
  return kernels.filter((name) => tf.getGradient(name) !== undefined).sort();
}

/** The gradients that were asked for, from now on. */
function watchGradients(): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const kernelName of gradientNames()) {
    const config = tf.getGradient(kernelName);
    tf.unregisterGradient(kernelName);
    const gradFunc: tf.GradFunc = (...args) => {
      seen.add(kernelName);
      return config.gradFunc(...args);
    };
    tf.registerGradient({ ...config, gradFunc });
  }
  return seen;
}
