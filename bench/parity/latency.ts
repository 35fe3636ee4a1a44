/** One image through the fundus net: our export beside PyTorch's own. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { trace } from '../../convert/trace.ts';
import { fundusNet } from '../../trainer/backend/child/net.ts';
import { runCommand } from '../../trainer/backend/command.ts';
import type { BenchContext, Table } from '../bench.ts';
import { pythonEnvironment, pythonScript } from '../python/environment.ts';
import { median } from '../table.ts';
import { readTrainingData, writeTrainingData } from '../training/data.ts';
import { netNamed } from '../training/nets.ts';

const RUNS = 300;
const NET = netNamed('fundus');
/** Height and width of its images. */
const [SIZE] = NET.image;

/** Runs both exports in this process in turn, one thread each, one image at a time. Files go into `folder`. */
export async function compareLatency(context: BenchContext, folder: string): Promise<Table> {
  const python = await pythonEnvironment(context, 'torch');
  await writeTrainingData(folder, NET);
  const [ours, theirs] = [join(folder, 'fundus.onnx'), join(folder, 'fundus-pytorch.onnx')];
  await writeFile(ours, await exportFundus(folder));
  context.report('PyTorch exports the fundus net\n');
  await runCommand(python, [pythonScript('export.py'), folder, theirs]);
  const sessions = [];
  for (const path of [ours, theirs]) {
    sessions.push(await InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 }));
  }
  const [plumbline, pytorch] = sessions as [InferenceSession, InferenceSession];
  const { batches } = await readTrainingData(folder, NET);
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

/** With the weights of {@link writeTrainingData}, which PyTorch's export has too. */
async function exportFundus(folder: string): Promise<Uint8Array> {
  const model = await fundusNet();
  const { weights } = await readTrainingData(folder, NET);
  model.setWeights(weights.map(({ shape, values }) => tf.tensor(values, shape)));
  const shape = model.inputs[0]!.shape;
  return trace((image) => ({ output: model.predict(image!) as tf.Tensor }), [{ name: 'image', shape }]);
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
