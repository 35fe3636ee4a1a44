/** The process behind probe.ts: starts one backend, trains on it, and prints a ProbeAnswer as its last line. */
import * as tf from '@tensorflow/tfjs-core';
import { inspectPackage } from '../find.ts';
import { type Candidate, startBackend } from '../select.ts';
import { measureTraining } from './net.ts';
import type { ProbeRequest, ProbeResult } from './probe.ts';

const request = JSON.parse(process.argv[2] ?? '') as ProbeRequest;
const answer = await run(request).catch((error: Error) => ({ failed: error.message }));
process.stdout.write(`${JSON.stringify(answer)}\n`);

async function run(request: ProbeRequest): Promise<ProbeResult> {
  const started = await startBackend(candidate(request));
  await checkLearning();
  if (request.seconds === 0) return started;
  return { ...started, imagesPerSecond: await measureTraining(request.seconds) };
}

function candidate({ backend, folder = '' }: ProbeRequest): Candidate {
  if (backend === 'onnx') return { got: backend, why: '' };
  const found = inspectPackage(backend, folder, 'cache');
  if ('missing' in found) throw new Error(`${backend} ${found.missing}`);
  return { got: backend, why: '', found };
}

/** A gradient known in closed form: d/dx sum(x * x) = 2x. */
async function checkLearning(): Promise<void> {
  const x = tf.tensor1d([1, -2, 3]);
  const gradient = await tf
    .grad((x) => tf.sum(tf.mul(x, x)))(x)
    .data();
  if (gradient.join() !== '2,-4,6') throw new Error(`expected the gradient 2,-4,6, got ${gradient.join()}`);
}
