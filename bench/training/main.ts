/** A peer that trains with TensorFlow.js: `main.ts <backend> <threads> <data folder> <package folder>`. */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { fundusNet } from '../../trainer/backend/child/net.ts';
import { inspectPackage } from '../../trainer/backend/find.ts';
import { loadTensorFlow } from '../../trainer/backend/tensorflow.ts';
import { loadWasm } from '../wasm/environment.ts';
import { registerWasmGradients } from '../wasm/gradients.ts';
import { BATCH, LEARNING_RATE, readTrainingData, SIZE } from './data.ts';
import type { PeerRequest, Timing } from './peer.ts';

const [backend, threads, dataFolder, packageFolder] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
await startBackend();
const { batches, weights } = await readTrainingData(dataFolder);
const model = await fundusNet();
model.compile({ optimizer: tf.train.adam(LEARNING_RATE), loss: 'meanSquaredError' });
model.setWeights(weights.map(({ shape, values }) => tf.tensor(values, shape)));
const images = batches.map((values) => tf.tensor4d(values, [BATCH, SIZE, SIZE, 3]));
let steps = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as PeerRequest;
  const answer = 'losses' in request ? await losses(request.losses) : await time(request.seconds);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function step(): Promise<number> {
  const batch = images[steps++ % images.length]!;
  return (await model.trainOnBatch(batch, batch)) as number;
}

async function losses(count: number): Promise<number[]> {
  const list: number[] = [];
  while (list.length < count) list.push(await step());
  return list;
}

async function time(seconds: number): Promise<Timing> {
  const begin = performance.now();
  const processor = process.cpuUsage();
  let count = 0;
  for (; performance.now() - begin < seconds * 1000; count++) await step();
  const elapsed = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(processor);
  return { images: count * BATCH, seconds: elapsed, processorSeconds: (user + system) / 1e6 };
}

async function startBackend(): Promise<void> {
  if (backend === 'tfjs-node') {
    const found = inspectPackage('tfjs-node', packageFolder, 'cache');
    if ('missing' in found) throw new Error(found.missing);
    await loadTensorFlow(found);
    return;
  }
  if (backend === 'wasm') {
    loadWasm(packageFolder);
    registerWasmGradients();
  } else {
    registerOnnxBackend({ threads: Number(threads) });
  }
  await tf.setBackend(backend);
}
