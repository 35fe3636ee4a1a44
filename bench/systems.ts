/** What the five published systems are worth on real images: each trained as `trainer fit` trains it. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { storedFolder } from '../trainer/encoders/store.ts';
import { type Bench, type BenchContext, MissingPrerequisite, type Table } from './bench.ts';
import { bestTrivial, type Domain, type Fitted, fitDomain, percent, requireData } from './fit.ts';

/** Named as its recipe and as its data set. */
interface System extends Domain {
  /** AUROC of a replica in PyTorch on the same split, made before the recipe. */
  readonly expected: number;
}

const SYSTEMS: readonly System[] = [
  { name: 'fundus', expected: 0.46 },
  { name: 'brain-mri', expected: 0.25 },
  { name: 'chest-xray', expected: 0.26, groupBy: '((?:NORMAL2-)?IM-\\d+|person\\d+)' },
  { name: 'mnist', expected: 0.999 },
  { name: 'malaria', expected: 0.74, groupBy: '(C\\d+)' },
];

/** A larger difference needs a reason, see docs/recipes.md. */
const EXPLAINED = 0.05;

export const systems: Bench = {
  name: 'systems',
  title: 'the five recipes with their defaults on real images: AUROC, accuracy, trivial rules, time',
  parts: SYSTEMS.map(({ name }) => name),
  run,
};

type Result = System & Fitted;

async function run(context: BenchContext): Promise<Table[]> {
  const { only, backends, cache } = context;
  const chosen = SYSTEMS.filter(({ name }) => only.length === 0 || only.includes(name));
  requireData(chosen);
  const encoder = 'efficientnet-lite2';
  if (chosen.some(({ name }) => name === 'brain-mri') && !existsSync(storedFolder(backends, encoder)))
    throw new MissingPrerequisite(`Install the encoder first: trainer encoder install ${encoder}`);
  const results: Result[] = [];
  for (const system of chosen) {
    const out = path.join(cache, 'systems', system.name);
    results.push({ ...system, ...(await fitDomain(system, system.name, out, context)) });
  }
  return [worth(results), cost(results)];
}

function worth(results: readonly Result[]): Table {
  return {
    title: 'What the five systems are worth: defaults, seed 1, images and patients never seen in training',
    columns: [
      'recipe',
      'AUROC',
      '95 %',
      'expected',
      'difference',
      'accuracy',
      'flag all',
      'caught',
      'false alarms',
      'best trivial rule',
    ],
    rows: results.map(({ name, expected, metrics, evaluation }) => {
      const { auroc, accuracy, flagEverything, detection, falseAlarms } = evaluation;
      const difference = auroc.value - expected;
      const best = bestTrivial(evaluation);
      return [
        name,
        auroc.value.toFixed(3),
        `${auroc.low.toFixed(3)} to ${auroc.high.toFixed(3)}`,
        expected.toFixed(3),
        `${difference < 0 ? '' : '+'}${difference.toFixed(3)}${Math.abs(difference) > EXPLAINED ? ' *' : ''}`,
        `${percent(accuracy.value)} (${metrics.calibration.threshold.rule.rule})`,
        percent(flagEverything),
        percent(detection.value),
        percent(falseAlarms.value),
        `${best.name.toLowerCase()} ${best.auroc.toFixed(3)}`,
      ];
    }),
    notes: [
      'AUROC is signed: below 0.5 poor images score lower than good ones. Interval: bootstrap, by patient where names tell one.',
      'Accuracy, caught and false alarms at the threshold of the rule in brackets; flag all: accuracy of calling every image.',
      'Expected: a replica in PyTorch on the same split, made before the recipe. * off by more than 0.05: why is in docs/recipes.md.',
      ...results.map(({ name, evaluation: { warnings } }) => {
        const codes = warnings.map(({ code, severity }) => (severity === 'serious' ? `${code} (!!)` : code));
        return `Warnings of ${name}: ${codes.length === 0 ? 'none' : codes.join(', ')}.`;
      }),
    ],
  };
}

function cost(results: readonly Result[]): Table {
  return {
    title: 'What they cost',
    columns: ['recipe', 'epochs', 'training s', 'total s', 'CPU s', 'ms an image', 'parameters', 'bundle kB'],
    rows: results.map(({ name, metrics, totalSeconds, processorSeconds }) => [
      name,
      metrics.training.history.length,
      metrics.training.seconds,
      totalSeconds,
      processorSeconds,
      metrics.model.compute.milliseconds,
      metrics.model.parameters,
      Math.round(metrics.bundle.bytes / 1000),
    ]),
    notes: [
      'Total: from reading images to the report written, evaluation and its warnings included. CPU: all threads together.',
      'Milliseconds: median of the graph alone on one thread, decoding apart. Parameters: the trained ones.',
      'Reports: bench/.cache/systems/*/report.html.',
    ],
  };
}
