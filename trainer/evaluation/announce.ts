/** What an evaluation says on the terminal. */
import type { Console } from '../console.ts';
import { tellRefused } from '../data/refused.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import { conclude, headline } from '../report/conclusion.ts';
import { figure, range, share, short } from '../report/numbers.ts';
import type { Estimate, Evaluation, Rate, Warning } from './types.ts';

/** Every figure of an evaluation; the answer comes first. */
export function tellEvaluation(console: Console, metrics: EvaluationMetrics): void {
  const { evaluation } = metrics;
  if (evaluation === null) return;
  tellRefused(console, evaluation.refused, 'metrics.json will name them all');
  console.say('');
  console.say(headline(metrics));
  for (const sentence of conclude(metrics)) console.say(`  ${sentence}`);
  tellWarnings(console, evaluation.warnings);
  tellRanking(console, evaluation);
  tellThreshold(console, metrics, evaluation);
  if (evaluation.kinds.length > 1) tellKinds(console, evaluation);
  tellBaselines(console, evaluation);
  for (const sentence of evaluation.unchecked) console.say(`\nnot checked: ${sentence}`);
}

function tellWarnings(console: Console, warnings: readonly Warning[]): void {
  if (warnings.length === 0) return;
  console.say('\nwarnings:');
  for (const { severity, message, advice } of warnings) {
    console.say(`  ${severity === 'serious' ? '!! ' : '!  '}${message}`);
    console.say(`     ${advice}`);
  }
}

function tellRanking(console: Console, evaluation: Evaluation): void {
  const { auroc, auprc, detectionAt, groups, images, flagEverything } = evaluation;
  if (auroc === null || auprc === null) {
    console.say('\nranking: not known, as one of the two labels has no image');
    return;
  }
  const drawn = groups === null ? `${images.length} images` : `${groups} groups`;
  console.say(`\nranking, with 95 % intervals (2,000 resamples of ${drawn}):`);
  say(console, [
    ['  AUROC', estimate(auroc), 'chance is 0.500'],
    ['  AUPRC', estimate(auprc), `chance is ${figure(flagEverything)}`],
    ...detectionAt.map((d) => [
      `  caught at ${share(d.falseAlarms)} false alarms`,
      `${share(d.value)} (${range(d)})`,
      'threshold set on this very test',
    ]),
  ]);
}

function tellThreshold(console: Console, { calibration }: EvaluationMetrics, evaluation: Evaluation): void {
  const { detection, falseAlarms, accuracy, balancedAccuracy, flagEverything, report } = evaluation;
  const { upper, lower, rule } = calibration.threshold;
  const bounds = lower === null ? `above ${short(upper)}` : `below ${short(lower)} or above ${short(upper)}`;
  console.say(`\nat the threshold of the bundle (${rule.rule}: review ${bounds}):`);
  const row = (label: string, { hits, count }: Rate) => [
    `  ${label}`,
    String(count - hits),
    String(hits),
    String(count),
  ];
  say(console, [
    ['  confusion matrix', 'pass', 'review', 'all'],
    row('labelled good', falseAlarms),
    row('labelled poor', detection),
  ]);
  console.say('');
  const orNone = (value: number | null) => (value === null ? '-' : figure(value));
  say(console, [
    ['  classification report', 'precision', 'recall', 'F1', 'support'],
    ...report.map(({ label, precision, recall, f1, support }) => [
      `  ${label}`,
      orNone(precision),
      orNone(recall),
      orNone(f1),
      String(support),
    ]),
  ]);
  console.say('');
  say(console, [
    ['  poor called for review', rate(detection)],
    ['  good called by mistake', rate(falseAlarms), promised(calibration.falseAlarms)],
    ['  accuracy', rate(accuracy), `calling everything: ${share(flagEverything)}`],
    ...(balancedAccuracy === null
      ? []
      : [['  balanced accuracy', share(balancedAccuracy), 'calling everything: 50 %']]),
  ]);
}

function tellKinds(console: Console, { kinds }: Evaluation): void {
  console.say('\nby kind of poor images:');
  say(
    console,
    kinds.map(({ kind, detection, auroc }) => [
      `  ${kind}`,
      `called ${rate(detection)}`,
      auroc === null ? '' : `AUROC ${estimate(auroc)}`,
    ]),
  );
}

function tellBaselines(console: Console, { baselines, auroc }: Evaluation): void {
  if (auroc === null) return;
  console.say('\ntrivial rules (AUROC, direction fixed beforehand; the opposite rule has 1 - this):');
  say(console, [
    ['  this model', figure(auroc.value), 'large scores are poor'],
    ['  calling everything', '0.500', 'every image is poor'],
    ...baselines.map(({ name, rule, auroc }) => [
      `  ${name.toLowerCase()}`,
      auroc === null ? '-' : figure(auroc),
      auroc === null ? 'not measured: training images are not at hand' : rule,
    ]),
  ]);
}

function promised(promise: EvaluationMetrics['calibration']['falseAlarms']): string {
  if (promise === null) return 'this rule promises no rate';
  return `promised: ${share(promise.promised)}; in 9 of 10 calibrations ${range(promise)}`;
}

const estimate = ({ value, low, high }: Estimate): string =>
  `${figure(value)} (${figure(low)} to ${figure(high)})`;

const rate = (rate: Rate): string =>
  rate.count === 0 ? 'no images' : `${rate.hits} of ${rate.count}, ${share(rate.value)} (${range(rate)})`;

/** Rows in columns: the first to the left, numbers beneath each other. */
function say(console: Console, rows: readonly (readonly string[])[]): void {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, c) =>
    Math.max(...rows.map((row) => row[c]?.length ?? 0)),
  );
  for (const row of rows)
    console.say(
      row
        .map((cell, c) => cell.padEnd(widths[c]!))
        .join('   ')
        .trimEnd(),
    );
}
