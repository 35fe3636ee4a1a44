/** Every operation that tfjs-converter can emit, alone in a graph model, converted and compared. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Tensor } from 'onnxruntime-node';
import { UNSUPPORTED_OPERATIONS } from '../../convert/kernels/unsupported.ts';
import { converterOperations } from '../../convert/operation_names.ts';
import { loadSession } from '../../convert/session.ts';
import { OPERATION_CASES, type OperationCase } from './cases/graph_operations.ts';
import { checkGraph } from './support/check_graph.ts';
import { attribute, type Constant, type GraphDef, placeholder } from './support/graph_defs.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

/** Largest difference to TensorFlow.js, of an element or of 1 % of the largest. */
const RELATIVE = 1e-4;

describe('an operation agrees with TensorFlow.js', () => {
  OPERATION_CASES.forEach((operation, i) => {
    test(`${operation.op} (${i})`, async () => {
      const { results = 1, range = [-2, 2] } = operation;
      const outputs = Array.from({ length: results }, (_, k) => (k === 0 ? 'result' : `result:${k}`));
      const found = await checkGraph(graphOf(operation), outputs, { seed: i + 1, range });
      assert.ok(found.compared > 0);
      assert.ok(found.relative <= RELATIVE, `relative difference ${found.relative} of ${found.output}`);
    });
  });
});

/** In control.test.ts. */
const CONTROL =
  /^(If|While|Stateless.*|Switch|Merge|Enter|Exit|NextIteration|LoopCond|Tensor(List|Array).*|EmptyTensorList)$/;

/** In every graph, or without a result. */
const STRUCTURE = new Set(['Placeholder', 'PlaceholderWithDefault', 'Const', 'NoOp', 'Print']);

test('no operation of tfjs-converter is left out', () => {
  const covered = new Set(OPERATION_CASES.map(({ op }) => op));
  const refused = new Set(UNSUPPORTED_OPERATIONS.flatMap(({ operations }) => operations));
  const known = converterOperations();
  assert.ok(known.length > 200, `only ${known.length} operations were found`);
  const left = known.filter(
    (op) => !covered.has(op) && !refused.has(op) && !CONTROL.test(op) && !STRUCTURE.has(op),
  );
  assert.deepEqual(left, []);
  assert.deepEqual(
    [...covered].filter((op) => refused.has(op)),
    [],
  );
});

test('quantization in training rounds to its steps, of which one is 0; TensorFlow.js passes values on', async () => {
  const limit = (value: number): Constant => ({ values: [value], shape: [], dtype: 'float32' });
  for (const [bits, narrow, low, high] of [
    [8, false, -1, 0.7],
    [4, true, -0.2, 1],
  ] as const) {
    const attr = { num_bits: attribute.int(bits), narrow_range: attribute.bool(narrow) };
    const inputs = [[5000], limit(low), limit(high)];
    const { bytes } = await checkGraph(graphOf({ op: 'FakeQuantWithMinMaxVars', inputs, attr }), ['result']);
    const x = Float32Array.from({ length: 5000 }, (_, i) => (i - 2500) / 1250); // with 0 itself
    const session = loadSession(bytes, { logSeverityLevel: 3 });
    const { result } = session.run({ in0: new Tensor('float32', x, [5000]) }, ['result']);
    session.dispose();
    const got = result!.data as Float32Array;
    const steps = 2 ** bits - (narrow ? 2 : 1);
    const step = (high - low) / steps;
    assert.equal(got[2500], 0);
    assert.equal(new Set(got).size, steps + 1, 'every step is taken');
    got.forEach((value, i) => {
      assert.ok(Math.abs(value / step - Math.round(value / step)) < 1e-3, `${value} is no step`);
      const inside = Math.min(high, Math.max(low, x[i]!));
      assert.ok(Math.abs(value - inside) <= 1.001 * step, `${x[i]} became ${value}`);
    });
  }
});

test('quantization between -1 and 1 reaches beyond 1, as that of TensorFlow does in single precision', async () => {
  const limit = (value: number): Constant => ({ values: [value], shape: [], dtype: 'float32' });
  const operation = { op: 'FakeQuantWithMinMaxVars', inputs: [[2], limit(-1), limit(1)] };
  const { bytes } = await checkGraph(graphOf(operation), ['result']);
  const session = loadSession(bytes, { logSeverityLevel: 3 });
  const { result } = session.run({ in0: new Tensor('float32', Float32Array.of(-3, 3), [2]) }, ['result']);
  session.dispose();
  assert.deepEqual(
    [...(result!.data as Float32Array)].map((value) => value.toFixed(5)),
    ['-0.99608', '1.00392'], // what TensorFlow 2 gives
  );
});

test('what TensorFlow computes where tfjs-converter does something else', async () => {
  const whole = (value: number): Constant => ({ values: [value], shape: [], dtype: 'int32' });
  const T = { T: attribute.type('DT_INT32') };
  const int32 = { dtype: 'int32', attr: T } as const;
  for (const [operation, given, expected] of [
    [{ op: 'BitwiseAnd', inputs: [[4], whole(5)], ...int32 }, [1, 6, 4, 12], [1, 4, 4, 4]],
    [{ op: 'Mod', inputs: [[4], whole(4)], ...int32 }, [-7, 7, -8, 3], [-3, 3, 0, 3]],
    [{ op: 'Mod', inputs: [[4], whole(-4)], ...int32 }, [-7, 7, -8, 3], [-3, 3, 0, 3]],
    [
      {
        ...{ op: 'OneHot', inputs: [[2, 2], whole(3), whole(2), whole(-1)], dtype: 'int32' },
        attr: { ...T, axis: attribute.int(1) },
      },
      [0, 2, 1, 0],
      [...[2, -1, -1, -1, -1, 2], ...[-1, 2, 2, -1, -1, -1]],
    ],
    [
      { op: 'MatrixBandPart', inputs: [[3, 3], whole(1), whole(0)], ...int32 },
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
      [1, 0, 0, 4, 5, 0, 0, 8, 9],
    ],
    [
      { op: 'MatrixBandPart', inputs: [[3, 3], whole(-1), whole(0)], ...int32 },
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
      [1, 0, 0, 4, 5, 0, 7, 8, 9],
    ],
  ] satisfies Array<[OperationCase, number[], number[]]>) {
    const [shape] = operation.inputs;
    const { bytes } = await checkGraph(graphOf(operation), ['result']);
    const session = loadSession(bytes, { logSeverityLevel: 3 });
    const { result } = session.run({ in0: new Tensor('int32', Int32Array.from(given), shape as number[]) }, [
      'result',
    ]);
    session.dispose();
    assert.deepEqual([...(result!.data as Int32Array)], expected, operation.op);
    if (operation.op === 'OneHot') assert.deepEqual(result!.dims, [2, 3, 2]);
  }
});

function graphOf({ op, inputs, attr = {}, dtype = 'float32' }: OperationCase): GraphDef {
  const constants: Record<string, Constant> = {};
  const nodes = [placeholder('unused', [1])];
  const names = inputs.map((input, k) => {
    const name = `in${k}`;
    if (Array.isArray(input)) nodes.push(placeholder(name, input, dtype));
    else constants[name] = input;
    return name;
  });
  return { nodes: [...nodes, { name: 'result', op, input: names, attr }], constants };
}
