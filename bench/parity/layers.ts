/** Each layer class of Keras, with settings and weights drawn by chance, written in Python and converted: what Keras computes? */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { convertModel } from '../../convert/convert.ts';
import { runCommand } from '../../trainer/backend/command.ts';
import type { BenchContext, Table } from '../bench.ts';
import { readFloats } from '../keras/converted.ts';
import { pythonEnvironment } from '../python/environment.ts';
import { relativeDifference } from './difference.ts';

const BOUND = 1e-4;
/** Of each class, of each Keras. */
const MODELS = 5;
const SCRIPT = fileURLToPath(new URL('../keras/layers.py', import.meta.url));

/** What layers.py prints. */
interface Written {
  readonly keras: 2 | 3;
  readonly name: string;
  readonly folder: string;
  readonly inputs: ReadonlyArray<{ name: string; shape: number[]; dtype: 'float32' | 'int32' }>;
  readonly settings: string;
}

interface Unwritten {
  readonly keras: 2 | 3;
  readonly name: string;
  readonly why: string;
}

/** The largest relative difference of the outputs, or why there are none. */
type Outcome = number | string;

type Result = Written & { readonly outcome: Outcome };

export async function compareLayers(context: BenchContext, folder: string): Promise<Table> {
  const python = await pythonEnvironment(context, 'keras');
  tf.enableProdMode(); // or its plain JavaScript backend prints a banner that recommends tfjs-node
  await tf.setBackend('cpu');
  context.report('Keras writes its models\n');
  const answer = await runCommand(python, ['-B', SCRIPT, String(MODELS), folder]);
  const { written, failed } = JSON.parse(answer) as { written: Written[]; failed: Unwritten[] };
  const results: Result[] = [];
  for (const [i, one] of written.entries()) {
    results.push({ ...one, outcome: await outcomeOf(one, join(folder, one.folder)) });
    if (i % 20 === 0) context.report('.');
  }
  context.report('\n');
  return agreement(results, failed);
}

async function outcomeOf({ inputs }: Written, folder: string): Promise<Outcome> {
  try {
    const { bytes } = await convertModel(folder);
    const given = await readFile(join(folder, 'inputs.bin'));
    const feeds: Record<string, Tensor> = {};
    let offset = 0;
    for (const { name, shape, dtype } of inputs) {
      const length = shape.reduce((a, b) => a * b, 1);
      const { buffer } = new Uint8Array(given.subarray(offset, offset + 4 * length));
      const data = dtype === 'int32' ? new Int32Array(buffer) : new Float32Array(buffer);
      feeds[name] = new Tensor(dtype, data as never, shape);
      offset += 4 * length;
    }
    const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
    try {
      const results = await session.run(feeds);
      const got = session.outputNames.flatMap((name) => Array.from(results[name]!.data as Float32Array));
      return relativeDifference(Float32Array.from(got), await readFloats(join(folder, 'outputs.bin')));
    } finally {
      await session.release();
    }
  } catch (error) {
    const [line] = (error as Error).message.split('\n');
    return line!.replace(`${folder}/`, '');
  }
}

function agreement(results: readonly Result[], unwritten: readonly Unwritten[]): Table {
  const names = [...new Set([...results, ...unwritten].map(({ name }) => name))].toSorted();
  const of = (name: string, keras: number) =>
    results.filter((result) => result.name === name && result.keras === keras);
  const converts = names.filter((name) =>
    results.some((result) => result.name === name && typeof result.outcome === 'number'),
  );
  const done = results.flatMap(({ outcome }) => (typeof outcome === 'number' ? [outcome] : []));
  const worst = Math.max(...done);
  const wrong = results.filter(({ outcome }) => typeof outcome === 'number' && !(outcome <= BOUND));
  const partly = results.filter(
    ({ name, outcome }) => typeof outcome === 'string' && converts.includes(name),
  );
  const refused = names.filter((name) => !converts.includes(name));
  return {
    title: 'Layers of Keras: differences from what Keras computes',
    columns: ['layer', 'Keras 2', 'difference', 'Keras 3', 'difference'],
    rows: converts.map((name) => [name, ...[2, 3].flatMap((keras) => cells(of(name, keras)))]),
    notes: [
      `${converts.length} of ${names.length} classes of keras.layers convert: ${done.length} models, of which ${done.length - wrong.length} are within ${BOUND}, worst difference ${worst.toExponential(1)}.`,
      ...wrong.map(
        ({ name, keras, outcome, settings }) => `FAILED: ${name} of Keras ${keras}, ${outcome}: ${settings}`,
      ),
      ...reasons(partly).map((reason) => `Refused with some settings: ${reason}`),
      ...reasons(results.filter(({ name }) => refused.includes(name))).map((reason) => `Refused: ${reason}`),
      ...unwritten.map(({ name, keras, why }) => `Not written: ${name} of Keras ${keras}: ${why}`),
      `${MODELS} models of each class, of tf-keras (Keras 2) and of Keras 3, each with settings and weights of its own; several inputs and masks where a layer takes them.`,
      'Of so many models how many converted, and the worst of them; relative to the value or to 1 % of the largest, whichever is larger; onnxruntime against Keras in Python, batch 3.',
    ],
    failed: wrong.length > 0,
  };
}

function cells(results: readonly Result[]): [string, string | number] {
  if (results.length === 0) return ['', ''];
  const done = results.flatMap(({ outcome }) => (typeof outcome === 'number' ? [outcome] : []));
  return [`${done.length} of ${results.length}`, done.length === 0 ? 'refused' : Math.max(...done)];
}

/** Each sentence once, with the classes that it befell. */
function reasons(results: readonly Result[]): string[] {
  const sentences = Map.groupBy(results, ({ outcome }) =>
    String(outcome)
      .replace('cannot load model.json: ', '')
      .replace(/layer \S+ is of class \S+, /, '')
      .replace(/ \(nearest by name: \w+\)| \(layer \S+, class \w+\)/, ''),
  );
  return [...sentences].map(
    ([sentence, some]) => `${[...new Set(some.map(({ name }) => name))].join(', ')}: ${sentence}`,
  );
}
