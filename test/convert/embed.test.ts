import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import * as onnx from 'onnx-buf';
import { Tensor } from 'onnxruntime-node';
import { embedOnnx } from '../../convert/embed.ts';
import { loadSession } from '../../convert/session.ts';
import { trace } from '../../convert/trace.ts';
import { useOnnx } from './support/backends.ts';
import { drawing } from './support/draw.ts';
import { seedWeights } from './support/models.ts';
import { assertClose, randomArray, seeded } from './support/numbers.ts';
import { problemsOf } from './support/valid_graph.ts';

await useOnnx();
await tf.setBackend('cpu');

const IMAGE = { name: 'image', shape: [null, 8, 8, 3] };
const SIZE = { width: 8, height: 8 };
const { INT, INTS, FLOAT, TENSOR } = onnx.AttributeProto_AttributeType;

function net(): layers.LayersModel {
  const model = layers.sequential({
    layers: [
      layers.layers.conv2d({
        inputShape: [8, 8, 3],
        filters: 4,
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        activation: 'relu',
      }),
      layers.layers.batchNormalization(),
      layers.layers.conv2d({ filters: 5, kernelSize: 3, padding: 'same', activation: 'relu' }),
    ],
  });
  seedWeights(model, 4);
  return model;
}

function run(model: Uint8Array, output: string, values: Float32Array, batch: number): Tensor {
  const session = loadSession(model, { logSeverityLevel: 3 });
  try {
    return session.run({ image: new Tensor('float32', values, [batch, 8, 8, 3]) }, [output])[output]!;
  } finally {
    session.dispose();
  }
}

describe('an ONNX file of our own making', () => {
  test('gives the same inside another graph, twice, at any batch size', () => {
    const model = net();
    const own = trace((x) => ({ y: model.predict(x) as tf.Tensor }), [IMAGE]);
    const embedded = embedOnnx(own);
    assert.deepEqual(embedded.input, { ...SIZE, fixed: true });
    assert.equal(embedded.channelsFirst, false);
    const last = embedded.taps.at(-1)!;
    const compute = embedded.at([last], SIZE);
    const bytes = trace(
      (x) => {
        const [a] = compute(tf.sub(x as tf.Tensor4D, 0.5));
        const [b] = compute(tf.mul(x as tf.Tensor4D, 2));
        return { z: tf.add(a!, tf.mean(b!, [1, 2], true)) };
      },
      [IMAGE],
    );
    for (const batch of [1, 3]) {
      const values = randomArray(batch * 192, seeded(batch), 0, 1);
      const x = tf.tensor4d(values.slice(), [batch, 8, 8, 3]);
      const expected = tf.add(
        model.predict(tf.sub(x, 0.5)) as tf.Tensor,
        tf.mean(model.predict(tf.mul(x, 2)) as tf.Tensor, [1, 2], true),
      );
      const got = run(bytes, 'z', values, batch);
      assert.deepEqual(got.dims, expected.shape);
      assertClose(got.data as Float32Array, expected.dataSync(), {
        relative: 1e-4,
        absolute: 1e-5,
        what: 'z',
      });
    }
    // TensorFlow.js' own backends have no such kernel: there it is computed at once.
    const x = tf.tensor4d(randomArray(192, seeded(8), 0, 1), [1, 8, 8, 3]);
    const [y] = compute(x);
    const expected = model.predict(x) as tf.Tensor;
    assertClose(y!.dataSync(), expected.dataSync(), { relative: 1e-4, absolute: 1e-5, what: 'y' });
  });

  test('runs under the recording backend too', async () => {
    const model = net();
    const own = trace((x) => ({ y: model.predict(x) as tf.Tensor }), [IMAGE]);
    const values = randomArray(192, seeded(2), 0, 1);
    const expected = (model.predict(tf.tensor4d(values.slice(), [1, 8, 8, 3])) as tf.Tensor).dataSync();
    await tf.setBackend('onnx');
    try {
      const embedded = embedOnnx(own);
      const [y] = embedded.at([embedded.taps.at(-1)!], SIZE)(tf.tensor4d(values, [1, 8, 8, 3]));
      assertClose(await y!.data(), expected, { relative: 1e-4, absolute: 1e-5, what: 'y' });
    } finally {
      await tf.setBackend('cpu');
    }
  });
});

/** [1, 3, 8, 8] -> Conv -> Clip by attributes -> ReduceMean by attributes and Sub -> Dropout, in operator set 9. */
function oldModel(change: (model: onnx.ModelProto) => void = () => {}): Uint8Array {
  const attribute = (name: string, value: Partial<onnx.AttributeProto>) =>
    create(onnx.AttributeProtoSchema, { name, ...value } as object);
  const node = (opType: string, input: string[], output: string, attributes: onnx.AttributeProto[] = []) =>
    create(onnx.NodeProtoSchema, { opType, input, output: [output], attribute: attributes });
  const port = (name: string, dims: number[]) => {
    const dim = dims.map((d) =>
      create(onnx.TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(d) } }),
    );
    const shape = create(onnx.TensorShapeProtoSchema, { dim });
    const value = create(onnx.TypeProto_TensorSchema, { elemType: 1, shape });
    return create(onnx.ValueInfoProtoSchema, {
      name,
      type: create(onnx.TypeProtoSchema, { value: { case: 'tensorType', value } }),
    });
  };
  const model = create(onnx.ModelProtoSchema, {
    irVersion: 4n,
    opsetImport: [create(onnx.OperatorSetIdProtoSchema, { domain: '', version: 9n })],
    graph: create(onnx.GraphProtoSchema, {
      name: 'old',
      input: [port('const_0', [1, 3, 8, 8]), port('weight_1', [4, 3, 3, 3])],
      initializer: [
        create(onnx.TensorProtoSchema, {
          name: 'weight_1',
          dataType: 1,
          dims: [4n, 3n, 3n, 3n],
          floatData: [...KERNEL],
        }),
      ],
      node: [
        node('Conv', ['const_0', 'weight_1'], 'Conv_2', [
          attribute('pads', { type: INTS, ints: [1n, 1n, 1n, 1n] }),
          attribute('strides', { type: INTS, ints: [2n, 2n] }),
        ]),
        node('Clip', ['Conv_2'], 'clipped', [
          attribute('min', { type: FLOAT, f: 0 }),
          attribute('max', { type: FLOAT, f: 0.5 }),
        ]),
        node('ReduceMean', ['clipped'], 'mean', [
          attribute('axes', { type: INTS, ints: [2n, 3n] }),
          attribute('keepdims', { type: INT, i: 1n }),
        ]),
        node('Sub', ['clipped', 'mean'], 'centred'),
        node('Dropout', ['centred'], 'dropped'),
        node('GlobalAveragePool', ['dropped'], 'pooled'),
        // As exporters write it for one image: this cannot run on two.
        node('Constant', [], 'one', [
          attribute('value', {
            type: TENSOR,
            t: create(onnx.TensorProtoSchema, { dataType: 7, dims: [2n], int64Data: [1n, 4n] }),
          }),
        ]),
        node('Reshape', ['pooled', 'one'], 'class'),
      ],
      output: [port('class', [1, 4])],
    }),
  });
  change(model);
  return toBinary(onnx.ModelProtoSchema, model);
}

const KERNEL = randomArray(108, seeded(5), -0.5, 0.5);

describe('an ONNX file in NCHW with a fixed batch and an old operator set', () => {
  test('gives what TensorFlow.js gives, at any batch size', () => {
    const embedded = embedOnnx(oldModel());
    assert.equal(embedded.channelsFirst, true);
    assert.deepEqual(embedded.taps, ['Conv_2', 'clipped', 'centred', 'dropped']);
    const compute = embedded.at(['dropped', 'clipped'], SIZE);
    const bytes = trace(
      (image) => {
        const [dropped, clipped] = compute(image as tf.Tensor4D);
        return { dropped: dropped!, clipped: clipped! };
      },
      [IMAGE],
    );
    const { opsetImport } = fromBinary(onnx.ModelProtoSchema, bytes);
    assert.deepEqual(
      opsetImport.map(({ version }) => version),
      [18n],
    );
    const values = randomArray(3 * 192, seeded(6), 0, 1);
    const x = tf.tensor4d(values.slice(), [3, 8, 8, 3]);
    const kernel = tf.transpose(tf.tensor4d(KERNEL.slice(), [4, 3, 3, 3]), [2, 3, 1, 0]) as tf.Tensor4D;
    const clipped = tf.clipByValue(
      tf.conv2d(
        x,
        kernel,
        2,
        [
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ],
        'NHWC',
        1,
        'floor',
      ),
      0,
      0.5,
    );
    const expected = { clipped, dropped: tf.sub(clipped, tf.mean(clipped, [1, 2], true)) };
    for (const [name, tensor] of Object.entries(expected)) {
      const got = run(bytes, name, values, 3);
      assert.deepEqual(got.dims, tensor.shape);
      assertClose(got.data as Float32Array, tensor.dataSync(), {
        relative: 1e-4,
        absolute: 1e-5,
        what: name,
      });
    }
  });

  test('is refused, with the reason, when it cannot be carried', () => {
    const refuse = (change: (model: onnx.ModelProto) => void, expected: RegExp) =>
      assert.throws(() => {
        const embedded = embedOnnx(oldModel(change));
        embedded.at(['dropped'], SIZE);
      }, expected);
    refuse((m) => {
      m.graph!.node[1]!.opType = 'ThresholdedRelu';
      m.opsetImport[0]!.version = 10n;
      m.graph!.node[1]!.attribute = [];
    }, /operator ThresholdedRelu is not one/);
    refuse((m) => {
      m.graph!.node[0]!.domain = 'com.example';
    }, /com\.example\.Conv, which is no operator of the ONNX standard/);
    refuse((m) => {
      m.graph!.input[0]!.name = 'other';
    }, /does not run/);
    refuse((m) => {
      m.graph!.initializer = [];
    }, /one image input, this one has const_0, weight_1/);
    refuse((m) => {
      m.graph!.node.splice(0, 1);
    }, /does not run/);
    assert.throws(() => embedOnnx(new TextEncoder().encode('hello')), /not an ONNX file/);
    assert.throws(() => embedOnnx(oldModel()).at(['nothing'], SIZE), /nothing/);
  });
});

describe('backbones and a graph of our own, merged into one', () => {
  /** float32 [N, 8, 8, 3] -> one result of each of them. */
  type Part = (x: tf.Tensor4D) => tf.Tensor;

  const backbone = (bytes: Uint8Array): Part => {
    const embedded = embedOnnx(bytes);
    const compute = embedded.at([embedded.taps.at(-1)!], SIZE);
    return (x) => compute(x)[0]!;
  };
  /** Layers drawn from a seed; names of weights and nodes are the same in each file. */
  const drawnNet = (seed: number): layers.LayersModel => {
    const d = drawing(seed);
    const l = layers.layers;
    const model = layers.sequential({
      layers: [
        l.conv2d({ inputShape: [8, 8, 3], filters: d.int(2, 5), kernelSize: d.int(1, 3), padding: 'same' }),
        d.pick([l.batchNormalization({}), l.leakyReLU({}), l.maxPooling2d({ poolSize: 2 })]),
        l.conv2d({
          filters: d.int(2, 5),
          kernelSize: 2,
          padding: 'same',
          activation: d.pick(['relu', 'tanh']),
        }),
      ],
    });
    seedWeights(model, seed);
    return model;
  };
  const traced = (parts: Readonly<Record<string, Part>>): Uint8Array =>
    trace(
      (x) => Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part(x as tf.Tensor4D)])),
      [IMAGE],
    );
  const graphOf = (bytes: Uint8Array) => fromBinary(onnx.ModelProtoSchema, bytes);
  const floats = (bytes: Uint8Array) =>
    graphOf(bytes)
      .graph!.initializer.filter(({ dataType }) => dataType === 1)
      .reduce((sum, { rawData }) => sum + rawData.length, 0);

  for (let seed = 1; seed <= 6; seed++)
    test(`give what each gives alone, and their names are kept apart, ${seed}`, () => {
      const own = drawnNet(seed + 100);
      const parts: Record<string, Part> = {
        first: backbone(traced({ y: (x) => drawnNet(seed).predict(x) as tf.Tensor })),
        old: backbone(oldModel()), // of operator set 9, with the names of our own weights
        second: backbone(traced({ y: (x) => drawnNet(seed + 50).predict(x) as tf.Tensor })),
        own: (x) => own.predict(x) as tf.Tensor,
      };
      const merged = traced(parts);
      assert.deepEqual(problemsOf(merged), []);
      assert.deepEqual(
        graphOf(merged).opsetImport.map(({ version }) => version),
        [18n],
      );
      const values = randomArray(2 * 192, seeded(seed), 0, 1);
      for (const [name, part] of Object.entries(parts)) {
        const [got, alone] = [run(merged, name, values, 2), run(traced({ [name]: part }), name, values, 2)];
        assert.deepEqual(got.dims, alone.dims);
        assert.deepEqual([...(got.data as Float32Array)], [...(alone.data as Float32Array)], name);
      }
    });

  test('hold the weights of one that is used twice once, and what is computed twice, too', () => {
    const bytes = traced({ y: (x) => drawnNet(3).predict(x) as tf.Tensor });
    const [part, again] = [backbone(bytes), backbone(bytes)];
    const once = traced({ a: part });
    const twice = traced({ a: part, b: (x) => again(tf.mul(x, 2) as tf.Tensor4D) });
    assert.equal(floats(twice) - floats(once), 4, 'the number 2 alone is new');
    const same = traced({ a: part, b: (x) => tf.neg(again(x)) });
    assert.equal(graphOf(same).graph!.node.length, graphOf(once).graph!.node.length + 1);
    assert.deepEqual(problemsOf(twice), []);
  });
});
