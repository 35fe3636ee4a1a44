/** How fast the backends train the fundus net, side by side with PyTorch, and whether they learn the same. */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPackage } from '../trainer/backend/find.ts';
import type { Bench, BenchContext, Table } from './bench.ts';
import { pythonEnvironment, pythonScript } from './python/environment.ts';
import { median } from './table.ts';
import { LEARNING_RATE, writeTrainingData } from './training/data.ts';
import { Peer, type Timing } from './training/peer.ts';
import { wasmEnvironment } from './wasm/environment.ts';

export const training: Bench = {
  name: 'training',
  title: 'training speed and loss curves of the fundus net: onnx, tfjs-node, wasm, PyTorch',
  run,
};

const THREADS = [1, 2];
const ROUNDS = 7;
/** How long each peer trains in a round. */
const SECONDS = 1.5;
const STEPS = 50;
const REFERENCE = 'PyTorch channels_last';
const MAIN = fileURLToPath(new URL('./training/main.ts', import.meta.url));

/** What is needed to start each peer. */
interface Setting {
  python: string;
  wasm: string;
  /** Folder of tfjs-node, where it is installed. */
  tfjsNode: string | undefined;
  data: string;
  environment: BenchContext['environment'];
}

async function run(context: BenchContext): Promise<Table[]> {
  const python = await pythonEnvironment(context);
  const wasm = await wasmEnvironment(context);
  const found = findPackage('tfjs-node', context.backends);
  const data = await mkdtemp(join(context.cache, 'training-'));
  try {
    await writeTrainingData(data);
    const tfjsNode = 'missing' in found ? undefined : found.folder;
    const setting = { python, wasm, tfjsNode, data, environment: context.environment };
    return [await measureSpeed(setting, context), await compareLosses(setting, context)];
  } finally {
    await rm(data, { recursive: true });
  }
}

async function measureSpeed(setting: Setting, { report }: BenchContext): Promise<Table> {
  const rows: Table['rows'][number][] = [];
  const load = loadavg()[0]!.toFixed(1);
  let wasmSpeeds: number[] | undefined;
  for (const threads of THREADS) {
    const peers = startPeers(setting, threads, threads === 1);
    try {
      report(`training, ${threads} thread${threads === 1 ? '' : 's'}: `);
      const timings = await takeTurns(peers, () => report('.'));
      report('\n');
      const speeds = new Map([...timings].map(([name, turns]) => [name, turns.map(imagesPerSecond)]));
      wasmSpeeds ??= speeds.get('tfjs wasm')!;
      const peersOf = [speeds.get(REFERENCE)!, speeds.get('PyTorch NCHW')!, wasmSpeeds];
      for (const [name, turns] of timings) {
        const own = speeds.get(name)!;
        const perProcessor = median(turns.map(({ images, processorSeconds }) => images / processorSeconds));
        const ratios = peersOf.map((peer) => median(own.map((speed, turn) => speed / peer[turn]!)));
        rows.push([threads, name, median(own), perProcessor, ...ratios]);
      }
    } finally {
      await Promise.all(peers.map((peer) => peer.close()));
    }
  }
  return {
    title: 'Training the fundus net (128x128x3, 334 k parameters, batch 16, Adam, mean squared error)',
    columns: ['threads', 'trainer', 'images/s', 'images/CPU s', 'x PyTorch cl', 'x PyTorch NCHW', 'x wasm'],
    rows,
    notes: [
      `Medians of ${ROUNDS} turns of ${SECONDS} s, peers taking turns while the others idle; ratios are medians of those of each turn; load average ${load} at the start.`,
      'Same initial weights and batches; every peer reads the loss after every step.',
      'tfjs wasm has one thread only under Node, and takes four gradient kernels from bench/wasm/gradients.ts: its own are missing, wrong or slow.',
      ...(setting.tfjsNode === undefined
        ? ['tfjs-node is not installed: `npx trainer backend install tfjs-node`.']
        : []),
    ],
  };
}

async function compareLosses(setting: Setting, { report }: BenchContext): Promise<Table> {
  const peers = startPeers(setting, 2, true);
  try {
    const curves = new Map<string, number[]>();
    for (const peer of peers) {
      report(`losses of ${STEPS} steps: ${peer.name}\n`);
      curves.set(peer.name, await peer.losses(STEPS));
    }
    const reference = curves.get(REFERENCE)!;
    return {
      title: `Losses over ${STEPS} steps from equal weights and batches`,
      columns: ['trainer', 'first loss', 'last loss', 'largest relative difference'],
      rows: [...curves].map(([name, losses]) => {
        const differences = losses.map((loss, i) => Math.abs(loss - reference[i]!) / reference[i]!);
        return [name, losses[0]!, losses.at(-1)!, Math.max(...differences)];
      }),
      notes: [
        `Differences are from ${REFERENCE}; wanted: below 0.001. Learning rate ${LEARNING_RATE}.`,
        'The two PyTorch rows show what rounding alone does. At ten times this rate they part by more than 0.5 themselves.',
      ],
    };
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
  }
}

function startPeers(setting: Setting, threads: number, withWasm: boolean): Peer[] {
  const { python, wasm, tfjsNode, data } = setting;
  // TensorFlow and OpenMP take their number of threads from the environment only.
  const environment = {
    ...setting.environment,
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: String(threads),
    OMP_NUM_THREADS: String(threads),
    TF_CPP_MIN_LOG_LEVEL: '2',
  };
  const node = (name: string, backend: string, folder: string) =>
    new Peer(name, [process.execPath, MAIN, backend, String(threads), data, folder], environment);
  const torch = (name: string, layout: string) =>
    new Peer(name, [python, pythonScript('train.py'), layout, String(threads), data], environment);
  return [
    node('onnx', 'onnx', ''),
    ...(tfjsNode === undefined ? [] : [node('tfjs-node', 'tfjs-node', tfjsNode)]),
    ...(withWasm ? [node('tfjs wasm', 'wasm', wasm)] : []),
    torch(REFERENCE, 'channels_last'),
    torch('PyTorch NCHW', 'NCHW'),
  ];
}

/** Timings of each peer by name, after one turn that compiles and warms up. */
async function takeTurns(peers: readonly Peer[], onTurn: () => void): Promise<Map<string, Timing[]>> {
  const timings = new Map<string, Timing[]>(peers.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const peer of peers) {
      const timing = await peer.time(SECONDS);
      if (round > 0) timings.get(peer.name)!.push(timing);
    }
    onTurn();
  }
  return timings;
}

function imagesPerSecond({ images, seconds }: Timing): number {
  return images / seconds;
}
