/** What a function does with the batch size: a file with an open batch says it for every one, or there is none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';
import { checkGraph } from './support/check_graph.ts';
import { attribute, type Constant, type GraphDef, type NodeDef, placeholder } from './support/graph_defs.ts';
import { seedWeights } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const inputs = [{ name: 'x', shape: [null, 4] }];
const size = (x: tf.Tensor) => x.shape[0]!;
const row = tf.tensor2d([[1, 2, 3, 4]]);

describe('a function is refused', () => {
  for (const [what, fn, seen] of [
    ['that looks whether the batch is large', (x) => (size(x) > 100 ? tf.neg(x) : x), 254],
    ['that looks whether the batch is small', (x) => (size(x) < 5 ? tf.neg(x) : x), 1],
    ['that looks whether the batch is 1', (x) => (size(x) > 1 ? tf.neg(x) : x), 1],
    ['that looks whether the batch is even', (x) => tf.mul(x, size(x) % 2), 2],
    ['that divides the batch', (x) => tf.mul(x, 1 + Math.floor(size(x) / 100)), 254],
    ['with a limit to a slice', (x) => tf.slice(x, 0, Math.min(200, size(x))), 254],
    ['with a slice from the end', (x) => tf.stridedSlice(x, [-16, 0], [0, 4], [1, 1], 0, 1), 1],
    ['with a square of the batch', (x) => tf.sum(tf.add(tf.zeros([size(x) ** 2, 2]), tf.sum(x)), 1), 1],
    [
      'with a table of another number at one batch',
      (x) => tf.add(x, tf.fill([size(x), 4], size(x) > 99 ? 1 : 2)),
      254,
    ],
    [
      'with a constant that is repeated until a limit',
      (x) => tf.add(x, tf.mul(tf.tile(row, [size(x), 1]), size(x) > 99 ? row : 1)),
      254,
    ],
  ] as ReadonlyArray<[string, (x: tf.Tensor) => tf.Tensor, number]>)
    test(what, () => {
      assert.throws(
        () => trace((x) => ({ y: fn(x!) }), inputs),
        new RegExp(
          `does not do the same for every batch size.*seen at batches 29, 31 and ${seen}\\).*fix the batch size`,
        ),
      );
    });

  test('that fails with a batch of 1, which the error says', () => {
    assert.throws(
      () => trace((x) => ({ y: tf.slice(x!, [5, 0], [1, 4]) }), inputs),
      /from \[5,0\] on reaches beyond it\nThis happens with a batch of 1, not with 29 or 31: fix the batch size/,
    );
  });
});

test('what is small with one batch and not with another, or broadcast to it, is told from what depends on it', async () => {
  const twice = (count: number, x: tf.Tensor) => {
    const rows = tf.tile(tf.reshape(tf.range(0, count, 1, 'int32'), [1, count]), [size(x), 1]);
    return tf.add(tf.cast(tf.mul(rows, tf.scalar(2, 'int32')), 'float32'), tf.sum(x));
  };
  const fn = (x: tf.Tensor) => ({
    few: twice(100, x), // 2900 numbers are computed at once with a batch of 29, and 25,400 with one of 254 are not
    many: twice(200, x),
    broadcast: tf.mul(tf.broadcastTo(row, [size(x), 4]), x),
    column: tf.add(tf.mul(tf.tile([[3]], [size(x), 1]), 2), x),
  });
  const found = await compare(fn, trace(fn, inputs), inputs, { batches: [1, 2, 12, 300] });
  assert.ok(found.relative <= 1e-5, `${found.relative}`);
});

test('a layers model predicts a whole batch while it is traced, however large, and cuts it afterwards', async () => {
  const model = layers.sequential({ layers: [layers.layers.dense({ inputShape: [4], units: 2 })] });
  seedWeights(model, 3);
  const { predictLoop } = layers.LayersModel.prototype as unknown as { predictLoop: unknown };
  const fn = (x: tf.Tensor) => ({ y: model.predict(x, { batchSize: 8 }) as tf.Tensor });
  const bytes = trace(fn, inputs);
  assert.equal(
    (layers.LayersModel.prototype as unknown as { predictLoop: unknown }).predictLoop,
    predictLoop,
  );
  assert.ok((await compare(fn, bytes, inputs, { batches: [1, 9, 70] })).relative <= 1e-5);
});

describe('a graph model', () => {
  const F = { T: attribute.type('DT_FLOAT') };
  const bounds: Record<string, Constant> = {
    begin: { values: [-16, 0], shape: [2], dtype: 'int32' },
    end: { values: [0, 0], shape: [2], dtype: 'int32' },
    ones: { values: [1, 1], shape: [2], dtype: 'int32' },
  };
  const masks = {
    begin_mask: '2',
    end_mask: '3',
    ellipsis_mask: '0',
    new_axis_mask: '0',
    shrink_axis_mask: '0',
  };
  const slice: NodeDef = {
    name: 'last',
    op: 'StridedSlice',
    input: ['x', 'begin', 'end', 'ones'],
    attr: { ...F, ...Object.fromEntries(Object.entries(masks).map(([name, i]) => [name, { i }])) },
  };
  const graph: GraphDef = {
    nodes: [placeholder('x', [-1, 4]), slice, { name: 'y', op: 'Exp', input: ['last'], attr: F }],
    constants: bounds,
  };

  test('that takes the last rows of the batch is refused with its node', async () => {
    await assert.rejects(
      checkGraph(graph, ['y']),
      /^Error: node last, operation StridedSlice: the model does not do the same for every batch size: .*--batch 8/,
    );
  });

  test('and converts with a fixed batch', async () => {
    assert.ok((await checkGraph(graph, ['y'], { batch: 12, batches: [12] })).relative <= 1e-5);
  });
});
