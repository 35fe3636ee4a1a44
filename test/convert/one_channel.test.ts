import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { compileJob } from '../../convert/plan.ts';
import { openRecording } from '../../convert/recording.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');

/** Number of dimensions behind the last one that is not 1, of what a Sub reads in the graph of 1 - images. */
function endOfSub(shape: number[]): number {
  const recording = openRecording([{ name: 'images', shape }], shape[0]!);
  try {
    const { job } = recording.finish({ y: tf.sub(1, recording.placeholders[0]!) });
    const { graph } = compileJob(job, new Set(), undefined);
    const name = graph.nodes.find(({ type }) => type === 'Sub')!.inputs[1]!;
    const reshape = graph.nodes.find(({ outputs }) => outputs.includes(name));
    const dims = reshape ? Array.from(graph.initializers.get(reshape.inputs[1]!)!.data) : shape;
    return dims.length - 1 - dims.findLastIndex((d) => d !== 1);
  } finally {
    recording.end();
  }
}

test('images of one channel meet a scalar in dimensions that do not end in 1', () => {
  assert.equal(endOfSub([2, 5, 4, 1]), 0);
  assert.equal(endOfSub([2, 5, 4, 3]), 0);
});
