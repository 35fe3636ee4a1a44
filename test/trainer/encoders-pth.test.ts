import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTorchTensors } from '../../trainer/encoders/pth.ts';
import { seeded } from '../convert/support/numbers.ts';
import { global, op, type Saved, savedTensors, text } from './encoders/pth.ts';

const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => i + 0.5);

const PLAIN: Saved = { name: 'a.weight', shape: [2, 3], strides: [3, 1], offset: 0, storage: numbers(6) };

test('tensors come out row-major, whatever their strides and offset', () => {
  const transposed: Saved = { name: 'b', shape: [3, 2], strides: [1, 3], offset: 1, storage: numbers(8) };
  const scalar: Saved = { name: 'c', shape: [], strides: [], offset: 2, storage: numbers(3) };
  const empty: Saved = { name: 'd', shape: [0, 4], strides: [4, 1], offset: 0, storage: numbers(0) };
  const read = readTorchTensors(savedTensors([PLAIN, transposed, scalar, empty]));
  assert.deepEqual([...read.keys()], ['a.weight', 'b', 'c', 'd']);
  assert.deepEqual(read.get('a.weight'), { shape: [2, 3], data: numbers(6) });
  assert.deepEqual(read.get('b'), { shape: [3, 2], data: Float32Array.of(1.5, 4.5, 2.5, 5.5, 3.5, 6.5) });
  assert.deepEqual(read.get('c'), { shape: [], data: Float32Array.of(2.5) });
  assert.deepEqual(read.get('d'), { shape: [0, 4], data: new Float32Array() });
});

test('anything that could run code is refused by name', () => {
  const call = Buffer.concat([global('os', 'system'), text('true'), op(0x85), op(0x52)]);
  assert.throws(() => readTorchTensors(savedTensors([PLAIN], call)), /names os\.system; only tensors/);
  const built = Buffer.concat([global('builtins', 'eval')]);
  assert.throws(() => readTorchTensors(savedTensors([PLAIN], built)), /builtins\.eval/);
  const instance = op(0x81); // NEWOBJ
  assert.throws(() => readTorchTensors(savedTensors([PLAIN], instance)), /opcode 0x81/);
});

test('a tensor that claims more than its storage holds is refused', () => {
  const refuse = (change: Partial<Saved>, expected: RegExp) =>
    assert.throws(() => readTorchTensors(savedTensors([{ ...PLAIN, ...change }])), expected);
  refuse({ shape: [3, 3] }, /a\.weight reaches beyond its storage of 6 elements/);
  refuse({ offset: 1 }, /reaches beyond/);
  refuse({ strides: [4, 1] }, /reaches beyond/);
  // Strides of zero repeat one element: that would be 4e18 of them.
  refuse({ shape: [2 ** 31 - 1, 2 ** 31 - 1], strides: [0, 0] }, /more elements than the file has bytes/);
  refuse({ shape: [2], strides: [1, 1] }, /2 strides|1 sizes/);
});

test('other files are refused with what they are', () => {
  const zip = Buffer.from('PK\u0003\u0004 and so on');
  assert.throws(() => readTorchTensors(zip), /PyTorch 1\.6 or later/);
  assert.throws(() => readTorchTensors(Buffer.from('hello')), /not a \.pth file/);
  assert.throws(() => readTorchTensors(savedTensors([PLAIN]).subarray(0, -1)), /the file ends at byte/);
  assert.throws(() => readTorchTensors(Buffer.alloc(0)), /not a \.pth file/);
});

test('2,000 corrupted files end in an error or in tensors no larger than the file', () => {
  const whole = savedTensors([PLAIN, { ...PLAIN, name: 'b', shape: [3, 2], strides: [1, 3] }]);
  const random = seeded(7);
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    const file = Buffer.from(whole);
    for (let k = 0; k <= i % 4; k++) file[Math.floor(random() * file.length)] = Math.floor(random() * 256);
    const cut = i % 5 === 0 ? file.subarray(0, Math.floor(random() * file.length)) : file;
    try {
      const elements = [...readTorchTensors(cut).values()].reduce((sum, { data }) => sum + data.length, 0);
      assert.ok(elements <= cut.length, `${elements} elements from ${cut.length} bytes`);
    } catch (error) {
      assert.ok(error instanceof Error && !(error instanceof RangeError), `corruption ${i}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 500, `only ${refused} were refused`);
});
