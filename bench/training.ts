/** How fast the backends train, side by side with PyTorch and tfjs-node, and whether they learn the same. */
import '@tensorflow/tfjs-backend-cpu';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { findPackage } from '../trainer/backend/find.ts';
import type { Bench, BenchContext, Table } from './bench.ts';
import { pythonEnvironment } from './python/environment.ts';
import { writeTrainingData } from './training/data.ts';
import { NETS, type Net, netNamed } from './training/nets.ts';
import { measureRoofline } from './training/roofline.ts';
import { compareLosses, goalRows, measureSpeed, type Speed } from './training/speed.ts';
import { measureSteps } from './training/steps.ts';
import { wasmEnvironment } from './wasm/environment.ts';

export const training: Bench = {
  name: 'training',
  title:
    'training speed and loss curves of five nets: onnx, tfjs-node, wasm, PyTorch; a long training; where a step goes',
  parts: [...NETS.map(({ name }) => name), 'roofline', 'steps'],
  counts: { turns: 7, steps: 10_000 },
  run,
};

async function run(context: BenchContext): Promise<Table[]> {
  const asked = (part: string) => context.only.length === 0 || context.only.includes(part);
  tf.enableProdMode(); // or its plain JavaScript backend prints a banner that recommends tfjs-node
  await tf.setBackend('cpu');
  const tables: Table[] = [];
  const goals: Table['rows'][number][] = [];
  if (asked('roofline'))
    for (const net of NETS) {
      context.report(`roofline: ${net.name}\n`);
      tables.push(await measureRoofline(net, context.cache));
    }
  if (asked('steps'))
    tables.push(...(await measureSteps(netNamed('mnist'), context.counts.steps!, context.report)));
  for (const net of NETS.filter(({ name }) => asked(name))) {
    const { speed, losses } = await measureNet(net, context);
    tables.push(speed.table, losses);
    goals.push(...goalRows(net, speed));
  }
  return goals.length === 0 ? tables : [...tables, goalTable(goals, context)];
}

async function measureNet(net: Net, context: BenchContext): Promise<{ speed: Speed; losses: Table }> {
  const { environment, report } = context;
  const python = await pythonEnvironment(context, 'torch');
  // Only this net's goals name wasm, which lacks gradient kernels of others.
  const wanted = net.goals.some(({ peer }) => peer === 'tfjs wasm');
  const wasm = wanted ? await wasmEnvironment(context) : undefined;
  const found = findPackage('tfjs-node', context.backends);
  const tfjsNode = 'missing' in found ? undefined : found.folder;
  const data = await mkdtemp(join(context.cache, 'training-'));
  try {
    await writeTrainingData(data, net);
    const setting = { python, wasm, tfjsNode, data, environment };
    const speed = await measureSpeed(setting, net, context.counts.turns!, report);
    return { speed, losses: await compareLosses(setting, net, report) };
  } finally {
    await rm(data, { recursive: true });
  }
}

function goalTable(rows: Table['rows'], { backends }: BenchContext): Table {
  const missing = 'missing' in findPackage('tfjs-node', backends);
  return {
    title: 'Goals: images a second beside those of peers',
    columns: ['net', 'threads', 'goal', 'images/s', 'images/CPU s', 'met'],
    rows,
    notes: [
      'Ratios, medians of those of each turn; a goal is met by images/s. The best peer: the one of both PyTorch layouts and tfjs-node with the lowest ratio.',
      'tfjs wasm has one thread only under Node, and takes four gradient kernels from bench/wasm/gradients.ts: its own are missing, wrong or slow.',
      ...(missing ? ['tfjs-node is not installed: `npx trainer backend install tfjs-node`.'] : []),
    ],
  };
}
