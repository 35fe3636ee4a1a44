/** Whether EfficientNet-Lite computes what PyTorch computes, and how long an image takes to become features. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { Tensor } from 'onnxruntime-node';
import { loadSession } from '../convert/session.ts';
import { trace } from '../convert/trace.ts';
import { runCommand } from '../trainer/backend/command.ts';
import { efficientNetLite } from '../trainer/encoders/efficientnetLite.ts';
import { KNOWN_ENCODERS, type KnownWheel } from '../trainer/encoders/known.ts';
import { openEncoder } from '../trainer/encoders/open.ts';
import { readTorchTensors } from '../trainer/encoders/pth.ts';
import { readDescription, storedFolder } from '../trainer/encoders/store.ts';
import { randomFor } from '../trainer/random.ts';
import { type Bench, type BenchContext, MissingPrerequisite, type Table } from './bench.ts';
import { pythonEnvironment, pythonScript } from './python/environment.ts';
import { randomArray } from './random.ts';
import { median } from './table.ts';

export const encoders: Bench = {
  name: 'encoders',
  title: 'EfficientNet-Lite against PyTorch, and features of 100 images',
  run,
};

const SIDE = 224;
const IMAGES = 100;
const RUNS = 50;
const BOUND = 1e-4;

const LITE = KNOWN_ENCODERS.filter((encoder): encoder is KnownWheel => encoder.kind === 'wheel');

async function run(context: BenchContext): Promise<Table[]> {
  const missing = LITE.filter(({ name }) => !existsSync(storedFolder(context.backends, name)));
  if (missing.length > 0)
    throw new MissingPrerequisite(
      `Install the encoders first: ${missing.map(({ name }) => `trainer encoder install ${name}`).join('; ')}`,
    );
  tf.enableProdMode(); // or its plain JavaScript backend prints a banner that recommends tfjs-node
  await tf.setBackend('cpu');
  return [await agreement(context), await speed(context)];
}

async function agreement(context: BenchContext): Promise<Table> {
  const python = await pythonEnvironment(context);
  const folder = await mkdtemp(join(context.cache, 'encoders-'));
  const rows: (string | number)[][] = [];
  try {
    for (const known of LITE) {
      context.report(`${known.name} against PyTorch\n`);
      for (const [tap, shape, difference] of await compareTaps(known, python, folder, context))
        rows.push([known.name, tap, shape, difference, difference <= BOUND ? 'yes' : 'NO']);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return {
    title: 'EfficientNet-Lite, our graph in onnxruntime against PyTorch',
    columns: ['encoder', 'tap', 'shape', 'largest |difference|', `within ${BOUND}`],
    rows,
    notes: [
      `One random image of ${SIDE} x ${SIDE}, values from -1 to 1; single precision on both sides; features reach 60 at stage 1 and 6 at the head.`,
      'The weights are read by our own reader on one side and by torch.load on the other.',
    ],
  };
}

async function compareTaps(
  { name, repeats, taps }: KnownWheel,
  python: string,
  folder: string,
  { backends }: BenchContext,
): Promise<[string, string, number][]> {
  const stored = storedFolder(backends, name);
  const weights = join(stored, (await readDescription(stored))!.file);
  const image = randomArray(SIDE * SIDE * 3, -1, 1, randomFor(1, name));
  const input = join(folder, 'image.bin');
  await writeFile(input, new Uint8Array(image.buffer));
  await runCommand(python, [
    pythonScript('efficientnet_lite.py'),
    weights,
    `${SIDE}`,
    repeats.join(),
    input,
    folder,
  ]);
  const network = efficientNetLite(readTorchTensors(await readFile(weights)), repeats);
  const graph = trace(
    (x) => Object.fromEntries(network(x as tf.Tensor4D, taps).map((tensor, i) => [taps[i]!, tensor])),
    [{ name: 'image', shape: [null, SIDE, SIDE, 3] }],
  );
  const session = loadSession(graph, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const results = session.run({ image: new Tensor('float32', image, [1, SIDE, SIDE, 3]) }, taps);
    const compared: [string, string, number][] = [];
    for (const tap of taps) {
      const { data, dims } = results[tap]!;
      const bytes = new Uint8Array(await readFile(join(folder, `${tap}.bin`)));
      const difference = largestDifference(data as Float32Array, new Float32Array(bytes.buffer));
      compared.push([tap, dims.slice(1).join(' x '), difference]);
    }
    return compared;
  } finally {
    session.dispose();
  }
}

function largestDifference(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  return got.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i]!)), 0);
}

/** One thread, as on a device. */
async function speed(context: BenchContext): Promise<Table> {
  const { environment, backends, report } = context;
  const surroundings = { cache: backends, environment, home: homedir(), progress: () => {} };
  const input = { width: SIDE, height: SIDE, channels: 3, frames: 1 } as const;
  const rows: (string | number)[][] = [];
  for (const { name } of LITE) {
    report(`features of ${IMAGES} images by ${name}\n`);
    const encoder = await openEncoder(name, { input, surroundings, threads: 1 });
    const random = randomFor(2, name);
    const pixels = Array.from({ length: IMAGES }, () =>
      Uint8Array.from({ length: SIDE * SIDE * 3 }, () => Math.floor(256 * random())),
    );
    const start = performance.now();
    await encoder.encodeAll(pixels, () => {});
    const seconds = (performance.now() - start) / 1000;
    const graph = trace(
      (x) => ({ features: encoder.encode(tf.div(x, 255)) }),
      [{ name: 'image', shape: [null, SIDE, SIDE, 3], dtype: 'uint8' }],
    );
    rows.push([name, singleImage(graph, pixels[0]!), seconds, graph.length / 1e6]);
  }
  return {
    title: `From ${SIDE} x ${SIDE} pixels to the features of the head, one thread`,
    columns: ['encoder', 'ms for one image', `s for ${IMAGES} images`, 'graph, MB'],
    rows,
    notes: [
      `One image: median of ${RUNS} runs of the traced graph, uint8 in, float32 out. ${IMAGES} images: encodeAll, with tracing and loading, 8 at a time.`,
    ],
  };
}

function singleImage(graph: Uint8Array, pixels: Uint8Array): number {
  const session = loadSession(graph, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const image = new Tensor('uint8', pixels, [1, SIDE, SIDE, 3]);
    const times = Array.from({ length: RUNS + 5 }, () => {
      const start = performance.now();
      session.run({ image }, ['features']);
      return performance.now() - start;
    });
    return median(times.slice(5));
  } finally {
    session.dispose();
  }
}
