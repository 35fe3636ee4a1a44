/** A peer that trains with TensorFlow.js: `main.ts <net> <backend> <threads> <data folder> <package folder>`. */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { inspectPackage } from '../../trainer/backend/find.ts';
import { loadTensorFlow } from '../../trainer/backend/tensorflow.ts';
import { loadWasm } from '../wasm/environment.ts';
import { registerWasmGradients } from '../wasm/gradients.ts';
import { readTrainingData } from './data.ts';
import { netNamed } from './nets.ts';
import type { PeerRequest, Timing } from './peer.ts';

const [netName, backend, threads, dataFolder, packageFolder] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
await startBackend();
const net = netNamed(netName);
const data = await readTrainingData(dataFolder, net);
const { model, step: stepOn } = await net.open();
model.setWeights(data.weights.map(({ shape, values }) => tf.tensor(values, shape)));
const images = data.batches.map((values) => tf.tensor(values, [net.batch, ...net.image]));
const noise = data.noise.map((values) => tf.tensor(values, [net.batch, net.noise]));
let steps = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as PeerRequest;
  const answer = 'losses' in request ? await losses(request.losses) : await time(request.seconds);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function step(): Promise<number> {
  const batch = steps++ % images.length;
  return stepOn(images[batch]!, noise[batch] ?? null);
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
  return { images: count * net.batch, seconds: elapsed, processorSeconds: (user + system) / 1e6 };
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
