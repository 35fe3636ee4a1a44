/** Convolutions in 8-bit integers: how near they stay, what the file holds, which layers stay in float32. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as onnx from 'onnx-buf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { LARGEST_WEIGHT, quantizeRange, quantizeWeights } from '../../convert/quantize/integers.ts';
import { quantize } from '../../convert/quantize/quantize.ts';
import type { Feeds } from '../../convert/quantize/ranges.ts';
import { QuantizationError } from '../../convert/quantize/search.ts';
import { type TracedFunction, trace } from '../../convert/trace.ts';
import { randomArray, seeded } from './support/numbers.ts';

/** Of the range of the output: half a step of 1/255 for each of up to four activations, and 1/128 for the weights. */
const TOLERANCE = 0.03;

/** Fused kernels round sums at other places than the operators that they stand for: a step of an 8-bit activation. */
const STEP = 0.02;

tf.env().set('PROD', true);
await tf.setBackend('cpu');
const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-quantize-'));
after(() => rm(folder, { recursive: true }));

const image = { name: 'image', shape: [null, 8, 8, 3] };
const feeds: readonly Feeds[] = Array.from({ length: 8 }, (_, i) => ({
  image: new Tensor('float32', randomArray(2 * 8 * 8 * 3, seeded(i + 1), -1, 1), [2, 8, 8, 3]),
}));

/** Of such a size that a sigmoid behind it is not saturated (He et al. 2015). */
const filter = (from: number, to: number) =>
  tf.randomNormal<tf.Rank.R4>([3, 3, from, to], 0, Math.sqrt(2 / (9 * from)), 'float32', 10 * from + to);
const bias = (count: number) => tf.randomNormal([count], 0, 0.5, 'float32', count);
const conv = (x: tf.Tensor, weights: tf.Tensor4D) => tf.conv2d(x as tf.Tensor4D, weights, 1, 'same');

const NETS: Record<string, TracedFunction> = (() => {
  const [a, b, c] = [filter(3, 16), filter(16, 8), filter(8, 6)];
  const [p, q, r] = [bias(16), bias(8), bias(6)];
  const depthwise = filter(3, 2);
  return {
    'no bias, no ReLU': (x) => ({ y: conv(conv(x, a), b) }),
    'bias and ReLU': (x) => ({ y: conv(tf.relu(tf.add(conv(x, a), p)), b) }),
    'biases of equal numbers': (x) => {
      const layer = (of: tf.Tensor, filter: tf.Tensor4D, bias: tf.Tensor) =>
        tf.fused.conv2d({ x: of as tf.Tensor4D, filter, strides: 1, pad: 'same', bias, activation: 'relu' });
      return { y: layer(layer(x, a, tf.zeros([16])), b, tf.fill([8], 0.25)) };
    },
    'an autoencoder': (x) => {
      const small = tf.maxPool(tf.relu(tf.add(conv(x, a), p)) as tf.Tensor4D, 2, 2, 'same');
      const middle = tf.relu(tf.add(conv(small, b), q)) as tf.Tensor4D;
      return { y: tf.sigmoid(tf.add(conv(tf.image.resizeNearestNeighbor(middle, [8, 8]), c), r)) };
    },
    'a sum of two ways': (x) => {
      const once = tf.relu(conv(x, a));
      return { y: tf.add(conv(once, b), tf.mean(once, 3, true)), once };
    },
    'pooling without ReLU': (x) => ({ y: conv(tf.maxPool(conv(x, a) as tf.Tensor4D, 2, 2, 'valid'), b) }),
    'an image that is interpolated': (x) => {
      const middle = tf.image.resizeBilinear(tf.relu(conv(x, a)) as tf.Tensor4D, [16, 16]);
      return { y: conv(middle, b) };
    },
    'one filter for each channel': (x) => ({
      y: conv(tf.relu(tf.depthwiseConv2d(x as tf.Tensor4D, depthwise, 1, 'same')), filter(6, 4)),
    }),
  };
})();

type Outputs = Record<string, Float32Array>;

async function run(model: Uint8Array, level: 'disabled' | 'all' = 'all'): Promise<Outputs[]> {
  const session = await InferenceSession.create(model, {
    graphOptimizationLevel: level,
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const results: Outputs[] = [];
  for (const feed of feeds)
    results.push(
      Object.fromEntries(
        Object.entries(await session.run(feed)).map(([name, { data }]) => [name, data as Float32Array]),
      ),
    );
  await session.release();
  return results;
}

/** Largest difference, as a part of the range of that output. */
function difference(expected: readonly Outputs[], got: readonly Outputs[]): number {
  return Math.max(
    ...Object.keys(expected[0]!).map((name) => {
      const [of, at] = [expected, got].map((all) => all.flatMap((one) => [...one[name]!])) as [
        number[],
        number[],
      ];
      assert.equal(at.length, of.length);
      const range = Math.max(...of) - Math.min(...of);
      return Math.max(...of.map((value, i) => Math.abs(value - at[i]!))) / range;
    }),
  );
}

const inIntegers = (model: Uint8Array) =>
  quantize(model, { feeds, extremes: [], error: async () => 0, tolerance: 0 }).then(({ model }) => model);

const graphOf = (model: Uint8Array) => fromBinary(onnx.ModelProtoSchema, model).graph!;

const layerNames = (model: Uint8Array): string[] =>
  graphOf(model).node.flatMap(({ opType, output }) => (opType === 'Conv' ? output[0]! : []));

async function operatorsAsRun(model: Uint8Array): Promise<string[]> {
  const file = path.join(folder, 'optimized.onnx');
  const session = await InferenceSession.create(model, { optimizedModelFilePath: file, logSeverityLevel: 4 });
  await session.release();
  return graphOf(await readFile(file)).node.map(({ opType }) => opType);
}

describe('a net in integers', () => {
  for (const [name, fn] of Object.entries(NETS))
    test(`${name}: near the net in floats, and run as integers`, async () => {
      const model = trace(fn, [image]);
      const quantized = await inIntegers(model);
      const [float, integer] = [await run(model), await run(quantized)];
      const found = difference(float, integer);
      assert.ok(found > 0 && found <= TOLERANCE, `difference ${found}`);
      const plain = difference(await run(quantized, 'disabled'), integer);
      assert.ok(plain <= STEP, `fused kernels differ by ${plain} from what the file says`);
      const operators = await operatorsAsRun(quantized);
      const layers = graphOf(model).node.filter(({ opType }) => opType === 'Conv').length;
      assert.equal(operators.filter((type) => type === 'QLinearConv').length, layers, operators.join());
      assert.ok(!operators.some((type) => /^(Conv|FusedConv)$/.test(type)), operators.join());
    });

  test('stays in integers where pixels are chosen or repeated, and not where they are mixed', async () => {
    const conversions = async (name: string) => {
      const operators = await operatorsAsRun(await inIntegers(trace(NETS[name]!, [image])));
      return operators.filter((type) => type === 'QuantizeLinear').length;
    };
    assert.equal(await conversions('an autoencoder'), 1);
    assert.equal(await conversions('pooling without ReLU'), 1);
    assert.equal(await conversions('an image that is interpolated'), 2);
  });

  test('equal input gives equal bytes', async () => {
    const model = trace(NETS['an autoencoder']!, [image]);
    const bytes = await inIntegers(model);
    assert.deepEqual(await inIntegers(model), bytes);
    assert.deepEqual(await inIntegers(Buffer.from(model)), bytes, 'as a file is read');
  });

  test('the file holds every weight once, as int8, and one scale for each channel', async () => {
    const model = trace(NETS['an autoencoder']!, [image]);
    const [before, now] = [graphOf(model), graphOf(await inIntegers(model))];
    const { FLOAT, INT8 } = onnx.TensorProto_DataType;
    const filters = before.initializer.filter(({ dims }) => dims.length === 4);
    const integers = now.initializer.filter(({ dims }) => dims.length === 4);
    assert.deepEqual(
      integers.map(({ dataType, dims }) => [dataType, ...dims]),
      filters.map(({ dims }) => [INT8, ...dims]),
    );
    for (const [i, { name, rawData }] of integers.entries()) {
      const weights = new Float32Array(filters[i]!.rawData.slice().buffer);
      const channels = Number(filters[i]!.dims[0]);
      const size = weights.length / channels;
      const stored = now.initializer.find((one) => one.name === name.replace('_integer', '_scale'))!;
      assert.equal(stored.dataType, FLOAT);
      const scales = new Float32Array(stored.rawData.slice().buffer);
      assert.equal(scales.length, channels);
      const steps = new Int8Array(rawData.slice().buffer);
      scales.forEach((scale, c) => {
        const own = weights.subarray(c * size, (c + 1) * size);
        assert.equal(scale, Math.fround(Math.max(...own.map(Math.abs)) / LARGEST_WEIGHT));
        own.forEach((weight, k) => {
          const rounded = scale * steps[c * size + k]!;
          assert.ok(Math.abs(weight - rounded) <= 0.5001 * scale, `${weight} became ${rounded}`);
        });
      });
    }
  });
});

test('an input that is untypical reaches the first layer as it is, where extremes were given', async () => {
  const weights = filter(3, 2);
  const model = trace((x) => ({ y: conv(x, weights) }), [image]);
  const plain = (value: number) => ({
    image: new Tensor('float32', new Float32Array(8 * 8 * 3).fill(value), [1, 8, 8, 3]),
  });
  const scales = async (extremes: readonly Feeds[]) => {
    const quantized = await quantize(model, {
      feeds,
      extremes,
      error: async () => 0,
      tolerance: 0,
    });
    return graphOf(quantized.model)
      .node.filter(({ opType }) => opType === 'QuantizeLinear')
      .map(({ input }) => {
        const { initializer } = graphOf(quantized.model);
        const { rawData } = initializer.find(({ name }) => name === input[1])!;
        return new Float32Array(Uint8Array.from(rawData).buffer)[0]!;
      });
  };
  const [before, behind] = await scales([]);
  assert.ok(before! <= Math.fround(2 / 255));
  assert.deepEqual(await scales([plain(-10), plain(10)]), [Math.fround(20 / 255), behind]);
});

describe('integers', () => {
  test('two products of neighbours fit 16 bits, so that processors without VNNI compute the same', () => {
    const { weights } = quantizeWeights(Float32Array.of(3, -3, 1, 2), null, 1, 1);
    assert.deepEqual([...weights], [64, -64, 21, 43]);
    assert.ok(2 * 255 * LARGEST_WEIGHT < 2 ** 15);
  });

  test('an activation reaches from end to end, and 0 is exact', () => {
    assert.deepEqual(quantizeRange({ low: 0, high: 255 }), { scale: 1, zeroPoint: 0 });
    assert.deepEqual(quantizeRange({ low: -51, high: 204 }), { scale: 1, zeroPoint: 51 });
    assert.deepEqual(quantizeRange({ low: -255, high: 0 }), { scale: 1, zeroPoint: 255 });
    assert.deepEqual(quantizeRange({ low: 0, high: 0 }), { scale: 1, zeroPoint: 0 });
  });

  test('a channel without weights keeps its bias', () => {
    for (const weight of [0, 1e-20]) {
      const { scales, bias } = quantizeWeights(Float32Array.of(weight), Float32Array.of(-7), 1, 0.01);
      assert.ok(Math.abs(bias![0]! * scales[0]! * 0.01 + 7) <= 0.01, `${bias![0]} of ${scales[0]}`);
    }
  });
});

describe('layers that stay in float32', () => {
  /** One channel of the first layer is a thousand times as large, and hardly counts behind it. */
  const lopsided: TracedFunction = (() => {
    const loud = tf.tensor1d([1000, ...new Array(15).fill(1)]);
    const [a, b, c] = [
      tf.mul(filter(3, 16), loud),
      tf.div(filter(16, 8), tf.reshape(loud, [16, 1])),
      filter(8, 6),
    ];
    return (x) => ({ y: conv(tf.relu(conv(tf.relu(conv(x, a as tf.Tensor4D)), b as tf.Tensor4D)), c) });
  })();
  const model = trace(lopsided, [image]);
  const worst = async (candidate: Uint8Array) => difference(await run(model), await run(candidate));

  test('are those that cost the most', async () => {
    const tolerant = await quantize(model, { feeds, extremes: [], error: worst, tolerance: 1 });
    assert.deepEqual(tolerant.float, []);
    assert.ok(tolerant.error > TOLERANCE, `${tolerant.error}`);
    const strict = await quantize(model, {
      feeds,
      extremes: [],
      error: worst,
      tolerance: TOLERANCE,
    });
    assert.ok(strict.error <= TOLERANCE, `${strict.error}`);
    const names = layerNames(model);
    assert.deepEqual(strict.layers, names.slice(2));
    assert.deepEqual(strict.float.toSorted(), names.slice(0, 2).toSorted());
    assert.equal(await worst(strict.model), strict.error);
  });

  test('are first of all those that give no number at all', async () => {
    const names = layerNames(model);
    const error = async (candidate: Uint8Array) => {
      const operators = graphOf(candidate).node;
      const hasDequantized = (name: string) =>
        operators.some(
          ({ opType, output }) => opType === 'DequantizeLinear' && output[0] === `${name}_weight_float`,
        );
      return hasDequantized(names[2]!) ? Number.NaN : 0;
    };
    const found = await quantize(model, { feeds, extremes: [], error, tolerance: 0 });
    assert.deepEqual([found.layers, found.float], [names.slice(0, 2), names.slice(2)]);
  });

  test('may be all of them, or there may be none: said, and nothing is written', async () => {
    await assert.rejects(
      quantize(model, { feeds, extremes: [], error: worst, tolerance: 1e-9 }),
      (error: Error) => {
        assert.ok(error instanceof QuantizationError);
        assert.match(error.message, /every layer is too sensitive: with \w+ alone in integers the error is /);
        return true;
      },
    );
    const plain = trace((x) => ({ y: tf.sum(x, [1, 2, 3]) }), [image]);
    await assert.rejects(
      quantize(plain, { feeds, extremes: [], error: worst, tolerance: 1 }),
      /no convolution with constant weights/,
    );
  });
});
