/** The networks of Keras Applications, written in Python and converted: the predictions of Keras? tf2onnx beside it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../trainer/backend/command.ts';
import type { BenchContext, Table } from '../bench.ts';
import { convertByCommand, readFloats, runOnnx } from '../keras/converted.ts';
import { pythonEnvironment } from '../python/environment.ts';
import { median } from '../table.ts';

const BOUND = 1e-4;
const SCRIPT = fileURLToPath(new URL('../keras/applications.py', import.meta.url));

/** What applications.py prints of a network. */
interface Written {
  /** Of one input. */
  readonly shape: readonly number[];
  readonly layers: number;
  readonly parameters: number;
  /** Largest difference of the two predictions, of the largest of them. */
  readonly variation: number;
  readonly tf2onnx: { readonly seconds: number } | { readonly problem: string };
}

/** How one converter did with one network: largest relative difference of its predictions, and how long it took. */
type Outcome = { readonly difference: number; readonly seconds: number } | { readonly problem: string };

interface Result extends Omit<Written, 'tf2onnx'> {
  readonly name: string;
  readonly ours: Outcome;
  readonly tf2onnx: Outcome;
}

/** One network after another; its files are deleted before the next. */
export async function compareApplications(context: BenchContext): Promise<Table> {
  const python = await pythonEnvironment(context, 'keras');
  const names = JSON.parse(await runCommand(python, ['-B', SCRIPT])) as string[];
  const results: Result[] = [];
  const unwritten: string[] = [];
  for (const name of spread(names, context.counts.networks!)) {
    context.report(`${name}\n`);
    const folder = await mkdtemp(join(context.cache, 'applications-'));
    try {
      results.push(await compareNetwork(name, python, folder));
    } catch (error) {
      unwritten.push(`${name}: ${firstLine(error)}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  return agreement(results, unwritten, names.length);
}

/** `count` of the names, evenly over the whole list. */
function spread(names: readonly string[], count: number): readonly string[] {
  if (count >= names.length) return names;
  return Array.from({ length: count }, (_, i) => names[Math.floor((i * names.length) / count)]!);
}

/** @throws Error when Keras cannot write the network, as when the memory does not suffice. */
async function compareNetwork(name: string, python: string, folder: string): Promise<Result> {
  const { tf2onnx, ...written } = JSON.parse(
    await runCommand(python, ['-B', SCRIPT, name, folder]),
  ) as Written;
  const [images, expected] = [
    await readFloats(join(folder, 'image.bin')),
    await readFloats(join(folder, 'prediction.bin')),
  ];
  const dims = [images.length / written.shape.reduce((a, b) => a * b, 1), ...written.shape];
  const differenceOf = async (file: string) =>
    relativeDifference(await runOnnx(join(folder, file), images, dims), expected);
  const begin = performance.now();
  const ours = await outcome(async () => {
    await convertByCommand(folder, join(folder, 'ours.onnx'));
    const seconds = (performance.now() - begin) / 1000;
    return { difference: await differenceOf('ours.onnx'), seconds };
  });
  const peer =
    'problem' in tf2onnx
      ? tf2onnx
      : await outcome(async () => ({ ...tf2onnx, difference: await differenceOf('tf2onnx.onnx') }));
  return { name, ...written, ours, tf2onnx: peer };
}

async function outcome(action: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await action();
  } catch (error) {
    return { problem: firstLine(error) };
  }
}

/** What a program wrote to standard error, without where. */
function firstLine(error: unknown): string {
  const [first, second] = (error as Error).message.split('\n');
  return (second ?? first)!.trim().slice(0, 300);
}

/** Relative to the value or to 1 % of the largest; infinite where a value is not a number. */
function relativeDifference(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  const floor = 0.01 * expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = got.reduce(
    (most, value, i) =>
      Math.max(most, Math.abs(value - expected[i]!) / Math.max(Math.abs(expected[i]!), floor)),
    0,
  );
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
}

function agreement(results: readonly Result[], unwritten: readonly string[], known: number): Table {
  const agrees = (outcome: Outcome) => 'difference' in outcome && outcome.difference <= BOUND;
  const cells = (outcome: Outcome) =>
    'problem' in outcome ? ['FAILED', ''] : [outcome.difference, outcome.seconds.toFixed(1)];
  const summary = (who: string, outcomes: readonly Outcome[]) => {
    const done = outcomes.filter((outcome) => 'difference' in outcome);
    const worst = done.reduce((most, { difference }) => Math.max(most, difference), 0);
    const seconds = done.length === 0 ? 'none' : median(done.map((o) => o.seconds)).toFixed(1);
    return `${who}: ${outcomes.filter(agrees).length} of ${outcomes.length} within ${BOUND}, worst ${worst.toExponential(1)}, median ${seconds} s.`;
  };
  return {
    title: 'Keras Applications with random weights: differences from the predictions of Keras',
    columns: ['network', 'layers', 'parameters', 'difference', 'seconds', 'tf2onnx', 'seconds', 'varies by'],
    rows: results.map(({ name, layers, parameters, ours, tf2onnx, variation }) => [
      name,
      layers,
      parameters,
      ...cells(ours),
      ...cells(tf2onnx),
      variation,
    ]),
    notes: [
      summary(
        'convert',
        results.map(({ ours }) => ours),
      ),
      summary(
        'tf2onnx',
        results.map(({ tf2onnx }) => tf2onnx),
      ),
      `${results.length} of the ${known} networks of Keras Applications.`,
      ...unwritten.map((problem) => `Keras could not write ${problem}`),
      ...reasons(
        'convert',
        results.map(({ name, ours }) => [name, ours]),
      ),
      ...reasons(
        'tf2onnx',
        results.map(({ name, tf2onnx }) => [name, tf2onnx]),
      ),
      'Differences: of two synthetic images, relative to the value or to 1 % of the largest, whichever is larger; onnxruntime against Keras 2 in Python.',
      'convert reads the layers-model that bench/keras/tfjs_format.py writes, its seconds are those of the whole command; tf2onnx takes the model in memory.',
      'varies by: largest difference of the two predictions, of the largest; one of 0 would agree with anything.',
    ],
    failed: unwritten.length > 0 || !results.every(({ ours }) => agrees(ours)),
  };
}

/** Each reason once, with the networks that fail by it. */
function reasons(who: string, outcomes: ReadonlyArray<readonly [name: string, Outcome]>): string[] {
  const byReason = Map.groupBy(
    outcomes.flatMap(([name, outcome]) => ('problem' in outcome ? [{ name, problem: outcome.problem }] : [])),
    ({ problem }) => problem,
  );
  return [...byReason].map(
    ([problem, some]) => `${who} FAILED: ${problem} (${some.map(({ name }) => name).join(', ')})`,
  );
}
