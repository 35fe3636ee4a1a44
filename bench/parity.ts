/** Whether exported graphs compute what TensorFlow.js computes, are valid ONNX, and are as fast as PyTorch's own export. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type InputSpec, type TracedFunction, trace } from '../convert/trace.ts';
import { compare } from '../convert/verify.ts';
import { fundusNet } from '../trainer/backend/child/net.ts';
import { runCommand } from '../trainer/backend/command.ts';
import type { Bench, BenchContext, Table } from './bench.ts';
import { randomModel } from './parity/random_models.ts';
import { pythonEnvironment, pythonScript } from './python/environment.ts';
import { median } from './table.ts';
import { readTrainingData, SIZE, writeTrainingData } from './training/data.ts';

export const parity: Bench = {
  name: 'parity',
  title: "exported graphs against TensorFlow.js, the ONNX checker, and PyTorch's own export",
  run,
};

const MODELS = 20;
const BATCHES = [1, 3, 8];
const RUNS = 300;
const FUNDUS = 'fundus.onnx';

async function run(context: BenchContext): Promise<Table[]> {
  const python = await pythonEnvironment(context);
  const folder = await mkdtemp(join(context.cache, 'parity-'));
  try {
    tf.enableProdMode(); // or its plain JavaScript backend prints a banner that recommends tfjs-node
    await tf.setBackend('cpu');
    await writeTrainingData(folder);
    const models = [await exportFundus(folder), ...(await exportRandomModels(folder, context))];
    const paths = models.flatMap(({ path }) => path ?? []);
    const answer = await runCommand(python, [pythonScript('check.py'), ...paths]);
    const problems = new Map(Object.entries(JSON.parse(answer) as Record<string, string | null>));
    return [agreement(models, problems), await latency(join(folder, FUNDUS), python, folder, context)];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A random model, exported and compared; `problem` says why it could not be. */
interface Exported {
  name: string;
  layers: string;
  path?: string;
  absolute?: number;
  relative?: number;
  problem?: string;
}

/** The fundus net with the weights of {@link writeTrainingData}, which PyTorch's export has too. */
async function exportFundus(folder: string): Promise<Exported> {
  const model = await fundusNet();
  const { weights } = await readTrainingData(folder);
  model.setWeights(weights.map(({ shape, values }) => tf.tensor(values, shape)));
  const path = join(folder, FUNDUS);
  await writeFile(path, trace(...traceable(model)));
  return { name: 'fundus', path, layers: 'compared with PyTorch below' };
}

async function exportRandomModels(folder: string, { report }: BenchContext): Promise<Exported[]> {
  const list: Exported[] = [];
  for (let seed = 1; seed <= MODELS; seed++) {
    const model = randomModel(seed);
    const layers = model.layers.slice(1).map((layer) => layer.getClassName());
    const named = { name: `random ${seed}`, layers: layers.join(' ') };
    try {
      list.push({ ...named, ...(await exportModel(model, seed, join(folder, `random-${seed}.onnx`))) });
    } catch (error) {
      list.push({ ...named, problem: (error as Error).message.slice(0, 100) });
    }
    model.dispose();
    report('.');
  }
  report('\n');
  return list;
}

async function exportModel(model: LayersModel, seed: number, path: string) {
  const [fn, inputs] = traceable(model);
  const bytes = trace(fn, inputs);
  await writeFile(path, bytes);
  const { absolute, relative } = await compare(fn, bytes, inputs, { batches: BATCHES, seed, range: [-1, 1] });
  return { path, absolute, relative };
}

function traceable(model: LayersModel): [TracedFunction, InputSpec[]] {
  const shape = model.inputs[0]!.shape;
  return [(image) => ({ output: model.predict(image!) as tf.Tensor }), [{ name: 'image', shape }]];
}

function agreement(models: readonly Exported[], problems: ReadonlyMap<string, string | null>): Table {
  const failed = models.filter(({ problem }) => problem !== undefined).length;
  const worst = Math.max(...models.map(({ relative }) => relative ?? 0));
  return {
    title: 'Exported graphs against TensorFlow.js (its plain JavaScript backend)',
    columns: ['model', 'largest difference', 'relative', 'onnx.checker', 'layers'],
    rows: models.map(({ name, path, absolute, relative, problem, layers }) => {
      const checked = path === undefined ? `FAILED: ${problem}` : (problems.get(path) ?? 'valid');
      return [name, absolute ?? 'none', relative ?? 'none', checked, layers];
    }),
    notes: [
      `${models.length - failed} of ${models.length} exported and ran. Worst relative difference ${worst.toExponential(1)}, wanted: below 1e-4.`,
      `Random inputs from -1 to 1 at batch ${BATCHES.join(', ')}. Relative to the value or to 1 % of the largest, whichever is larger.`,
      'onnx.checker.check_model(full_check=True), the reference implementation in Python.',
    ],
  };
}

/** Runs both exports in this process in turn, one thread each, one image at a time. */
async function latency(
  ours: string,
  python: string,
  folder: string,
  { report }: BenchContext,
): Promise<Table> {
  const theirs = join(folder, 'fundus-pytorch.onnx');
  report('PyTorch exports the fundus net\n');
  await runCommand(python, [pythonScript('export.py'), folder, theirs]);
  const sessions = [];
  for (const path of [ours, theirs]) {
    sessions.push(await InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 }));
  }
  const [plumbline, pytorch] = sessions as [InferenceSession, InferenceSession];
  const { batches } = await readTrainingData(folder);
  const image = batches[0]!.slice(0, SIZE * SIZE * 3);
  const feeds = new Tensor('float32', image, [1, SIZE, SIZE, 3]);
  const planar = new Tensor('float32', toPlanar(image), [1, 3, SIZE, SIZE]);
  const times: [number[], number[]] = [[], []];
  let difference = 0;
  for (let i = -20; i < RUNS; i++) {
    const [a, ours] = await timed(() => plumbline.run({ image: feeds }));
    const [b, theirs] = await timed(() => pytorch.run({ image: planar }));
    if (i >= 0)
      for (const [list, time] of [
        [times[0], a],
        [times[1], b],
      ] as const)
        list.push(time);
    else difference = largestDifference(toPlanar(data(ours, 'output')), data(theirs, 'reconstruction'));
  }
  for (const session of sessions) await session.release();
  const [a, b] = times.map(median) as [number, number];
  const quantile = (list: number[]) => list.toSorted((x, y) => x - y)[Math.floor(0.95 * list.length)]!;
  return {
    title: 'One image through the fundus net in onnxruntime, one thread',
    columns: ['export', 'median ms', '95 % ms', 'x PyTorch export', 'bytes'],
    rows: [
      ['plumbline, float32 [N, 128, 128, 3]', a, quantile(times[0]), a / b, (await readFile(ours)).length],
      ["PyTorch's own, float32 [1, 3, 128, 128]", b, quantile(times[1]), 1, (await readFile(theirs)).length],
    ],
    notes: [
      `${RUNS} runs each, in turn, in one process; wanted: at most 1.15.`,
      `Same weights; the two agree to ${difference.toExponential(1)}.`,
    ],
  };
}

async function timed<T>(run: () => Promise<T>): Promise<[milliseconds: number, T]> {
  const begin = performance.now();
  const result = await run();
  return [performance.now() - begin, result];
}

function data(results: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return results[name]!.data as Float32Array;
}

/** [H, W, 3] -> [3, H, W]. */
function toPlanar(image: Float32Array): Float32Array {
  const pixels = image.length / 3;
  return Float32Array.from(image, (_, i) => image[(i % pixels) * 3 + Math.floor(i / pixels)]!);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}
