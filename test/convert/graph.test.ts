import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../convert/graph.ts';
import { serializeModel } from '../../convert/model.ts';
import { seeded } from './support/numbers.ts';

const options = { portable: true, poolIndices: false, reserved: ['x', 'y', 'Add_1', 'Add_3', 'const_2'] };

function started(): Graph {
  const g = new Graph(options);
  g.input({ name: 'x', type: 'float32', dims: [4] });
  return g;
}

/** A graph of random elementwise nodes, of which only some reach the output. */
function randomGraph(seed: number): Graph {
  const random = seeded(seed);
  const g = started();
  const names = ['x'];
  for (let i = 0; i < 40; i++) {
    const pick = () => names[Math.floor(random() * names.length)]!;
    const constant = g.scalar(Math.floor(random() * 3));
    names.push(random() < 0.5 ? g.op('Add', [pick(), pick()]) : g.op('Mul', [pick(), constant]));
  }
  g.output(names[names.length - 3]!, { name: 'y', type: 'float32', dims: [4] });
  return g.finish({ keepInputs: true });
}

test('a finished graph has unique names, no dead nodes or constants, and is in order', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const g = randomGraph(seed);
    const produced = g.nodes.flatMap((n) => n.outputs);
    const names = [...g.inputs.map((i) => i.name), ...g.initializers.keys(), ...produced];
    assert.equal(new Set(names).size, names.length, 'a name is used twice');
    const used = new Set([...g.nodes.flatMap((n) => n.inputs), 'y']);
    for (const node of g.nodes)
      assert.ok(
        node.outputs.some((o) => used.has(o)),
        `${node.outputs} is dead`,
      );
    for (const name of g.initializers.keys()) assert.ok(used.has(name), `${name} is dead`);
    const known = new Set([...g.inputs.map((i) => i.name), ...g.initializers.keys()]);
    for (const node of g.nodes) {
      for (const input of node.inputs) assert.ok(known.has(input), `${input} is used before it is made`);
      for (const output of node.outputs) known.add(output);
    }
    assert.ok(known.has('y'));
  }
});

test('equal building gives equal bytes, different building does not', () => {
  const bytes = (seed: number) => serializeModel(randomGraph(seed));
  assert.deepEqual(bytes(7), bytes(7));
  assert.notDeepEqual(bytes(7), bytes(8));
});

test('equal nodes and constants are made once; -0 is not 0', () => {
  const g = started();
  assert.equal(g.op('Neg', ['x']), g.op('Neg', ['x']));
  assert.notEqual(g.op('Neg', ['x']), g.op('Abs', ['x']));
  assert.notEqual(g.op('Elu', ['x'], { alpha: { float: 1 } }), g.op('Elu', ['x'], { alpha: { float: 2 } }));
  assert.equal(g.ints([1, 2]), g.ints([1, 2]));
  assert.notEqual(g.scalar(0), g.scalar(-0));
  assert.notEqual(g.scalar(1), g.scalar(1, 'int32'));
  assert.equal(g.scalar(0.1), g.scalar(Math.fround(0.1)));
});

test('equal weights are held once, and what is computed of them is one node', () => {
  const g = started();
  const weight = (...values: number[]) => g.weight('float32', [values.length], Float32Array.from(values));
  const scaled = (...values: number[]) => g.op('Mul', ['x', weight(...values)]);
  assert.equal(scaled(1, 2, 3, 4), scaled(1, 2, 3, 4));
  assert.notEqual(weight(1, 2), weight(1, 3));
  assert.notEqual(weight(0), weight(-0));
  assert.equal(weight(Number.NaN), weight(Number.NaN));
  const data = Float32Array.of(1, 2, 1, 2);
  assert.equal(g.weight('float32', [2], data.subarray(2)), weight(1, 2), 'part of a larger buffer');
  assert.notEqual(g.weight('float32', [1, 2], Float32Array.of(1, 2)), weight(1, 2), 'another shape');
  assert.notEqual(g.weight('int32', [1], Int32Array.of(0)), weight(0), 'another type');
});

test('inner names keep clear of reserved ones', () => {
  const g = started();
  const names = Array.from({ length: 5 }, (_, i) => g.op('Add', ['x', g.scalar(i)]));
  assert.ok(
    names.every((name) => !options.reserved.includes(name)),
    names.join(),
  );
});

test('weights are transposed and reshaped in the file, not in the graph', () => {
  const g = started();
  const w = g.weight('float32', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
  const t = g.transpose(w, [1, 0], [2, 3]);
  assert.deepEqual(g.initializers.get(t), {
    type: 'float32',
    dims: [3, 2],
    data: Float32Array.of(1, 4, 2, 5, 3, 6),
    weight: true,
  });
  assert.equal(g.transpose(w, [1, 0], [2, 3]), t);
  assert.deepEqual(g.initializers.get(g.reshape(w, [6]))!.dims, [6]);
  assert.equal(g.nodes.length, 0);
  assert.equal(g.transpose('x', [0, 1], [2, 2]), 'x');
  g.transpose('x', [0, 3, 1, 2], [5, 4, 4, 1]);
  assert.deepEqual(
    g.nodes.map((n) => n.type),
    ['Reshape'],
  );
});

test('a constant that does not fit its shape is refused', () => {
  const g = started();
  g.output(g.op('Add', ['x', g.constant('float32', [3], [1, 2])]), { name: 'y', type: 'float32', dims: [3] });
  assert.throws(() => serializeModel(g), /has 2 elements/);
});
