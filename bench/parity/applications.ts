/** The networks of Keras Applications, written in Python and converted: the predictions of Keras? tf2onnx beside it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nearest } from '../../config/nearest.ts';
import { runCommand } from '../../trainer/backend/command.ts';
import { type BenchContext, type Table, WrongChoice } from '../bench.ts';
import { convertByCommand, readFloats, runOnnx } from '../keras/converted.ts';
import { pythonEnvironment } from '../python/environment.ts';
import { median } from '../table.ts';
import { complaint, relativeDifference } from './difference.ts';

const BOUND = 1e-4;
/** What tf2onnx may take for one network; at 90 million parameters it asks for more than 11 GB. */
const PEER = { seconds: 240, gigabytes: 8 } as const;
const SCRIPT = fileURLToPath(new URL('../keras/applications.py', import.meta.url));

/** What applications.py prints of a network. */
interface Written {
  /** Of one input. */
  readonly shape: readonly number[];
  readonly layers: number;
  readonly parameters: number;
  /** Largest difference of the two predictions, of the largest of them. */
  readonly variation: number;
}

/** How one converter did with one network: largest relative difference of its predictions, and how long it took. */
type Outcome = { readonly difference: number; readonly seconds: number } | { readonly problem: string };

interface Result extends Written {
  readonly name: string;
  readonly ours: Outcome;
  /**
   * Largest relative difference of Keras in single precision from Keras in double precision, measured where an outcome
   * is not within the bound; null: it has no double, or was not asked.
   */
  readonly rounding: number | null;
  readonly tf2onnx?: Outcome;
}

/** One network after another; its files are deleted before the next. */
export async function compareApplications(context: BenchContext): Promise<Table> {
  const python = await pythonEnvironment(context, 'keras');
  const known = JSON.parse(await runCommand(python, ['-B', SCRIPT])) as string[];
  const chosen = context.choices.networks?.split(',') ?? known;
  const strange = chosen.find((name) => !known.includes(name));
  if (strange !== undefined) {
    const near = nearest(strange, known);
    throw new WrongChoice(
      `--networks ${strange}: Keras Applications have none of this name.${near === undefined ? '' : ` Did you mean ${near}?`} They have ${known.join(', ')}.`,
    );
  }
  const withPeer = context.choices.peer !== undefined;
  const results: Result[] = [];
  const unwritten: string[] = [];
  for (const name of chosen) {
    context.report(`${name}: `);
    const folder = await mkdtemp(join(context.cache, 'applications-'));
    try {
      const result = await compareNetwork(name, python, folder, withPeer);
      context.report(
        `${[result.ours, result.tf2onnx].flatMap((each) => (each ? cells(each) : [])).join(' ')}\n`,
      );
      results.push(result);
    } catch (error) {
      context.report('not written\n');
      unwritten.push(`${name}: ${complaint(error)}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  return agreement(results, unwritten, known.length);
}

/** @throws Error when Keras cannot write the network, as when the memory does not suffice. */
async function compareNetwork(
  name: string,
  python: string,
  folder: string,
  withPeer: boolean,
): Promise<Result> {
  const written = JSON.parse(await runCommand(python, ['-B', SCRIPT, name, folder])) as Written;
  const [images, expected] = await Promise.all(
    ['image', 'prediction'].map((file) => readFloats(join(folder, `${file}.bin`))),
  );
  const dims = [images!.length / written.shape.reduce((a, b) => a * b, 1), ...written.shape];
  const differenceOf = async (file: string) =>
    relativeDifference(await runOnnx(join(folder, file), images!, dims), expected!);
  const ours = await outcome(async () => {
    const begin = performance.now();
    await convertByCommand(folder, join(folder, 'ours.onnx'));
    const seconds = (performance.now() - begin) / 1000;
    return { difference: await differenceOf('ours.onnx'), seconds };
  });
  const byPeer = () =>
    outcome(async () => {
      const signal = AbortSignal.timeout(1000 * PEER.seconds);
      const args = ['-B', SCRIPT, name, folder, 'tf2onnx', String(PEER.gigabytes * 1e9)];
      const seconds = Number(await runCommand(python, args, { signal }));
      return { difference: await differenceOf('tf2onnx.onnx'), seconds };
    });
  const tf2onnx = withPeer ? await byPeer() : undefined;
  const far = [ours, tf2onnx].some((each) => each && 'difference' in each && each.difference > BOUND);
  const rounding: number | null = far
    ? JSON.parse(await runCommand(python, ['-B', SCRIPT, name, folder, 'rounding']))
    : null;
  return { name, ...written, ours, rounding, ...(tf2onnx && { tf2onnx }) };
}

async function outcome(action: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await action();
  } catch (error) {
    const late = (error as Error).name === 'AbortError';
    return { problem: late ? `not done in ${PEER.seconds} s` : complaint(error) };
  }
}

function agreement(results: readonly Result[], unwritten: readonly string[], known: number): Table {
  const ours = results.map((result) => [result, result.ours] as const);
  const peer = results.flatMap((result) => (result.tf2onnx ? [[result, result.tf2onnx] as const] : []));
  const columns = ['network', 'layers', 'parameters', 'varies by', 'difference', 'seconds', 'rounding'];
  return {
    title: 'Keras Applications with random weights: differences from the predictions of Keras',
    columns: peer.length > 0 ? [...columns, 'tf2onnx', 'seconds'] : columns,
    rows: results.map(({ name, layers, parameters, variation, rounding, ours, tf2onnx }) => [
      ...[name, layers, parameters, variation],
      ...cells(ours),
      rounding ?? '',
      ...(tf2onnx ? cells(tf2onnx) : []),
    ]),
    notes: [
      ...summary('convert', ours),
      ...(peer.length > 0
        ? summary('tf2onnx', peer)
        : ['With --peer tf2onnx converts the same networks beside it.']),
      `${results.length} of the ${known} networks of Keras Applications.`,
      ...unwritten.map((problem) => `Keras could not write ${problem}`),
      'Differences: of two synthetic images, relative to the value or to 1 % of the largest, whichever is larger; onnxruntime against Keras 2 in Python.',
      'convert reads the layers model that bench/keras/tfjs_format.py writes; its seconds are those of the whole command.',
      ...(peer.length > 0
        ? [`tf2onnx takes the model in memory; it may take ${PEER.gigabytes} GB and ${PEER.seconds} s.`]
        : []),
      `Agreed: difference at most ${BOUND}, or twice the rounding: the difference of Keras itself in single from double precision, measured where a difference is larger.`,
      'varies by: largest difference of the two predictions, of the largest; one of 0 would agree with anything.',
    ],
    failed: unwritten.length > 0 || !ours.every(agrees),
  };
}

/** Two computations in single precision may be as far from each other as both are from the truth. */
function agrees([{ rounding }, outcome]: readonly [Result, Outcome]): boolean {
  return 'difference' in outcome && outcome.difference <= Math.max(BOUND, 2 * (rounding ?? 0));
}

function cells(outcome: Outcome): (string | number)[] {
  return 'problem' in outcome ? ['FAILED', ''] : [outcome.difference, outcome.seconds.toFixed(1)];
}

/** How many agree, and each reason why others failed once, with the networks that it befell. */
function summary(who: string, outcomes: ReadonlyArray<readonly [Result, Outcome]>): string[] {
  const done = outcomes.flatMap(([, outcome]) => ('difference' in outcome ? [outcome] : []));
  const worst = done.reduce((most, { difference }) => Math.max(most, difference), 0);
  const seconds = done.length === 0 ? 'none' : median(done.map((each) => each.seconds)).toFixed(1);
  const failed = Map.groupBy(
    outcomes.flatMap(([{ name }, outcome]) =>
      'problem' in outcome ? [{ name, problem: outcome.problem }] : [],
    ),
    ({ problem }) => problem,
  );
  return [
    `${who}: ${outcomes.filter(agrees).length} of ${outcomes.length} agree, worst difference ${worst.toExponential(1)}, median ${seconds} s.`,
    ...[...failed].map(
      ([problem, some]) => `${who} FAILED: ${some.map(({ name }) => name).join(', ')}: ${problem}`,
    ),
  ];
}
