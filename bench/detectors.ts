/** What the default recipe is worth on real images of seven kinds, beside its own parts and trivial rules. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { loadInspector } from '../agent/inspect/inspect.ts';
import { EXECUTION } from '../trainer/calibrate.ts';
import { LIMITS } from '../trainer/data/load.ts';
import { findKnown } from '../trainer/encoders/install.ts';
import { storedFolder } from '../trainer/encoders/store.ts';
import { auroc } from '../trainer/statistics/auroc.ts';
import type { Row } from '../trainer/voices/weights.ts';
import { type Bench, type BenchContext, MissingPrerequisite, type Table } from './bench.ts';
import { compareEncoder, type Pair } from './detectors/encoder.ts';
import { type ToldDomain, tryExamples } from './detectors/examples.ts';
import { comparePeers, openPeers, type Peers } from './detectors/peer.ts';
import { bestTrivial, type Domain, type Fitted, fitDomain, percent, requireData } from './fit.ts';

interface Judged extends Domain {
  /** AUROC that the default must reach, and with the encoder efficientnet-lite2, see docs/accuracy.md. */
  readonly floor: number;
  readonly encoderFloor: number;
}

const DOMAINS: readonly Judged[] = [
  { name: 'fundus', floor: 0.99, encoderFloor: 0.99 },
  { name: 'fundus-cataract', floor: 0.905, encoderFloor: 0.9, groupBy: '_(\\d+)_' },
  { name: 'brain-mri', floor: 0.905, encoderFloor: 0.92 },
  {
    name: 'chest-xray',
    floor: 0.915,
    encoderFloor: 0.91,
    groupBy: '((?:NORMAL2-)?IM-\\d+|person\\d+)',
  },
  { name: 'malaria', floor: 0.91, encoderFloor: 0.92, groupBy: '(C\\d+)' },
  { name: 'brain-br35h', floor: 0.79, encoderFloor: 0.84 },
  { name: 'magnetic-tile', floor: 0.74, encoderFloor: 0.8 },
];

/** Costs that the default must keep, see docs/accuracy.md. */
const LIMIT = { secondsPer1000: 60, milliseconds: 5, megabytes: 5 } as const;

export const detectors: Bench = {
  name: 'detectors',
  title: 'the default recipe on seven kinds of real images: AUROC, every voice alone, false alarms, costs',
  parts: DOMAINS.map(({ name }) => name),
  choices: { encoder: 'value', peer: 'flag' },
  run,
};

interface Result extends Fitted, Judged {
  readonly voices: VoicesOfTest;
}

/** Robust z of each voice of each test image, by label. */
interface VoicesOfTest {
  readonly names: readonly string[];
  readonly good: readonly Row[];
  readonly poor: readonly Row[];
}

async function run(context: BenchContext): Promise<Table[]> {
  const { only, cache, choices, backends } = context;
  const { encoder } = choices;
  const chosen = DOMAINS.filter(({ name }) => only.length === 0 || only.includes(name));
  requireData(chosen);
  if (
    encoder !== undefined &&
    findKnown(encoder) !== undefined &&
    !existsSync(storedFolder(backends, encoder))
  )
    throw new MissingPrerequisite(`Install the encoder first: trainer encoder install ${encoder}`);
  const askPeers = choices.peer === undefined ? null : await openPeers(context);
  const peers: Peers[] = [];
  const results: Result[] = [];
  const pairs: Pair[] = [];
  for (const domain of chosen) {
    const out = path.join(cache, 'detectors', domain.name);
    const without = await fitDomain(domain, 'auto', out, context);
    results.push({ ...domain, ...without, voices: await hearVoices(without) });
    if (askPeers !== null) peers.push(await askPeers(domain.name, without));
    if (encoder === undefined) continue;
    const changes = [{ key: 'model.encoder', value: encoder }];
    const seeing = await fitDomain(domain, 'auto', `${out}-encoder`, context, { changes });
    pairs.push({
      ...{ name: domain.name, floor: domain.encoderFloor, without, with: seeing },
      voices: aloneOf(await hearVoices(seeing)),
    });
  }
  return [
    ...[worth(results), alarms(results), tryExamples(results.map(toldBy)), cost(results)],
    ...(encoder === undefined ? [] : compareEncoder(encoder, pairs)),
    ...(peers.length === 0 ? [] : [comparePeers(peers)]),
  ];
}

async function hearVoices({ out, evaluation }: Fitted): Promise<VoicesOfTest> {
  const inspector = await loadInspector({
    bundlePath: path.join(out, 'bundle.onnx'),
    limits: LIMITS,
    ...EXECUTION,
  });
  try {
    const rows: Record<'good' | 'poor', Row[]> = { good: [], poor: [] };
    for (const { path: file, label } of evaluation.images) {
      const { scores } = await inspector.inspectWithMap(file!);
      rows[label].push([...scores!.voices!]);
    }
    return { names: (inspector.bundle.manifest.voices ?? []).map(({ name }) => name), ...rows };
  } finally {
    await inspector.close();
  }
}

/** AUROC of each voice alone, by name. */
function aloneOf({ names, good, poor }: VoicesOfTest): ReadonlyMap<string, number> {
  const of = (rows: readonly Row[], v: number) => rows.map((row) => row[v]!);
  return new Map(names.map((name, v) => [name, auroc(of(good, v), of(poor, v))]));
}

function worth(results: readonly Result[]): Table {
  const voices = [...new Set(results.flatMap(({ voices: { names } }) => names))];
  const missed = results.filter(({ evaluation, floor }) => evaluation.auroc.value < floor);
  const mean = results.reduce((sum, { evaluation }) => sum + evaluation.auroc.value, 0) / results.length;
  return {
    title: 'What the default is worth: AUROC, nothing given but good images',
    columns: ['domain', 'AUROC', '95 %', 'floor', 'best trivial rule', ...voices],
    rows: results.map(({ name, floor, evaluation, voices: heard }) => {
      const { auroc: found } = evaluation;
      const alone = aloneOf(heard);
      const best = bestTrivial(evaluation);
      return [
        name,
        `${found.value.toFixed(3)}${found.value < floor ? ' *' : ''}`,
        `${found.low.toFixed(3)} to ${found.high.toFixed(3)}`,
        floor.toFixed(3),
        `${best.name.toLowerCase()} ${best.auroc.toFixed(3)}`,
        ...voices.map((voice) => alone.get(voice)?.toFixed(3) ?? ''),
      ];
    }),
    notes: [
      `Mean over ${results.length} domains: ${mean.toFixed(3)}. * below the floor. Interval: bootstrap, by patient where names tell one.`,
      'Best trivial rule: the best of them on this very test, which nobody could have chosen beforehand.',
    ],
    failed: missed.length > 0,
  };
}

/** What examples are tried on: good images as fits that did not see them give them, as `trainer fit` does. */
const toldBy = ({ name, metrics, voices: { good, poor } }: Result): ToldDomain => ({
  ...{ name, good, poor },
  unseen: metrics.calibration.images.map(({ voices }) => voices!),
});

function alarms(results: readonly Result[]): Table {
  return {
    title: 'False alarms: 5 % promised',
    columns: ['domain', 'good images', 'realised', '95 %', 'range promised', 'caught', 'shift named'],
    rows: results.map(({ name, metrics, evaluation: { falseAlarms, detection, warnings } }) => {
      const { low, high } = metrics.calibration.falseAlarms!;
      return [
        name,
        metrics.calibration.images.length,
        percent(falseAlarms.value),
        `${percent(falseAlarms.low)} to ${percent(falseAlarms.high)}`,
        `${percent(low)} to ${percent(high)}`,
        percent(detection.value),
        warnings.some(({ code }) => code === 'shifted-captures') ? 'yes' : 'no',
      ];
    }),
    notes: [
      'Realised: share of good test images called at the threshold of the bundle. Range promised: of 9 in 10 calibrations.',
      'Shift named: the evaluation itself warns that good test images are not like those of calibration.',
    ],
  };
}

function cost(results: readonly Result[]): Table {
  return {
    title: 'What it costs',
    columns: ['domain', 'images', 'fit s', 'CPU s', 'ms an image', 'bundle kB'],
    rows: results.map(({ name, metrics, totalSeconds, processorSeconds }) => [
      name,
      metrics.data.train,
      totalSeconds,
      processorSeconds,
      metrics.model.compute.milliseconds,
      Math.round(metrics.bundle.bytes / 1000),
    ]),
    notes: [
      `Fit: all of \`trainer fit\`, from reading images to the report, with evaluation. At most ${LIMIT.secondsPer1000} s for 1,000 images without the evaluation, ${LIMIT.milliseconds} ms, ${LIMIT.megabytes} MB are wanted.`,
      'Milliseconds: median of the graph alone on one thread, decoding apart.',
    ],
    failed: results.some(
      ({ metrics }) =>
        metrics.model.compute.milliseconds > LIMIT.milliseconds ||
        metrics.bundle.bytes > LIMIT.megabytes * 1e6,
    ),
  };
}
