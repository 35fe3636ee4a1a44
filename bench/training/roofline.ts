/** Where the time of a training step goes, and how near the processor's limit it is. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { Tensor } from 'onnxruntime-node';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { Graph } from '../../convert/graph.ts';
import { serializeModel } from '../../convert/model.ts';
import { loadSession } from '../../convert/session.ts';
import { random as randomNumbers } from '../../test/support/images.ts';
import type { Table } from '../bench.ts';
import { median } from '../table.ts';
import { waves } from './data.ts';
import type { Net } from './nets.ts';

const WARM_UP = 3;
const STEPS = 20;
/** Rows and columns of the product that shows the processor's limit. */
const SIDE = 1024;
const PRODUCTS = 30;

/** Operators of onnxruntime by what they are for; the rest is element by element. */
const KINDS: ReadonlyArray<readonly [kind: string, operators: readonly string[]]> = [
  ['convolutions, forward and by the input', ['Conv', 'FusedConv', 'ConvTranspose']],
  ['matrix products (convolutions by the filter)', ['FusedMatMul', 'MatMul', 'Gemm']],
  [
    'moving data (slices, borders, transposes, joins)',
    [
      'ReorderInput',
      'ReorderOutput',
      'Slice',
      'Pad',
      'Transpose',
      'Concat',
      'Expand',
      'Reshape',
      'Gather',
      'Split',
      'Tile',
    ],
  ],
  ['pooling and resizing', ['MaxPool', 'MaxUnpool', 'AveragePool', 'Resize', 'GlobalAveragePool']],
  ['sums', ['ReduceSum', 'ReduceMean', 'ReduceMax']],
];
const REST = 'element by element';

/** One run of one node, as onnxruntime's profile has it; times in microseconds. */
interface ProfileEvent {
  readonly name: string;
  readonly cat: string;
  readonly dur: number;
  readonly args: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, number[]>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, number[]>>[];
  };
}

/** Profiles steps of `net` on one thread, in this process. */
export async function measureRoofline(net: Net, folder: string): Promise<Table> {
  const peak = peakOfProcessor();
  const load = loadavg()[0]!.toFixed(1);
  const directory = await mkdtemp(join(folder, 'profile-'));
  try {
    const wall = await profileSteps(net, join(directory, 'graph'));
    const nodes = await nodesOf(directory);
    const kinds = new Map<string, { milliseconds: number; operations: number }>();
    for (const runs of nodes.values()) {
      const { args } = runs[0]!;
      const kind = KINDS.find(([, operators]) => operators.includes(args.op_name!))?.[0] ?? REST;
      const sum = kinds.get(kind) ?? { milliseconds: 0, operations: 0 };
      sum.milliseconds += median(runs.map(({ dur }) => dur)) / 1000;
      sum.operations += operationsOf(runs[0]!);
      kinds.set(kind, sum);
    }
    const inside = [...kinds.values()].reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    const all = [...kinds.values()].reduce((sum, { operations }) => sum + operations, 0);
    const row = (name: string, milliseconds: number, operations: number) => {
      const speed = operations / milliseconds / 1e6;
      const share = `${((100 * milliseconds) / wall).toFixed(0)} %`;
      const ofPeak = `${((100 * speed) / peak).toFixed(0)} %`;
      return operations === 0
        ? [name, milliseconds, share, '', '', '']
        : [name, milliseconds, share, operations / 1e9, speed, ofPeak];
    };
    const order = [...KINDS.map(([kind]) => kind), REST].filter((kind) => kinds.has(kind));
    return {
      title: `Where a step goes: ${net.title}, one thread`,
      columns: ['', 'ms/step', 'of the step', 'GFLOP', 'GFLOP/s', 'of the peak'],
      rows: [
        ...order.map((kind) => row(kind, kinds.get(kind)!.milliseconds, kinds.get(kind)!.operations)),
        row('outside of operators (TensorFlow.js, recording, calls)', wall - inside, 0),
        row('all', wall, all),
      ],
      notes: [
        `Peak: a product of two ${SIDE} x ${SIDE} matrices by onnxruntime, the fastest of ${PRODUCTS}: ${peak.toFixed(0)} GFLOP/s on this core.`,
        `Medians of ${STEPS} steps, of each operator by onnxruntime's own profile, which itself takes some time; load average ${load} at the start.`,
      ],
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Median milliseconds of a step; the profile of each graph is left in files that begin with `profile`. */
async function profileSteps(net: Net, profile: string): Promise<number> {
  registerOnnxBackend({ profile });
  await tf.setBackend('onnx');
  const { step } = await net.open();
  const images = tf.tensor(waves(net.batch, net.image, randomNumbers(1)), [net.batch, ...net.image]);
  const noise = net.noise === 0 ? null : tf.randomNormal([net.batch, net.noise], 0, 1, 'float32', 1);
  for (let i = 0; i < WARM_UP; i++) await step(images, noise);
  const times: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const begin = performance.now();
    await step(images, noise);
    times.push(performance.now() - begin);
  }
  tf.removeBackend('onnx');
  await tf.setBackend('cpu');
  return median(times);
}

/** The nodes of the graph that ran most, the step itself, by name: all runs of each. */
async function nodesOf(directory: string): Promise<Map<string, ProfileEvent[]>> {
  const profiles = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      return JSON.parse(await readFile(join(directory, name), 'utf8')) as ProfileEvent[];
    }),
  );
  const runsOf = (events: readonly ProfileEvent[]) =>
    events.filter(({ name }) => name === 'model_run').length;
  const events = profiles.toSorted((a, b) => runsOf(b) - runsOf(a))[0]!;
  return Map.groupBy(
    events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time')),
    ({ name }) => name,
  );
}

/** Multiplications and additions of a convolution or matrix product, two for each pair; other operators count as none. */
function operationsOf({ args }: ProfileEvent): number {
  const shapes = (list: ProfileEvent['args']['input_type_shape']) =>
    (list ?? []).map((entry) => Object.values(entry)[0]!);
  const [inputs, outputs] = [shapes(args.input_type_shape), shapes(args.output_type_shape)];
  const size = (shape: readonly number[]) => shape.reduce((product, d) => product * d, 1);
  const [image, filter] = inputs as [number[], number[]];
  const [output] = outputs as [number[]];
  switch (args.op_name) {
    case 'Conv':
    case 'FusedConv':
      return (2 * size(output) * size(filter)) / output[1]!;
    case 'ConvTranspose':
      return (2 * size(image) * size(filter)) / image[1]!;
    case 'MatMul':
    case 'FusedMatMul':
    case 'Gemm':
      // The inner size follows from the others, transposed or not: size(a) size(b) / size(out) is its square by batch.
      return (
        2 * size(output) * Math.sqrt((size(image) * size(filter)) / size(output) / batchOf(inputs, output))
      );
    default:
      return 0;
  }
}

/** How many products a MatMul makes, where both operands have a batch. */
function batchOf([a, b]: number[][], output: readonly number[]): number {
  if (a!.length < 3 || b!.length < 3) return 1;
  return output.slice(0, -2).reduce((product, d) => product * d, 1);
}

/** GFLOP/s of one large matrix product on one thread. */
function peakOfProcessor(): number {
  const graph = new Graph({ portable: false, poolIndices: false, reserved: [] });
  const dims = [SIDE, SIDE];
  const a = graph.input({ name: 'a', type: 'float32', dims });
  const b = graph.input({ name: 'b', type: 'float32', dims });
  graph.output(graph.op('MatMul', [a, b]), { name: 'product', type: 'float32', dims });
  const session = loadSession(serializeModel(graph.finish({ keepInputs: false })), { intraOpNumThreads: 1 });
  const values = () => new Tensor('float32', Float32Array.from({ length: SIDE ** 2 }, Math.random), dims);
  const feeds = { a: values(), b: values() };
  const times = Array.from({ length: PRODUCTS }, () => {
    const begin = performance.now();
    session.run(feeds, ['product']);
    return performance.now() - begin;
  });
  session.dispose();
  return (2 * SIDE ** 3) / Math.min(...times) / 1e6;
}
