import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Tensor } from 'onnxruntime-node';
import { channelBlock } from '../../convert/channel_block.ts';
import { Graph } from '../../convert/graph.ts';
import { convolve, fuseRectifiers } from '../../convert/kernels/blocked.ts';
import { serializeModel } from '../../convert/model.ts';
import { loadSession } from '../../convert/session.ts';
import { elements } from '../../convert/shapes.ts';
import { assertClose, randomArray, seeded } from './support/numbers.ts';

const ATTRIBUTES = { kernel_shape: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] };

/** The operators of a convolution of this many channels, with what `more` adds, after everything unused is gone. */
function operators(
  inputs: number,
  out: number,
  block: number | undefined,
  more: (g: Graph, convolved: string) => string[] = (_, convolved) => [convolved],
): string[] {
  const g = new Graph({ portable: false, poolIndices: false, channelBlock: block, reserved: [] });
  const dims = [out, inputs, 3, 3] as const;
  const images = g.input({ name: 'images', type: 'float32', dims: [2, inputs, 5, 5] });
  const filter = g.input({ name: 'filter', type: 'float32', dims });
  const convolved = convolve(g, { images, filter, bias: undefined, dims, attributes: ATTRIBUTES });
  more(g, convolved).forEach((name, i) => {
    g.output(name, { name: `result${i}`, type: 'float32', dims: [2, out, 5, 5] });
  });
  g.finish({ keepInputs: false });
  fuseRectifiers(g);
  return g.nodes.map((node) => `${node.type}${node.attributes.activation ?? ''}`);
}

const REORDERED = ['Reshape', 'Transpose', 'ReorderInput', 'Reshape', 'Conv', 'ReorderOutput'];

describe('a convolution takes the blocked layout', () => {
  test('where its channels fill blocks, or are few before them', () => {
    assert.deepEqual(operators(16, 32, 16), REORDERED);
    assert.deepEqual(operators(3, 32, 16), REORDERED.toSpliced(2, 1));
    assert.deepEqual(operators(24, 32, 16), ['Conv']);
    assert.deepEqual(operators(16, 3, 16), ['Conv']);
    assert.deepEqual(operators(3, 8, 16), ['Conv']);
    assert.deepEqual(operators(16, 32, undefined), ['Conv']);
  });

  test('where filters of zeros fill a block', () => {
    assert.deepEqual(operators(16, 24, 16), ['Pad', ...REORDERED]);
    assert.deepEqual(operators(8, 4, 16), ['Pad', ...REORDERED.toSpliced(2, 1)]);
  });

  test('and gives what it gives without', () => {
    const results = [channelBlock(), undefined].map((block) => {
      const g = new Graph({ portable: false, poolIndices: false, channelBlock: block, reserved: [] });
      const shapes = { images: [2, 8, 5, 5], filter: [4, 8, 3, 3], bias: [4] };
      for (const [name, dims] of Object.entries(shapes)) g.input({ name, type: 'float32', dims });
      const inputs = { images: 'images', filter: 'filter', bias: 'bias' };
      const convolved = convolve(g, { ...inputs, dims: [4, 8, 3, 3], attributes: ATTRIBUTES });
      g.output(convolved, { name: 'result', type: 'float32', dims: [2, 4, 5, 5] });
      const session = loadSession(serializeModel(g.finish({ keepInputs: true })), { intraOpNumThreads: 1 });
      const random = seeded(3);
      const feeds = Object.entries(shapes).map(([name, dims]) => {
        return [name, new Tensor('float32', randomArray(elements(dims), random, -1, 1), dims)] as const;
      });
      const { result } = session.run(Object.fromEntries(feeds), ['result']);
      session.dispose();
      return result!;
    });
    assert.deepEqual(results[0]!.dims, [2, 4, 5, 5]);
    const [got, expected] = results.map(({ data }) => data as Float32Array);
    assertClose(got!, expected!, { relative: 1e-5, absolute: 1e-5, what: 'result' });
  });

  test('and computes the Relu behind it, unless others read its result', () => {
    const relu = (g: Graph, name: string) => [g.op('Relu', [name])];
    assert.deepEqual(operators(16, 16, 16, relu), REORDERED.with(4, 'ConvRelu'));
    const both = (g: Graph, name: string) => [g.op('Relu', [name]), name];
    assert.deepEqual(operators(16, 16, 16, both), [...REORDERED, 'Relu']);
    const neighbour = (g: Graph, name: string) => [g.op('Relu', [name]), g.op('Neg', [name])];
    assert.deepEqual(operators(16, 16, 16, neighbour), [...REORDERED, 'Relu', 'Neg']);
  });

  test('of as many channels as onnxruntime has on this processor', () => {
    assert.ok([undefined, 8, 16].includes(channelBlock()), `${channelBlock()}`);
  });
});
