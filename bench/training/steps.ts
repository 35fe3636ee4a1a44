/** Whether a long training stays as it began: memory, step time, compiled graphs. */
import { loadavg } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { type BackendStatistics, registerOnnxBackend } from '../../convert/backend.ts';
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
/** KiB for 1000 steps: about what one forgotten tensor in each step would take, whatever its size. */
const MOST_GROWTH = 512;

/** What is alive between two steps. */
interface Alive {
  /** Objects of JavaScript and what they hold outside of its heap, after everything unreachable was collected. */
  readonly mebibytes: number;
  readonly tensors: number;
  readonly ids: number;
  readonly statistics: BackendStatistics;
}

/** One number for each step; allocated before the first one, so that it is no growth. */
interface Samples {
  readonly processor: Float64Array;
  readonly wall: Float64Array;
  readonly resident: Float64Array;
}

/** Trains `net` for `steps` steps, in this process and on one thread, with a smaller batch at the end of each epoch. */
export async function measureSteps(
  net: Net,
  steps: number,
  report: (text: string) => void,
): Promise<Table[]> {
  const current = registerOnnxBackend();
  await tf.setBackend('onnx');
  const load = loadavg()[0]!.toFixed(1);
  const { step } = await net.open();
  const batch = tf.tensor(waves(net.batch, net.image, randomNumbers(1)), [net.batch, ...net.image]);
  const last = tf.slice(batch, 0, Math.ceil(net.batch / 3));
  for (let i = 0; i < WARM_UP; i++) for (const images of [batch, last]) await step(images, null);
  const collect = garbageCollector();
  const alive = async (): Promise<Alive> => {
    await collect();
    const { heapUsed, external } = process.memoryUsage();
    const mebibytes = (heapUsed + external) / MEBIBYTE;
    const { statistics } = current();
    return { mebibytes, tensors: tf.memory().numTensors, ids: current().numDataIds(), statistics };
  };
  const numbers = () => new Float64Array(steps);
  const samples: Samples = { processor: numbers(), wall: numbers(), resident: numbers() };
  const { compileMilliseconds } = current().statistics;
  let before: Alive | undefined;
  for (let i = 0; i < steps; i++) {
    const [begin, processor] = [performance.now(), process.cpuUsage()];
    await step((i + 1) % EPOCH === 0 ? last : batch, null);
    const { user, system } = process.cpuUsage(processor);
    samples.processor[i] = (user + system) / 1000;
    samples.wall[i] = performance.now() - begin;
    samples.resident[i] = process.memoryUsage.rss() / MEBIBYTE;
    if (i + 1 === Math.floor(steps / 10)) before = await alive();
    if ((i + 1) % Math.ceil(steps / 50) === 0) report('.');
  }
  report('\n');
  const after = await alive();
  tf.removeBackend('onnx');
  const notes = [
    `Each ${EPOCH}th batch has a third of the images, as at the end of an epoch. Load average ${load} at the start.`,
    `Compiling took ${compileMilliseconds.toFixed(0)} ms in all, before the first of these steps.`,
  ];
  const title = `${steps} steps of ${net.title}, one thread`;
  return [courseTable(title, samples, notes), goalTable(title, samples, before!, after)];
}

function courseTable(title: string, samples: Samples, notes: string[]): Table {
  const medians = [samples.processor, samples.wall, samples.resident].map((list) => tenths(list).map(median));
  return {
    title: `${title}: medians of each tenth`,
    columns: ['tenth', 'step, ms of the processor', 'step, ms', 'resident, MiB'],
    rows: medians[0]!.map((processor, i) => [i + 1, processor, medians[1]![i]!, medians[2]![i]!]),
    notes,
  };
}

function goalTable(title: string, samples: Samples, before: Alive, after: Alive): Table {
  const half = samples.resident.length / 2;
  const growth = [samples.resident.subarray(0, half), samples.resident.subarray(half)].map(growthOf);
  const processor = tenths(samples.processor).map(median);
  const rows = [
    row('step, ms of the processor', processor[0]!, processor.at(-1)!, 'at most 5 % more', (a) => a * 1.05),
    row(
      'growth of resident memory, KiB for 1000 steps',
      growth[0]!,
      growth[1]!,
      `at most ${MOST_GROWTH}`,
      () => MOST_GROWTH,
    ),
    row('alive, MiB', before.mebibytes, after.mebibytes, 'at most 1 more', (a) => a + 1),
    row('graphs compiled', before.statistics.compiles, after.statistics.compiles, 'no more'),
    row('sessions kept', before.statistics.sessions, after.statistics.sessions, 'no more'),
    row('tensors', before.tensors, after.tensors, 'no more'),
    row('tensors in the backend', before.ids, after.ids, 'no more'),
  ];
  return {
    title: `${title}: whether it stays as it began`,
    columns: ['', 'at first', 'at the end', 'goal', 'met'],
    rows,
    notes: [
      'At first: the first tenth, and what is there at its end. At the end: the last tenth. Growth: a line fitted to each half.',
      'Resident memory grows at first: V8 enlarges its heap until its collections come seldom enough. Alive: after a full collection.',
    ],
    failed: rows.some((cells) => cells.at(-1) === 'no' && cells !== rows[0]),
  };
}

/** `most` says what the figure at the end may be, of that at first; without, no more than that. */
function row(
  name: string,
  first: number,
  end: number,
  goal: string,
  most = (a: number) => a,
): Table['rows'][number] {
  return [name, first, end, goal, end <= most(first) ? 'yes' : 'no'];
}

/**
 * V8's own full collection, which programs must ask for by a flag; then what onnxruntime does once a tensor is collected,
 * and what became unreachable by that.
 */
function garbageCollector(): () => Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return async () => {
    collect();
    await setImmediate();
    collect();
  };
}

function tenths(values: Float64Array): number[][] {
  const length = Math.floor(values.length / 10);
  return Array.from({ length: 10 }, (_, i) => [...values.subarray(i * length, (i + 1) * length)]);
}

/** Least squares: KiB for 1000 steps, of mebibytes after each step. */
function growthOf(mebibytes: Float64Array): number {
  const mean = mebibytes.reduce((a, b) => a + b, 0) / mebibytes.length;
  const middle = (mebibytes.length - 1) / 2;
  const covariance = mebibytes.reduce((sum, y, i) => sum + (i - middle) * (y - mean), 0);
  const variance = mebibytes.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  return (1000 * 1024 * covariance) / variance;
}
