/** What 8-bit integers gain and cost: the bundle of the recipe `fundus` in float32 beside that in integers. */
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Bundle, readBundle } from '../agent/inspect/bundle.ts';
import { loadInspector } from '../agent/inspect/inspect.ts';
import { judge } from '../agent/inspect/judge.ts';
import { runCommand } from '../trainer/backend/command.ts';
import { EXECUTION } from '../trainer/calibrate.ts';
import { LIMITS } from '../trainer/data/load.ts';
import type { Metrics } from '../trainer/metrics.ts';
import { wilson } from '../trainer/statistics/rates.ts';
import type { Bench, BenchContext, Table } from './bench.ts';
import { DATA, type Domain, percent, requireData } from './fit.ts';
import { median } from './table.ts';

const DOMAINS: readonly Domain[] = [
  { name: 'fundus' },
  { name: 'fundus-cataract', groupBy: '(\\d+)_(?:left|right)' },
];

const GOAL = { faster: 1.8, smaller: 3.5, changed: 0.005 } as const;

export const int8: Bench = {
  name: 'int8',
  title: 'the fundus recipe in 8-bit integers beside float32: time, size, changed verdicts',
  parts: DOMAINS.map(({ name }) => name),
  counts: { turns: 300 },
  run,
};

async function run(context: BenchContext): Promise<Table[]> {
  const { only } = context;
  const chosen = DOMAINS.filter(({ name }) => only.length === 0 || only.includes(name));
  requireData(chosen);
  const tables: Table[] = [];
  for (const domain of chosen) tables.push(await compare(domain, context));
  return tables;
}

interface Trained {
  readonly file: string;
  readonly bundle: Bundle;
  readonly metrics: Metrics;
}

/** Trains once; the run in integers goes on from there, so that both have the same weights. */
async function trainBoth(
  { name, groupBy }: Domain,
  { cache, report }: BenchContext,
): Promise<{ float: Trained; integer: Trained; split: string }> {
  const trainer = path.join(import.meta.dirname, '../node_modules/.bin/trainer');
  const folder = path.join(cache, 'int8', name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const [float, integer] = [path.join(folder, 'float32'), path.join(folder, 'integers')] as const;
  const grouped = groupBy === undefined ? [] : ['--group-by', groupBy];
  report(`training ${name}\n`);
  await runCommand(trainer, ['fit', path.join(DATA, name), '--recipe', 'fundus', ...grouped, '--out', float]);
  report('quantising it\n');
  await cp(float, integer, { recursive: true });
  await runCommand(trainer, ['fit', path.join(DATA, name), '--out', integer, '--resume', '--quantize']);
  const open = async (out: string): Promise<Trained> => ({
    file: path.join(out, 'bundle.onnx'),
    bundle: await readBundle(path.join(out, 'bundle.onnx')),
    metrics: JSON.parse(await readFile(path.join(out, 'metrics.json'), 'utf8')),
  });
  return { float: await open(float), integer: await open(integer), split: path.join(float, 'split.json') };
}

async function compare(domain: Domain, context: BenchContext): Promise<Table> {
  const { float, integer, split } = await trainBoth(domain, context);
  const comparison = integer.metrics.quantization!.comparison!;
  const { turns } = context.counts;
  const load = loadavg()[0]!;
  const times = await takeTurns([float.bundle, integer.bundle], turns!);
  const faster = median(times[0].map((time, i) => time / times[1][i]!));
  const smaller = comparison.graphBytes.float / comparison.graphBytes.quantized;
  context.report('judging\n');
  const { compared, changed } = await countChanged(float, integer, domain, split);
  const auroc = ({ metrics }: Trained) => metrics.evaluation!.auroc!.value.toFixed(3);
  const { low, high } = wilson(changed, compared);
  const { layers, float: left, noise } = comparison;
  return {
    title: `The recipe fundus in 8-bit integers, on the images of ${domain.name}`,
    columns: ['', 'float32', 'integers', 'ratio', 'goal', 'reached'],
    rows: [
      [
        'one image, one thread, median ms',
        ...times.map(median),
        faster,
        `>= ${GOAL.faster}x faster`,
        reached(faster >= GOAL.faster),
      ],
      [
        'graph, kB',
        kilobytes(comparison.graphBytes.float),
        kilobytes(comparison.graphBytes.quantized),
        smaller,
        `>= ${GOAL.smaller}x smaller`,
        reached(smaller >= GOAL.smaller),
      ],
      [
        'bundle, kB',
        kilobytes(float.bundle.model.length),
        kilobytes(integer.bundle.model.length),
        float.bundle.model.length / integer.bundle.model.length,
        '',
        '',
      ],
      [
        `verdicts changed of ${compared}`,
        '',
        changed,
        percent(changed / compared),
        `<= ${percent(GOAL.changed)}`,
        reached(changed <= GOAL.changed * compared),
      ],
      ['AUROC', auroc(float), auroc(integer), '', '', ''],
      [
        'threshold',
        comparison.threshold.float.toPrecision(4),
        comparison.threshold.quantized.toPrecision(4),
        '',
        '',
        '',
      ],
    ],
    notes: [
      `${turns} runs of each graph, in turn, in one process; the ratio is the median of those of each turn. Load average ${load.toFixed(1)} at the start.`,
      `Verdicts: ${compared} images that neither training nor quantisation saw, each bundle by its own threshold; 95 % interval of the share ${percent(low)} to ${percent(high)}.`,
      `${layers} of ${layers + left.length} convolutions in integers${left.length === 0 ? '' : ` (in float32: ${left.join(', ')})`}; scores move by ${percent(noise)} of their spread.`,
      'Bundle: graph, calibration and three PNGs that prove it on a device, which are as large in both.',
    ],
  };
}

const reached = (yes: boolean): string => (yes ? 'yes' : 'no');
const kilobytes = (bytes: number): number => Math.round(bytes / 1000);

/** Milliseconds of one image on one thread, of each graph after the other. */
async function takeTurns(bundles: readonly [Bundle, Bundle], turns: number): Promise<[number[], number[]]> {
  const times: [number[], number[]] = [[], []];
  const { width, height, channels } = bundles[0].manifest.preprocessing;
  const png = Buffer.alloc(width * height * channels, 128);
  const image = new Tensor('uint8', png, [1, height, width, channels]);
  const sessions = [];
  for (const { model } of bundles)
    sessions.push(
      await InferenceSession.create(model, {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
      }),
    );
  for (let turn = -20; turn < turns; turn++)
    for (const [i, session] of sessions.entries()) {
      const start = performance.now();
      await session.run({ image });
      if (turn >= 0) times[i]!.push(performance.now() - start);
    }
  for (const session of sessions) await session.release();
  return times;
}

/** Verdicts on all images that did not train, by the device's own code. */
async function countChanged(
  float: Trained,
  integer: Trained,
  { name }: Domain,
  split: string,
): Promise<{ compared: number; changed: number }> {
  const { images } = JSON.parse(await readFile(split, 'utf8')) as {
    images: readonly { readonly name: string; readonly side: string }[];
  };
  const calibration = images.filter(({ side }) => side === 'calibration').map((image) => image.name);
  const tested = [];
  for (const folder of ['test_good', 'test_anomalous'])
    for (const file of await readdir(path.join(DATA, name, folder))) tested.push(`${folder}/${file}`);
  const files = [...calibration, ...tested].map((file) => path.join(DATA, name, file));
  const [before, now] = [await verdictsOf(float.file, files), await verdictsOf(integer.file, files)];
  return { compared: files.length, changed: before.filter((verdict, i) => verdict !== now[i]).length };
}

async function verdictsOf(bundlePath: string, files: readonly string[]): Promise<string[]> {
  const inspector = await loadInspector({ bundlePath, limits: LIMITS, ...EXECUTION });
  const { threshold, calibration } = inspector.bundle.manifest;
  const verdicts: string[] = [];
  for (const file of files) {
    const inspection = await inspector.inspect(file);
    verdicts.push(
      inspection.outcome === 'scored'
        ? judge(inspection.score, threshold, calibration.scores).verdict
        : 'unscorable',
    );
  }
  await inspector.close();
  return verdicts;
}
