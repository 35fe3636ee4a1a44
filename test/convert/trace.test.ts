import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import * as onnx from 'onnx-buf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { UnsupportedKernelError } from '../../convert/kernels/handler.ts';
import { traceableModel } from '../../convert/model_conversion.ts';
import { trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';
import { useOnnx } from './support/backends.ts';
import { seedWeights, smallAutoencoder } from './support/models.ts';
import { assertClose } from './support/numbers.ts';

const RELATIVE = 1e-4;

await useOnnx();
await tf.setBackend('cpu'); // the reference; tracing must not need any other backend to be current

const decode = (bytes: Uint8Array) => fromBinary(onnx.ModelProtoSchema, bytes);
const images = { name: 'image', shape: [null, 4, 4, 3] };

describe('the file', () => {
  test('is the same, byte for byte, for the same function and weights', () => {
    const { fn, inputs } = traceableModel(smallAutoencoder());
    const again = traceableModel(smallAutoencoder());
    assert.deepEqual(trace(fn, inputs), trace(fn, inputs));
    const names = (bytes: Uint8Array) => decode(bytes).graph!.node.map((n) => [n.name, n.input, n.output]);
    const renamed = (...xs: tf.Tensor[]) => ({ y: Object.values(again.fn(...xs))[0]! });
    const first = (...xs: tf.Tensor[]) => ({ y: Object.values(fn(...xs))[0]! });
    const x = [{ ...inputs[0]!, name: 'x' }];
    assert.deepEqual(names(trace(first, x)), names(trace(renamed, x)));
    assert.deepEqual(trace(first, x), trace(renamed, x));
  });

  test('declares opset 18, IR 8, an open batch N and standard operators only', () => {
    const { fn, inputs } = traceableModel(smallAutoencoder());
    const model = decode(trace(fn, inputs));
    assert.equal(model.irVersion, 8n);
    assert.deepEqual(
      model.opsetImport.map((o) => [o.domain, o.version]),
      [['', 18n]],
    );
    assert.ok(model.graph!.node.every((n) => n.domain === ''));
    for (const port of [...model.graph!.input, ...model.graph!.output]) {
      const tensor = port.type!.value;
      assert.ok(tensor.case === 'tensorType');
      assert.deepEqual(tensor.value.shape!.dim[0]!.value, { case: 'dimParam', value: 'N' });
    }
  });

  test('takes a uint8 input and gives rounded, clipped uint8', async () => {
    const bytes = trace((x) => ({ y: tf.mul(x, 1.25), z: tf.sub(x, 0.5) }), [{ ...images, dtype: 'uint8' }], {
      outputTypes: { y: 'uint8', z: 'uint8' },
    });
    const session = await InferenceSession.create(bytes);
    const values = Uint8Array.from({ length: 48 }, (_, i) => i * 5);
    const { y, z } = await session.run({ image: new Tensor('uint8', values, [1, 4, 4, 3]) });
    await session.release();
    const halfToEven = (v: number) => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v));
    const stored = (v: number) => Math.min(255, Math.max(0, halfToEven(v)));
    assert.deepEqual(
      [...(y!.data as Uint8Array)],
      [...values].map((v) => stored(v * 1.25)),
    );
    assert.deepEqual(
      [...(z!.data as Uint8Array)],
      [...values].map((v) => stored(v - 0.5)),
    );
  });

  test('is written in every operator set from 13 to 22, or says which one it needs', async () => {
    const l = layers.layers;
    const model = layers.sequential({
      layers: [
        l.conv2d({ inputShape: [4, 4, 3], filters: 2, kernelSize: 3, activation: 'relu' }),
        l.layerNormalization(),
        l.globalAveragePooling2d({}),
      ],
    });
    seedWeights(model, 4);
    const { fn, inputs } = traceableModel(model);
    for (let opset = 13; opset <= 22; opset++) {
      const bytes = trace(fn, inputs, { opset });
      assert.equal(decode(bytes).opsetImport[0]!.version, BigInt(opset));
      assert.ok((await compare(fn, bytes, inputs)).relative <= RELATIVE);
    }
    const pooled = (x: tf.Tensor) => ({
      y: tf.maxPool(
        tf.pad(x as tf.Tensor4D, [
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ]),
        2,
        1,
        'valid',
      ),
    });
    assert.throws(() => trace(pooled, [images], { opset: 17 }), /needs operator set 18/);
    assert.throws(() => trace(fn, inputs, { opset: 23 }), /from 13 to 22/);
  });

  test('keeps inputs that no output needs, and an output that is an input', async () => {
    const bytes = trace(
      (x, unused) => ({ y: x, n: tf.sum(tf.zerosLike(unused!)) }),
      [images, { name: 'unused', shape: [null, 2] }],
    );
    const session = await InferenceSession.create(bytes);
    assert.deepEqual(session.inputNames, ['image', 'unused']);
    assert.deepEqual(session.outputNames, ['y', 'n']);
    await session.release();
  });

  test('computes sizes from the batch where a graph needs more than one', async () => {
    const fn = (x: tf.Tensor) => {
      const batch = x.shape[0]!;
      const doubled = tf.concat([x, tf.zeros([batch, 4, 4, 3])], 0); // 2 N rows
      return {
        y: tf.add(tf.reshape(doubled, [2, batch, 48]), tf.ones([batch, 48])),
        z: tf.slice(doubled, 1, batch),
        w: tf.fill([2 * batch, 2], 3),
      };
    };
    const result = await compare(fn, trace(fn, [images]), [images]);
    assert.ok(result.absolute <= 1e-6, `${result.absolute}`);
  });

  test('holds the weights that another backend trained, which goes on training them', async () => {
    await tf.setBackend('onnx');
    const model = smallAutoencoder();
    model.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });
    const x = tf.randomUniform([4, 8, 8, 2], 0, 1, 'float32', 5);
    const { fn, inputs } = traceableModel(model);
    await model.fit(x, x, { epochs: 1, verbose: 0, shuffle: false });
    const bytes = trace(fn, inputs);
    assert.equal(tf.getBackend(), 'onnx');
    const expected = await (model.predict(x) as tf.Tensor).data();
    const session = await InferenceSession.create(bytes);
    const feed = new Tensor('float32', Float32Array.from(await x.data()), x.shape);
    const result = await session.run({ [inputs[0]!.name]: feed });
    assertClose(Object.values(result)[0]!.data as Float32Array, expected, {
      relative: RELATIVE,
      absolute: 1e-6,
      what: 'after a step',
    });
    await model.fit(x, x, { epochs: 1, verbose: 0, shuffle: false });
    assert.notDeepEqual(trace(fn, inputs), bytes, 'a further step must change the weights');
    await session.release();
    await tf.setBackend('cpu');
  });

  test('computes a convolution once, though its result is wanted before and after its bias', () => {
    const filter = tf.randomNormal<tf.Rank.R4>([3, 3, 3, 2], 0, 1, 'float32', 1);
    const fn = (x: tf.Tensor) => {
      const y = tf.conv2d(x as tf.Tensor4D, filter, 1, 'same');
      return { y: tf.mul(tf.add(y, tf.tensor1d([1, 2])), tf.sigmoid(y)) };
    };
    const model = decode(trace(fn, [images]));
    assert.equal(model.graph!.node.filter((n) => n.opType === 'Conv').length, 1);
  });

  test('has no Pad where a convolution can pad by itself', () => {
    const filters = tf.randomNormal<tf.Rank.R4>([3, 3, 3, 1], 0, 1, 'float32', 1);
    const zeros: Array<[number, number]> = [
      [0, 0],
      [1, 2],
      [0, 5],
      [0, 0],
    ];
    for (const convolve of [tf.conv2d, tf.depthwiseConv2d])
      for (const [value, pads] of [
        [0, 0],
        [0.5, 1],
      ] as const) {
        const fn = (x: tf.Tensor) => ({
          y: convolve(tf.pad(x as tf.Tensor4D, zeros, value), filters, 1, 'valid'),
        });
        const types = decode(trace(fn, [images])).graph!.node.map((n) => n.opType);
        assert.equal(types.filter((type) => type === 'Pad').length, pads);
      }
  });

  test('holds what a layer repeats along the batch once', async () => {
    const l = layers.layers;
    for (const units of [2, 3]) {
      const model = layers.sequential({
        layers: [l.conv2d({ inputShape: [4, 4, 3], filters: units, kernelSize: 1 }), l.layerNormalization()],
      });
      seedWeights(model, 4);
      const { fn, inputs } = traceableModel(model);
      const bytes = trace(fn, inputs);
      const { node, initializer } = decode(bytes).graph!;
      assert.ok(
        initializer.every(({ dims }) => dims.every((d) => d < 4n)),
        'the file holds repetitions along the batch, 29, or along rows and columns, 4',
      );
      assert.equal(node.filter((n) => n.opType === 'Expand').length, 0);
      assert.ok((await compare(fn, bytes, inputs)).relative <= RELATIVE);
    }
  });

  test('sums and averages along the batch where it lies behind another axis', async () => {
    const fn = (x: tf.Tensor) => {
      const turned = tf.transpose(x, [1, 0, 2]);
      return { sum: tf.sum(turned, 1), mean: tf.mean(turned, 1) };
    };
    const large = { name: 'x', shape: [null, 3, 200] };
    const bytes = trace(fn, [large]);
    assert.ok(decode(bytes).graph!.node.some(({ opType }) => opType === 'MatMul'));
    const { relative } = await compare(fn, bytes, [large]);
    assert.ok(relative <= RELATIVE, `relative difference ${relative}`);
  });

  test('counts along the batch', async () => {
    const fn = (x: tf.Tensor) => {
      const batch = x.shape[0]!;
      const chosen = tf.range(0, batch, 1, 'int32');
      return {
        numbered: tf.add(x, tf.reshape(tf.range(3, 3 + 2 * batch, 2), [batch, 1, 1, 1])),
        chosen: tf.gather(tf.mul(x, 2), chosen),
      };
    };
    const result = await compare(fn, trace(fn, [images]), [images]);
    assert.ok(result.absolute <= 1e-6, `${result.absolute}`);
  });

  test('expands a constant that is repeated along the batch where an operation cannot broadcast', async () => {
    const row = tf.tensor([3, -1], [1, 2]);
    const fn = (x: tf.Tensor) => {
      const batch = x.shape[0]!;
      const rows = tf.tile(row, [batch, 1]);
      const pairs = tf.tile(row, [2 * batch, 1]);
      const middle = tf.tile(tf.reshape(row, [2, 1, 1]), [1, batch, 1]);
      return {
        joined: tf.concat([tf.reshape(x, [batch, 48]), rows], 1),
        product: tf.matMul(rows, tf.slice(tf.reshape(x, [batch * 24, 2]), 0, [2, 2])),
        twice: tf.mul(pairs, 2),
        reshaped: tf.reshape(pairs, [batch, 4]),
        middle: tf.add(middle, tf.sum(x)),
      };
    };
    const result = await compare(fn, trace(fn, [images]), [images]);
    assert.ok(result.absolute <= 1e-5, `${result.absolute}`);
  });

  test('names inputs and outputs after their layers, with several of each', async () => {
    const l = layers.layers;
    const [a, b] = [layers.input({ shape: [3], name: 'a' }), layers.input({ shape: [3], name: 'b' })];
    const twice = l.dense({ units: 1, name: 'twice', useBias: false, kernelInitializer: 'ones' });
    const outputs = [a, b].map((x) => twice.apply(x) as layers.SymbolicTensor);
    const { fn, inputs, outputNames } = traceableModel(layers.model({ inputs: [a, b], outputs }));
    assert.deepEqual(
      [inputs.map((i) => i.name), outputNames],
      [
        ['a', 'b'],
        ['twice', 'twice_1'],
      ],
    );
    const session = await InferenceSession.create(trace(fn, inputs));
    const feed = (...values: number[]) => new Tensor('float32', Float32Array.from(values), [1, 3]);
    const result = await session.run({ a: feed(1, 2, 3), b: feed(4, 5, 6) });
    assert.deepEqual([result.twice!.data[0], result.twice_1!.data[0]], [6, 15]);
    await session.release();
  });

  test('leaves no tensors behind', () => {
    const { fn, inputs } = traceableModel(smallAutoencoder());
    const before = tf.memory().numTensors;
    trace(fn, inputs);
    assert.equal(tf.memory().numTensors, before);
  });
});

describe('what cannot become a graph is refused', () => {
  const refuses = (fn: (x: tf.Tensor) => tf.Tensor, error: RegExp | (new (...args: never[]) => Error)) =>
    assert.throws(() => trace((x) => ({ y: fn(x!) }), [images]), error);

  test('a kernel without a translation is named', () => {
    const drawn = (x: tf.Tensor) => tf.multinomial(tf.reshape(x, [-1, 48]) as tf.Tensor2D, 2, 1);
    refuses(drawn, UnsupportedKernelError);
    refuses(drawn, /kernel Multinomial.*draws random numbers.*--outputs/);
  });

  test('uses of known kernels that ONNX cannot express', () => {
    refuses((x) => tf.avgPool(x as tf.Tensor4D, 3, 2, 0, 'ceil'), /AvgPool.*floor/);
    refuses((x) => tf.maxPool(x as tf.Tensor4D, 2, 1, 2), /MaxPool.*not smaller than its window/);
    refuses((x) => tf.conv2d(x as tf.Tensor4D, tf.ones([1, 1, 4, 2]), 1, 'same', 'NCHW'), /Conv2D.*NHWC/);
  });

  test('reading values', () => {
    refuses((x) => tf.mul(x, tf.sum(x).dataSync()[0]!), /reads a value/);
  });

  test('random numbers', () => {
    refuses((x) => tf.add(x, tf.randomUniform([4, 4, 3])), /random numbers/);
  });

  test('doing something else for each batch size', () => {
    refuses((x) => (x.shape[0] === 29 ? tf.relu(x) : tf.elu(x)), /every batch size/);
    refuses((x) => tf.mul(x, 1 / x.shape[0]!), /every batch size/);
    const counted = (n: number) => Float32Array.from({ length: n }, (_, i) => i ** 2);
    refuses((x) => tf.add(x, tf.tensor4d(counted(x.shape[0]!), [x.shape[0]!, 1, 1, 1])), /every batch size/);
  });

  test('results without names, promises and tensors that were disposed of', () => {
    const results = (value: unknown) => () => trace(() => value as never, [images]);
    for (const value of [tf.ones([2]), [tf.ones([2])], undefined, null])
      assert.throws(results(value), /must return tensors by name: \{ name: tensor \}/);
    assert.throws(results(Promise.resolve({})), /is async; use traceAsync/);
    const gone = tf.ones([3]);
    gone.dispose();
    assert.throws(
      () => trace((x) => ({ y: tf.mul(x, gone) }), [images]),
      /shape \[3\] .* was disposed of; keep it/,
    );
  });

  test('inputs of sizes and types that no file holds, and the next trace goes on', () => {
    for (const [spec, expected] of [
      [{ shape: [-1, 3] }, /input x has shape \[-1,3\]; every size must be a whole number, or null/],
      [{ shape: [undefined, 3] }, /input x has shape \[undefined,3\]/],
      [{ shape: [null, 1.5] }, /input x has shape \[null,1\.5\]/],
      [{ shape: [null], dtype: 'float16' }, /input x is of type float16; it must be one of float32, int32/],
    ] as const)
      assert.throws(() => trace((x) => ({ y: tf.neg(x) }), [{ name: 'x', ...spec } as never]), expected);
    assert.ok(trace((x) => ({ y: tf.neg(x) }), [images]).length > 0);
  });

  test('names used twice, no inputs, no outputs, trace inside trace', () => {
    assert.throws(() => trace((x) => ({ image: tf.relu(x!) }), [images]), /different names/);
    assert.throws(() => trace(() => ({}), [images]), /no outputs/);
    assert.throws(() => trace(() => ({}), []), /at least one input/);
    assert.throws(() => trace(() => ({ y: null as unknown as tf.Tensor }), [images]), /y is not a tensor/);
    refuses((x) => {
      trace((y) => ({ z: tf.relu(y!) }), [images]);
      return x;
    }, /must not call trace itself/);
  });

  test('and TensorFlow.js is as it was afterwards', () => {
    assert.equal(tf.getBackend(), 'cpu');
    assert.equal(tf.findBackend('plumbline-trace'), null);
    assert.deepEqual([...tf.relu(tf.tensor1d([-1, 2])).dataSync()], [0, 2]);
  });
});

test('a program whose first act is a trace goes on afterwards: there was no backend to come back to', () => {
  const program = `
    import * as tf from '@tensorflow/tfjs-core';
    import { trace } from ${JSON.stringify(new URL('../../convert/trace.ts', import.meta.url).href)};
    trace((x) => ({ y: tf.relu(x) }), [{ name: 'x', shape: [null, 4] }]);
    await new Promise((resolve) => setImmediate(resolve));
    console.log('goes on');`;
  const args = ['--input-type=module', '--eval', program];
  const cwd = new URL('../..', import.meta.url);
  assert.match(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' }), /goes on/);
});
