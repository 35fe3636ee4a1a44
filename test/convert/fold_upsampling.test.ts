/** Convolutions of enlarged images are computed on the small ones, and give what they gave. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as onnx from 'onnx-buf';
import { trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';

/** To TensorFlow.js; weights are added before they are multiplied, which rounds otherwise. */
const RELATIVE = 1e-4;

tf.env().set('PROD', true);
await tf.setBackend('cpu');
const images = { name: 'image', shape: [null, 5, 4, 3] };

interface Decoder {
  readonly factor: number;
  readonly size: number;
  readonly filters: number;
  readonly bias?: boolean;
  readonly strides?: number;
  readonly pad?: 'same' | 'valid' | number;
  readonly dilation?: number;
}

/** Enlarges by repetition, then convolves. */
function decoder({ factor, size, filters, bias = true, strides = 1, pad = 'same', dilation = 1 }: Decoder) {
  const filter = tf.randomNormal<tf.Rank.R4>([size, size, 3, filters], 0, 1, 'float32', size);
  const offset = tf.randomNormal([filters], 0, 1, 'float32', filters);
  return (x: tf.Tensor) => {
    const large = tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [5 * factor, 4 * factor]);
    const y = tf.conv2d(large, filter, strides, pad, 'NHWC', dilation);
    return { y: tf.relu(bias ? tf.add(y, offset) : y) };
  };
}

async function typesOf(options: Decoder): Promise<string[]> {
  const fn = decoder(options);
  const bytes = trace(fn, [images]);
  const { relative } = await compare(fn, bytes, [images], { range: [-1, 1] });
  assert.ok(relative <= RELATIVE, `relative difference ${relative}`);
  return fromBinary(onnx.ModelProtoSchema, bytes).graph!.node.map(({ opType }) => opType);
}

describe('folded', () => {
  const cases: Decoder[] = [
    { factor: 2, size: 3, filters: 3 },
    { factor: 2, size: 3, filters: 4, bias: false },
    { factor: 2, size: 1, filters: 2 },
    { factor: 2, size: 5, filters: 1 },
    { factor: 3, size: 3, filters: 1 },
    { factor: 4, size: 7, filters: 1 },
  ];
  for (const options of cases)
    test(JSON.stringify(options), async () => {
      const types = await typesOf(options);
      assert.ok(types.includes('DepthToSpace') && !types.includes('Resize'), types.join());
    });
});

describe('left alone', () => {
  const cases: Record<string, Decoder> = {
    'too many channels to gain': { factor: 2, size: 3, filters: 5 },
    'an even kernel': { factor: 2, size: 2, filters: 3 },
    'a stride': { factor: 2, size: 3, filters: 3, strides: 2, pad: 1 },
    'no border': { factor: 2, size: 3, filters: 3, pad: 'valid' },
    'a dilation': { factor: 2, size: 3, filters: 3, dilation: 2 },
  };
  for (const [why, options] of Object.entries(cases))
    test(why, async () => {
      const types = await typesOf(options);
      assert.ok(types.includes('Resize') && !types.includes('DepthToSpace'), types.join());
    });
});

test('an enlarged image that something else reads, too, stays', async () => {
  const filter = tf.ones<tf.Rank.R4>([3, 3, 3, 1]);
  const fn = (x: tf.Tensor) => {
    const large = tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [10, 8]);
    return { large, y: tf.conv2d(large, filter, 1, 'same') };
  };
  const { relative } = await compare(fn, trace(fn, [images]), [images]);
  assert.ok(relative <= RELATIVE, `relative difference ${relative}`);
});
