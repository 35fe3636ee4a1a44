/** In training, convolutions of enlarged images and their gradients are computed on the small ones, and give the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { compileJob } from '../../convert/plan.ts';
import { openRecording } from '../../convert/recording.ts';
import { useOnnx } from './support/backends.ts';
import { assertClose, randomArray, seeded } from './support/numbers.ts';

await useOnnx();

/** Weights are added before they are multiplied, which rounds otherwise. */
const CLOSE = { relative: 1e-4, absolute: 1e-4 };
const CHANNELS = 3;
const [HEIGHT, WIDTH] = [5, 4];

interface Decoder {
  readonly factor: number;
  readonly size: number;
  readonly filters: number;
  readonly bias?: boolean;
  readonly stride?: number;
  readonly pad?: 'same' | 'valid';
  /** Whether somebody else uses the enlarged images, too. */
  readonly shared?: boolean;
}

const shapesOf = ({ size, filters }: Decoder): number[][] => [
  [2, HEIGHT, WIDTH, CHANNELS],
  [size, size, CHANNELS, filters],
  [filters],
];

type Enlarge = (images: tf.Tensor, factor: number) => tf.Tensor4D;

const resized: Enlarge = (images, factor) =>
  tf.image.resizeNearestNeighbor(images as tf.Tensor4D, [HEIGHT * factor, WIDTH * factor]);

/** The same without a resizing kernel, whose gradient in tfjs-backend-cpu is wrong from the second image on. */
const repeated: Enlarge = (images, factor) => {
  const pixels = tf.reshape(images, [2, HEIGHT, 1, WIDTH, 1, CHANNELS]);
  const blocks = tf.mul(pixels, tf.ones([1, 1, factor, 1, factor, 1]));
  return tf.reshape(blocks, [2, HEIGHT * factor, WIDTH * factor, CHANNELS]);
};

/** Enlarges `x` by repetition, convolves it, and gives the gradients by `x`, filter and bias beside the result. */
function decode(
  options: Decoder,
  enlarge: Enlarge,
  [x, filter, bias]: readonly tf.Tensor[],
): Record<string, tf.Tensor> {
  const { factor, stride = 1, pad = 'same', shared = false } = options;
  const loss = (images: tf.Tensor, weights: tf.Tensor, offset?: tf.Tensor) => {
    const large = enlarge(images, factor);
    const y = tf.conv2d(large, weights as tf.Tensor4D, stride, pad);
    const sum = tf.sum(tf.square(offset === undefined ? y : tf.add(y, offset)));
    return (shared ? tf.add(sum, tf.sum(tf.sigmoid(large))) : sum) as tf.Scalar;
  };
  const inputs = options.bias === false ? [x!, filter!] : [x!, filter!, bias!];
  const { value, grads } = tf.valueAndGrads((...list: tf.Tensor[]) => loss(list[0]!, list[1]!, list[2]))(
    inputs,
  );
  return { loss: value, ...Object.fromEntries(grads.map((gradient, i) => [`gradient${i}`, gradient])) };
}

async function computed(
  backend: string,
  options: Decoder,
  enlarge: Enlarge,
): Promise<Record<string, Float32Array>> {
  await tf.setBackend(backend);
  const random = seeded(7);
  const inputs = shapesOf(options).map((shape) =>
    tf.tensor(randomArray(tf.util.sizeFromShape(shape), random, -1, 1), shape),
  );
  const results = Object.entries(decode(options, enlarge, inputs));
  return Object.fromEntries(await Promise.all(results.map(async ([k, t]) => [k, await t.data<'float32'>()])));
}

/** The operators of the graph of a step. */
function operatorsOf(options: Decoder): string[] {
  const specs = shapesOf(options).map((shape, i) => ({ name: `input${i}`, shape }));
  const recording = openRecording(specs, 2);
  try {
    const { job } = recording.finish(decode(options, resized, recording.placeholders));
    return compileJob(job, new Set(), 16).graph.nodes.map(({ type }) => type);
  } finally {
    recording.end();
  }
}

async function assertSame(options: Decoder): Promise<void> {
  const expected = await computed('cpu', options, repeated);
  const got = await computed('onnx', options, resized);
  for (const [what, values] of Object.entries(expected)) {
    const size = Math.max(...values.map(Math.abs));
    assertClose(got[what]!, values, { ...CLOSE, absolute: CLOSE.absolute * size, what });
  }
}

describe('on the small images', () => {
  const cases: Decoder[] = [
    { factor: 2, size: 3, filters: 1 },
    { factor: 2, size: 3, filters: 4, bias: false },
    { factor: 2, size: 1, filters: 2 },
    { factor: 2, size: 5, filters: 3 },
    { factor: 3, size: 3, filters: 1 },
    { factor: 4, size: 7, filters: 1 },
  ];
  for (const options of cases)
    test(JSON.stringify(options), async () => {
      const operators = operatorsOf(options);
      assert.ok(operators.includes('DepthToSpace'), `forward: ${operators}`);
      assert.ok(operators.includes('SpaceToDepth'), `gradient by the images: ${operators}`);
      assert.ok(!operators.includes('AveragePool'), `blocks are summed once more: ${operators}`);
      await assertSame(options);
    });
});

describe('on the enlarged images', () => {
  const cases: Decoder[] = [
    { factor: 2, size: 3, filters: 5 },
    { factor: 2, size: 3, filters: 1, stride: 2 },
    { factor: 2, size: 3, filters: 1, pad: 'valid' },
    { factor: 2, size: 2, filters: 1 },
    { factor: 3, size: 3, filters: 2 },
  ];
  for (const options of cases)
    test(JSON.stringify(options), async () => {
      const operators = operatorsOf(options);
      assert.ok(!operators.includes('DepthToSpace') && !operators.includes('SpaceToDepth'), `${operators}`);
      await assertSame(options);
    });

  test('the gradient by images that somebody else uses, too', async () => {
    const options = { factor: 2, size: 3, filters: 1, shared: true };
    assert.ok(operatorsOf(options).includes('AveragePool'));
    await assertSame(options);
  });
});
