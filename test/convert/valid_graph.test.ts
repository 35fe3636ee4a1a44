/** Every file is valid by the rules of onnx.checker, in TypeScript; `bench -- parity` asks the checker itself. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as onnx from 'onnx-buf';
import { traceableModel } from '../../convert/model_conversion.ts';
import { trace } from '../../convert/trace.ts';
import { BLOCK_CASES, PLACE_CASES, VOLUME_CASES } from './cases/drawn.ts';
import { ELEMENTWISE_CASES } from './cases/elementwise.ts';
import { IMAGE_CASES } from './cases/images.ts';
import { LAYER_CASES } from './cases/layers.ts';
import { SHAPE_CASES } from './cases/shape.ts';
import { FAMILY_NAMES, randomModel } from './random/models.ts';
import type { Case } from './support/differential.ts';
import { drawing } from './support/draw.ts';
import { problemsOf } from './support/valid_graph.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

/** Each family six times. */
const MODELS = 6 * FAMILY_NAMES.length;

describe('files of random models are valid', () => {
  for (const [index, family] of FAMILY_NAMES.entries())
    test(family, () => {
      for (let seed = index; seed <= MODELS; seed += FAMILY_NAMES.length) {
        const { fn, inputs } = traceableModel(randomModel(seed).model);
        assert.deepEqual(problemsOf(trace(fn, inputs)), [], `seed ${seed}`);
      }
    });
});

const DRAWN = [...VOLUME_CASES, ...BLOCK_CASES, ...PLACE_CASES].map(({ name, draw }, i) => ({
  name,
  ...draw(drawing(i)),
}));

for (const [family, cases] of Object.entries({
  elementwise: ELEMENTWISE_CASES,
  'shape, reduction and index': SHAPE_CASES,
  'pooling, border and resizing': IMAGE_CASES,
  'layer and loss': LAYER_CASES,
  'volume, block and place': DRAWN,
}))
  test(`files of ${family} kernels and of their gradients are valid`, () => {
    for (const each of cases) {
      const inputs = each.shapes.map((shape, i) => ({ name: `x${i}`, shape }));
      for (const fn of functionsOf(each)) assert.deepEqual(problemsOf(trace(fn, inputs)), [], each.name);
    }
  });

/** Forward, and gradients where there are some. */
function functionsOf({
  fn,
  gradient,
  integers,
}: Case): Array<(...inputs: tf.Tensor[]) => Record<string, tf.Tensor>> {
  const forward = (...xs: tf.Tensor[]) => fn(...(integers ? xs.map((x) => tf.cast(x, 'int32')) : xs));
  const backward = (...xs: tf.Tensor[]) =>
    Object.fromEntries(
      tf
        .grads((...ys) => tf.sum(forward(...ys)))(xs)
        .map((g, i) => [`gradient ${i}`, g]),
    );
  return [(...xs) => ({ y: forward(...xs) }), ...(gradient === 'none' ? [] : [backward])];
}

describe('what is not valid is found', () => {
  /** [N, 4] -> Add -> Mul -> Greater -> Cast. */
  const good = trace(
    (x) => ({ y: tf.cast(tf.greater(tf.mul(tf.add(x!, tf.range(0, 4)), tf.range(1, 5)), 2), 'float32') }),
    [{ name: 'x', shape: [null, 4] }],
  );
  const broken: Record<string, [(graph: onnx.GraphProto) => void, RegExp]> = {
    'a node before what it reads': [(g) => g.node.reverse(), /is not there yet/],
    'a weight that is missing': [(g) => g.initializer.shift(), /is not there yet/],
    'a name given twice': [(g) => g.node.push({ ...g.node[0]!, name: 'again' }), /given twice/],
    'two nodes of one name': [(g) => (g.node[1]!.name = g.node[0]!.name), /two nodes are called/],
    'a node that serves nothing': [
      (g) => g.node.push({ ...g.node[0]!, name: 'idle', output: ['nothing'] }),
      /^idle serves no output/,
    ],
    'a weight that serves nothing': [
      (g) => g.initializer.push({ ...g.initializer[0]!, name: 'idle', dims: [1n, 4n] }),
      /^idle serves no output/,
    ],
    'two equal weights': [(g) => g.initializer.push({ ...g.initializer[0]!, name: 'twin' }), /^twin equals/],
    'a weight that does not fit its shape': [(g) => (g.initializer[0]!.dims = [5n]), /of shape \[5\]/],
    'operands of two types': [(g) => (g.initializer[0]!.dataType = 6), /Add .* type 6 as input/],
    'an output of another type': [(g) => (g.node.at(-1)!.attribute[0]!.i = 6n), /output y is of type 6/],
    'an operator set that is not imported': [(g) => (g.node[0]!.domain = 'example'), /not imported/],
    'an operator of unknown types': [(g) => (g.node[0]!.opType = 'Hardmax'), /Hardmax has no signature/],
  };
  for (const [what, [change, expected]] of Object.entries(broken))
    test(what, () => {
      const model = fromBinary(onnx.ModelProtoSchema, good);
      assert.deepEqual(problemsOf(good), []);
      change(model.graph!);
      const problems = problemsOf(toBinary(onnx.ModelProtoSchema, create(onnx.ModelProtoSchema, model)));
      assert.ok(
        problems.some((problem) => expected.test(problem)),
        problems.join('\n') || 'nothing was found',
      );
    });
});
