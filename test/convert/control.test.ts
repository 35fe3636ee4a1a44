/** Conditions, loops and lists of tensors in graph models, in the forms of TensorFlow 1 and 2. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as onnx from 'onnx-buf';
import { checkGraph } from './support/check_graph.ts';
import {
  type Attributes,
  attribute,
  type Constant,
  type FunctionDef,
  type NodeDef,
  placeholder,
} from './support/graph_defs.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

const RELATIVE = 1e-4;
const { fn, int, type } = attribute;
const F = { T: type('DT_FLOAT') };
const I = { T: type('DT_INT32') };

const node = (op: string, name: string, input: string[], attr: Attributes = F): NodeDef => ({
  name,
  op,
  input,
  attr,
});
const whole = (value: number): Constant => ({ values: [value], shape: [], dtype: 'int32' });
const flag = (value: number): Constant => ({ values: [value], shape: [], dtype: 'bool' });
const scalar = (value: number): Constant => ({ values: [value], shape: [], dtype: 'float32' });
const operators = (bytes: Uint8Array) =>
  fromBinary(onnx.ModelProtoSchema, bytes).graph!.node.map(({ opType }) => opType);

/** x -> 2 x + 1 and x -> -x. */
const BRANCHES: FunctionDef[] = [
  {
    name: 'up',
    inputs: [['x', 'DT_FLOAT']],
    outputs: [['y', 'DT_FLOAT', 'sum:z:0']],
    nodes: [
      node('Add', 'twice', ['x', 'x']),
      node('Exp', 'grown', ['twice:z:0']),
      node('Add', 'sum', ['grown:y:0', 'x']),
    ],
  },
  {
    name: 'down',
    inputs: [['x', 'DT_FLOAT']],
    outputs: [['y', 'DT_FLOAT', 'negative:y:0']],
    nodes: [node('Neg', 'negative', ['x'])],
  },
];

describe('a condition', () => {
  const branches = { then_branch: fn('up'), else_branch: fn('down') };
  for (const [value, operator] of [
    [1, 'Exp'],
    [0, 'Neg'],
  ] as const)
    test(`that is known is followed: ${operator}`, async () => {
      const found = await checkGraph(
        {
          nodes: [placeholder('x', [-1, 3]), node('StatelessIf', 'y', ['known', 'x'], branches)],
          constants: { known: flag(value) },
          functions: BRANCHES,
        },
        ['y'],
      );
      assert.ok(found.relative <= RELATIVE);
      assert.ok(operators(found.bytes).includes(operator));
      assert.ok(!operators(found.bytes).includes('Where'));
    });

  for (const op of ['StatelessIf', 'If'])
    test(`that is not known chooses between both branches: ${op}`, async () => {
      const graph = {
        nodes: [
          placeholder('x', [-1, 3]),
          node('Sum', 'total', ['x', 'axes'], { keep_dims: attribute.bool(false), ...F }),
          node('Greater', 'decided', ['total', 'zero']),
          node(op, 'y', ['decided', 'x'], branches),
        ],
        constants: { axes: { values: [0, 1], shape: [2], dtype: 'int32' as const }, zero: scalar(0) },
        functions: BRANCHES,
      };
      for (const range of [
        [0.1, 1],
        [-1, -0.1],
      ] as Array<[number, number]>) {
        const found = await checkGraph(graph, ['y'], { range });
        assert.ok(found.relative <= RELATIVE, `${found.relative}`);
        assert.ok(operators(found.bytes).includes('Where'));
      }
    });
});

/** The constants of functions lie among the graph's own, by name. */
const CONSTANT = { dtype: type('DT_INT32') };
const COUNTERS = { limit: whole(4), one: whole(1), axis: whole(0) };

/** Doubles x and counts, while the counter is below 4. */
const COUNTED: FunctionDef[] = [
  {
    name: 'more',
    inputs: [
      ['i', 'DT_INT32'],
      ['x', 'DT_FLOAT'],
    ],
    outputs: [['go', 'DT_BOOL', 'below:z:0']],
    nodes: [node('Const', 'limit', [], CONSTANT), node('Less', 'below', ['i', 'limit:output:0'], I)],
  },
  {
    name: 'turn',
    inputs: [
      ['i', 'DT_INT32'],
      ['x', 'DT_FLOAT'],
    ],
    outputs: [
      ['next', 'DT_INT32', 'count:z:0'],
      ['y', 'DT_FLOAT', 'wave:y:0'],
    ],
    nodes: [
      node('Const', 'one', [], CONSTANT),
      node('Add', 'count', ['i', 'one:output:0'], I),
      node('Add', 'twice', ['x', 'x']),
      node('Sin', 'wave', ['twice:z:0']),
    ],
  },
];

describe('a loop', () => {
  const functions = { cond: fn('more'), body: fn('turn') };
  test('of a known number of turns is unrolled', async () => {
    const found = await checkGraph(
      {
        nodes: [placeholder('x', [-1, 3]), node('StatelessWhile', 'loop', ['start', 'x'], functions)],
        constants: { start: whole(0), ...COUNTERS },
        functions: COUNTED,
      },
      ['loop:1'],
    );
    assert.ok(found.relative <= RELATIVE, `${found.relative}`);
    assert.equal(operators(found.bytes).filter((op) => op === 'Sin').length, 4);
  });

  test('whose number of turns depends on the input becomes a Loop', async () => {
    const graph = {
      nodes: [
        placeholder('x', [2, 3]),
        placeholder('start', [], 'int32'),
        node('While', 'loop', ['start', 'x'], functions),
      ],
      functions: COUNTED,
      constants: COUNTERS,
    };
    for (let seed = 1; seed <= 6; seed++) {
      const found = await checkGraph(graph, ['loop', 'loop:1'], { seed });
      assert.ok(found.relative <= RELATIVE, `${found.relative}`);
      assert.ok(operators(found.bytes).includes('Loop'));
    }
  });

  for (const write of ['TensorListSetItem', 'TensorListPushBack'] as const)
    test(`that writes what it computes into a list is unrolled: ${write}`, async () => {
      const list = { element_shape: attribute.shape([-1, 3]), element_dtype: type('DT_FLOAT') };
      const [more, turn] = COUNTED as [FunctionDef, FunctionDef];
      const argument: [string, string] = ['list', 'DT_VARIANT'];
      const place = write === 'TensorListSetItem' ? ['i'] : [];
      const writing: FunctionDef = {
        ...turn,
        inputs: [...turn.inputs, argument],
        outputs: [...turn.outputs, ['written', 'DT_VARIANT', 'write:output_handle:0']],
        nodes: [...turn.nodes, node(write, 'write', ['list', ...place, 'twice:z:0'], list)],
      };
      const reserved = write === 'TensorListSetItem' ? 4 : 0;
      const found = await checkGraph(
        {
          nodes: [
            placeholder('x', [2, 3]),
            node('TensorListReserve', 'list', ['shape', 'size'], list),
            node('StatelessWhile', 'loop', ['start', 'x', 'list'], functions),
            node('TensorListStack', 'y', ['loop:2', 'shape'], { ...list, num_elements: int(4) }),
          ],
          constants: {
            ...{ start: whole(0), size: whole(reserved), ...COUNTERS },
            shape: { values: [2, 3], shape: [2], dtype: 'int32' },
          },
          functions: [{ ...more, inputs: [...more.inputs, argument] }, writing],
        },
        ['y'],
      );
      assert.ok(found.relative <= RELATIVE, `${found.relative}`);
      assert.equal(found.compared, 24);
    });

  test('whose shapes change from turn to turn is refused with what to do', async () => {
    const growing: FunctionDef = {
      ...COUNTED[1]!,
      outputs: [
        ['next', 'DT_INT32', 'count:z:0'],
        ['y', 'DT_FLOAT', 'longer:output:0'],
      ],
      nodes: [
        ...COUNTED[1]!.nodes.slice(0, 2),
        node('Const', 'axis', [], CONSTANT),
        node('ConcatV2', 'longer', ['x', 'x', 'axis:output:0'], { N: int(2), ...F }),
      ],
    };
    const nodes = [
      placeholder('x', [2, 3]),
      placeholder('start', [], 'int32'),
      node('While', 'loop', ['start', 'x'], functions),
    ];
    await assert.rejects(
      checkGraph({ nodes, functions: [COUNTED[0]!, growing], constants: COUNTERS }, ['loop:1']),
      /^Error: node loop, operation While: variable 1 of the loop has shape \[2,3\] before a turn and \[4,3\] behind it/,
    );
  });

  test('in the form of TensorFlow 1 is unrolled where its number of turns is known', async () => {
    const frame = { frame_name: attribute.string('frame'), is_constant: attribute.bool(false) };
    const found = await checkGraph(
      {
        nodes: [
          placeholder('x', [-1, 3]),
          node('Enter', 'enter_i', ['start'], { ...frame, ...I }),
          node('Enter', 'enter_x', ['x'], { ...frame, ...F }),
          node('Enter', 'enter_limit', ['limit'], { ...frame, is_constant: attribute.bool(true), ...I }),
          node('Enter', 'enter_one', ['one'], { ...frame, is_constant: attribute.bool(true), ...I }),
          node('Merge', 'merge_i', ['enter_i', 'next_i'], I),
          node('Merge', 'merge_x', ['enter_x', 'next_x']),
          node('Less', 'below', ['merge_i', 'enter_limit'], I),
          node('LoopCond', 'go', ['below'], {}),
          node('Switch', 'switch_i', ['merge_i', 'go'], I),
          node('Switch', 'switch_x', ['merge_x', 'go']),
          node('Add', 'count', ['switch_i:1', 'enter_one'], I),
          node('Sin', 'wave', ['switch_x:1']),
          node('NextIteration', 'next_i', ['count'], I),
          node('NextIteration', 'next_x', ['wave']),
          node('Exit', 'exit_x', ['switch_x']),
          node('Identity', 'y', ['exit_x']),
        ],
        constants: { start: whole(0), limit: whole(3), one: whole(1) },
      },
      ['y'],
    );
    assert.ok(found.relative <= RELATIVE, `${found.relative}`);
    assert.equal(operators(found.bytes).filter((op) => op === 'Sin').length, 3);
  });
});

test('a condition in the form of TensorFlow 1 is followed where it is known, and refused where not', async () => {
  const graph = (decided: NodeDef[]) => ({
    nodes: [
      placeholder('x', [-1, 3]),
      ...decided,
      node('Switch', 'switch', ['x', 'decided']),
      node('Neg', 'no', ['switch']),
      node('Exp', 'yes', ['switch:1']),
      node('Merge', 'merge', ['no', 'yes']),
      node('Identity', 'y', ['merge']),
    ],
    constants: {
      zero: scalar(0),
      axes: { values: [0, 1], shape: [2], dtype: 'int32' as const },
      truth: flag(1),
    },
  });
  const found = await checkGraph(graph([node('Identity', 'decided', ['truth'], { T: type('DT_BOOL') })]), [
    'y',
  ]);
  assert.ok(found.relative <= RELATIVE);
  assert.deepEqual(operators(found.bytes), ['Exp']);
  const unknown = [
    node('Sum', 'total', ['x', 'axes'], { keep_dims: attribute.bool(false), ...F }),
    node('Greater', 'decided', ['total', 'zero']),
  ];
  await assert.rejects(
    checkGraph(graph(unknown), ['y']),
    /node switch, operation Switch: which branch is taken here, .* values of the inputs.*enable_control_flow_v2/,
  );
});

test('lists and arrays of tensors convert', async () => {
  const shape = { element_shape: attribute.shape([-1, 2]), element_dtype: type('DT_FLOAT') };
  const list = await checkGraph(
    {
      nodes: [
        placeholder('x', [3, 2, 2]),
        node('TensorListFromTensor', 'list', ['x', 'size'], shape),
        node('TensorListGetItem', 'item', ['list', 'one', 'size'], shape),
        node('Neg', 'negative', ['item']),
        node('TensorListSetItem', 'changed', ['list', 'zero', 'negative'], shape),
        node('TensorListStack', 'y', ['changed', 'size'], { ...shape, num_elements: int(3) }),
      ],
      constants: { size: { values: [2, 2], shape: [2], dtype: 'int32' }, zero: whole(0), one: whole(1) },
    },
    ['y'],
  );
  assert.ok(list.relative <= RELATIVE, `${list.relative}`);
  const array = {
    dtype: type('DT_FLOAT'),
    element_shape: attribute.shape([2]),
    dynamic_size: attribute.bool(false),
  };
  const arrays = await checkGraph(
    {
      nodes: [
        placeholder('x', [2]),
        node('TensorArrayV3', 'array', ['two'], {
          ...array,
          clear_after_read: attribute.bool(false),
          identical_element_shapes: attribute.bool(true),
          tensor_array_name: attribute.string('array'),
        }),
        node('TensorArrayWriteV3', 'first', ['array', 'zero', 'x', 'array:1'], F),
        node('Neg', 'negative', ['x']),
        node('TensorArrayWriteV3', 'second', ['array', 'one', 'negative', 'first'], F),
        node('TensorArrayGatherV3', 'y', ['array', 'both', 'second'], array),
      ],
      constants: {
        zero: whole(0),
        one: whole(1),
        two: whole(2),
        both: { values: [1, 0], shape: [2], dtype: 'int32' },
      },
    },
    ['y'],
  );
  assert.ok(arrays.relative <= RELATIVE, `${arrays.relative}`);
});

test('what does not convert is named with its node and what to do instead', async () => {
  const nodes = [
    placeholder('x', [4, 3]),
    node('Abs', 'positive', ['x']),
    node('RandomUniform', 'noise', ['size'], {
      seed: int(0),
      seed2: int(0),
      dtype: type('DT_FLOAT'),
      T: type('DT_INT32'),
    }),
    node('Add', 'y', ['positive', 'noise']),
    node('Where', 'places', ['flags'], {}),
    node('Greater', 'flags', ['x', 'positive']),
    node('RFFT', 'spectrum', ['x', 'length']),
  ];
  const graph = {
    nodes,
    constants: {
      size: { values: [4, 3], shape: [2], dtype: 'int32' as const },
      length: { ...whole(3), shape: [1] },
    },
  };
  await assert.rejects(
    checkGraph(graph, ['y']),
    /node noise, operation RandomUniform, cannot be converted: it draws random numbers/,
  );
  await assert.rejects(
    checkGraph(graph, ['places']),
    /node places, operation Where.*depends on values.*--outputs/,
  );
  await assert.rejects(checkGraph(graph, ['spectrum']), /node spectrum, operation RFFT.*no complex numbers/);
  await assert.rejects(
    checkGraph(graph, ['nothing']),
    /has no node "nothing"; its outputs are y, places, spectrum/,
  );
});
