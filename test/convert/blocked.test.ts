import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { channelBlock } from '../../convert/channel_block.ts';
import { Graph } from '../../convert/graph.ts';
import { convolve, fuseRectifiers } from '../../convert/kernels/blocked.ts';

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
    assert.deepEqual(operators(16, 24, 16), ['Conv']);
    assert.deepEqual(operators(16, 32, undefined), ['Conv']);
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
