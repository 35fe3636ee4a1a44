/** The converter on each form in which models come: how long it takes, and what its check says. And how much it knows. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { fromBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import { embedOnnx } from '../convert/embed.ts';
import { KERNELS } from '../convert/kernels/table.ts';
import { UNSUPPORTED, UNSUPPORTED_OPERATIONS } from '../convert/kernels/unsupported.ts';
import { converterOperations } from '../convert/operation_names.ts';
import { layerClasses } from '../convert/page.ts';
import { type InputSpec, type TracedFunction, trace } from '../convert/trace.ts';
import { compare } from '../convert/verify.ts';
import { fundusNet } from '../trainer/backend/child/net.ts';
import { runCommand } from '../trainer/backend/command.ts';
import type { Bench, Table } from './bench.ts';
import { type SavedModel, saveModels } from './conversion/sources.ts';

const CONVERT = fileURLToPath(new URL('../convert/bin/convert', import.meta.url));
const BOUND = 1e-4;

export const convert: Bench = {
  name: 'convert',
  title: 'the converter on each form in which models come, and how much it knows',
  async run({ cache, report }) {
    tf.env().set('PROD', true);
    await tf.setBackend('cpu');
    const folder = await mkdtemp(join(cache, 'convert-'));
    try {
      const rows: Row[] = [];
      for (const saved of await saveModels(folder)) {
        report(`${saved.form}: ${saved.model}\n`);
        rows.push(await byCommand(saved, join(folder, `${rows.length}.onnx`)));
      }
      report('from code\n');
      rows.push(...(await fromCode(await readFile(join(folder, '0.onnx')))));
      return [forms(rows), knowledge()];
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

interface Row extends Omit<SavedModel, 'path'> {
  readonly nodes: number;
  /** Without the comparison. */
  readonly seconds: number;
  /** Largest relative difference from TensorFlow.js. */
  readonly difference: number;
  /** The same between onnxruntime with and without its optimizations; where it was measured. */
  readonly rounding: number | undefined;
}

async function byCommand({ path, ...saved }: SavedModel, out: string): Promise<Row> {
  const seconds = await secondsOf(() => runCommand(CONVERT, [path, '--out', out]));
  const { check } = JSON.parse(await runCommand(CONVERT, [path, '--out', out, '--check', '--json']));
  const { relative: difference, rounding } = check;
  return { ...saved, nodes: nodesOf(await readFile(out)), seconds, difference, rounding };
}

/** A function, and one that merges a foreign ONNX file with a head of its own. */
async function fromCode(backbone: Uint8Array): Promise<Row[]> {
  const model = await fundusNet();
  const score: TracedFunction = (images) => {
    const rebuilt = model.predict(images!) as tf.Tensor;
    return { score: tf.mean(tf.squaredDifference(images!, rebuilt), [1, 2, 3]) };
  };
  const merged: TracedFunction = (images) => {
    const [inner] = embedded(images as tf.Tensor4D);
    return { score: tf.sum(tf.mean(inner!, [1, 2]), -1) };
  };
  const foreign = embedOnnx(backbone);
  const embedded = foreign.at(foreign.taps.slice(-1), { width: 128, height: 128 });
  const parameters = model.countParams();
  return [
    await traced(score, { form: 'function', model: 'fundus and its residual', parameters }),
    await traced(merged, {
      form: 'ONNX file merged with a function',
      model: 'fundus and a sum of features',
      parameters,
    }),
  ];
}

async function traced(fn: TracedFunction, what: Omit<SavedModel, 'path'>): Promise<Row> {
  const inputs: InputSpec[] = [{ name: 'images', shape: [null, 128, 128, 3] }];
  let bytes = new Uint8Array();
  const seconds = await secondsOf(async () => {
    bytes = new Uint8Array(trace(fn, inputs));
  });
  const { relative, rounding } = await compare(fn, bytes, inputs, { tolerance: BOUND });
  return { ...what, nodes: nodesOf(bytes), seconds, difference: relative, rounding };
}

function nodesOf(bytes: Uint8Array): number {
  return fromBinary(onnx.ModelProtoSchema, bytes).graph!.node.length;
}

async function secondsOf(action: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await action();
  return (performance.now() - begin) / 1000;
}

function forms(rows: readonly Row[]): Table {
  const agrees = ({ difference, rounding = 0 }: Row) => difference <= Math.max(BOUND, 2 * rounding);
  return {
    title: 'Each form in which models come, converted and compared with TensorFlow.js',
    columns: ['form', 'model', 'parameters', 'nodes', 'seconds', 'difference', 'agrees'],
    rows: rows.map((row) => [
      ...[row.form, row.model, row.parameters, row.nodes, row.seconds, row.difference],
      agrees(row) ? 'yes' : 'NO',
    ]),
    notes: [
      `Seconds: of the whole command, of a function of the call; without the comparison. Load average ${loadavg()[0]!.toFixed(1)} at the end.`,
      'Differences: relative to the value or to 1 % of the largest, whichever is larger; onnxruntime against the plain JavaScript backend, at batch 1, 3 and 8.',
      `Agrees: at most ${BOUND}, or twice what onnxruntime differs from itself with and without its optimizations.`,
    ],
    failed: !rows.every(agrees),
  };
}

function knowledge(): Table {
  const kernels = tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName);
  const operations = converterOperations();
  const refused = new Set(UNSUPPORTED_OPERATIONS.flatMap(({ operations }) => operations));
  const explained = new Set(UNSUPPORTED.flatMap(({ kernels }) => kernels));
  const row = (what: string, all: readonly string[], without: ReadonlySet<string>) => {
    const left = all.filter((name) => without.has(name)).length;
    return [what, all.length, all.length - left, left];
  };
  return {
    title: `What the converter knows of TensorFlow.js ${tf.version_core}`,
    columns: ['', 'there are', 'convert', 'refused, with the reason'],
    rows: [
      row('classes of layers, with cells', layerClasses(), new Set()),
      row('operations of graph models', operations, refused),
      row('kernels of the plain JavaScript backend', kernels, explained),
    ],
    notes: [
      'As in docs/converter.md, which lists them. npm test holds each: classes by random models, operations and kernels one by one.',
    ],
    failed: kernels.some((name) => !(name in KERNELS) && !explained.has(name)),
  };
}
