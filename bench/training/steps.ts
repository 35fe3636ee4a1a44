/** Whether a long training stays as it began: memory, step time, compiled graphs. */
import { loadavg } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { random as randomNumbers } from '../../test/support/images.ts';
import type { Table } from '../bench.ts';
import { median } from '../table.ts';
import { waves } from './data.ts';
import type { Net } from './nets.ts';

const MEBIBYTE = 2 ** 20;
/** How often a smaller batch comes, as at the end of an epoch. */
const EPOCH = 100;
/** Steps of each size of batch before anything is counted: an optimizer's first steps are other graphs than the rest. */
const WARM_UP = 3;

interface Sample {
  readonly milliseconds: number;
  readonly residentBytes: number;
}

/** Trains `net` for `steps` steps, in this process and on one thread, with a smaller batch at the end of each epoch. */
export async function measureSteps(net: Net, steps: number, report: (text: string) => void): Promise<Table> {
  const current = registerOnnxBackend();
  await tf.setBackend('onnx');
  const load = loadavg()[0]!.toFixed(1);
  const { step } = await net.open();
  const batch = tf.tensor(waves(net.batch, net.image, randomNumbers(1)), [net.batch, ...net.image]);
  const last = tf.slice(batch, 0, Math.ceil(net.batch / 3));
  for (let i = 0; i < WARM_UP; i++) for (const images of [batch, last]) await step(images, null);
  const { compileMilliseconds, compiles, sessions } = current().statistics;
  const [tensors, ids] = [tf.memory().numTensors, current().numDataIds()];
  const samples: Sample[] = [];
  for (let i = 1; i <= steps; i++) {
    const begin = performance.now();
    await step(i % EPOCH === 0 ? last : batch, null);
    samples.push({
      milliseconds: performance.now() - begin,
      residentBytes: process.memoryUsage.rss(),
    });
    if (i % Math.ceil(steps / 50) === 0) report('.');
  }
  report('\n');
  const after = current().statistics;
  const growth = [tf.memory().numTensors - tensors, current().numDataIds() - ids] as const;
  tf.removeBackend('onnx');
  const parts = tenths(samples);
  const [first, end] = [parts[0]!, parts.at(-1)!];
  const resident = (part: readonly Sample[]) =>
    median(part.map(({ residentBytes }) => residentBytes)) / MEBIBYTE;
  const time = (part: readonly Sample[]) => median(part.map(({ milliseconds }) => milliseconds));
  const rows: Array<[string, number, number, string, boolean]> = [
    ['step, median ms', time(first), time(end), 'at most 5 % more', time(end) <= 1.05 * time(first)],
    [
      'resident, MiB',
      resident(first),
      resident(end),
      'at most 5 % more',
      resident(end) <= 1.05 * resident(first),
    ],
    ['graphs compiled', compiles, after.compiles, 'no more', after.compiles === compiles],
    ['sessions kept', sessions, after.sessions, 'no more', after.sessions <= sessions],
    ['tensors more than at first', 0, growth[0], 'none', growth[0] <= 0],
    ['tensors more in the backend', 0, growth[1], 'none', growth[1] <= 0],
  ];
  return {
    title: `${steps} steps of ${net.title}, one thread`,
    columns: ['', 'first tenth', 'last tenth', 'goal', 'met'],
    rows: rows.map(([name, a, b, goal, met]) => [name, a, b, goal, met ? 'yes' : 'no']),
    notes: [
      `Memory grows by ${slope(samples).toFixed(0)} KiB for 1000 steps, a line fitted to all steps but the first tenth.`,
      `Each ${EPOCH}th batch has a third of the images, as at the end of an epoch. Load average ${load} at the start.`,
      `Compiling took ${compileMilliseconds.toFixed(0)} ms in all, before the first of these steps.`,
    ],
    failed: rows.some(([name, , , , met]) => !met && !name.startsWith('step')),
  };
}

function tenths(samples: readonly Sample[]): Sample[][] {
  const length = Math.floor(samples.length / 10);
  return Array.from({ length: 10 }, (_, i) => samples.slice(i * length, (i + 1) * length));
}

/** Least squares, KiB of resident memory for 1000 steps. */
function slope(samples: readonly Sample[]): number {
  const skipped = Math.floor(samples.length / 10);
  const points = samples.slice(skipped).map(({ residentBytes }, i) => [i, residentBytes / 1024] as const);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [x, y] = [mean(points.map((p) => p[0])), mean(points.map((p) => p[1]))];
  const covariance = points.reduce((sum, p) => sum + (p[0] - x) * (p[1] - y), 0);
  const variance = points.reduce((sum, p) => sum + (p[0] - x) ** 2, 0);
  return (1000 * covariance) / variance;
}
