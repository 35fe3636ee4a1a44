/** What a run says at each of its steps. */
import type { Recipe } from '../config/recipe.ts';
import type { Threshold } from '../config/threshold.ts';
import type { Calibration } from './calibrate.ts';
import { type Console, duration, percent } from './console.ts';
import type { LoadedFolder } from './data/load.ts';
import type { Split } from './data/split.ts';
import type { Evaluation, Rate } from './evaluate.ts';
import type { Metrics } from './metrics.ts';
import type { LayerSummary } from './models/conv.ts';
import { conclude } from './report/conclusion.ts';

/** More refused files than this are counted here and named in metrics.json. */
const REFUSED_SHOWN = 20;

export function tellImages(
  console: Console,
  folder: string,
  loaded: LoadedFolder,
  sizes: Metrics['data']['sizes'] | null,
): void {
  const { images, refused } = loaded;
  console.say(`images: ${images.length} in ${folder}, ${refused.length} refused`);
  for (const { name, reason, message } of refused.slice(0, REFUSED_SHOWN))
    console.say(`  refused ${name}: ${reason}, ${message}`);
  if (refused.length > REFUSED_SHOWN)
    console.say(`  and ${refused.length - REFUSED_SHOWN} more, all named in metrics.json`);
  if (sizes !== null)
    console.say(`sizes: ${sizes.smallest} (smallest), ${sizes.median} (median), ${sizes.largest} (largest)`);
}

export function tellSplit(console: Console, split: Split, { input }: Recipe, seed: number): void {
  const { train, validation, calibration, duplicates } = split;
  const copies = duplicates.length === 0 ? '' : `, ${duplicates.length} left out as copies`;
  console.say(
    `split (seed ${seed}): ${train.length} train, ${validation.length} choose the epoch, ${calibration.length} set the threshold${copies}`,
  );
  console.say(`input: ${input.width} x ${input.height}, ${input.channels === 1 ? 'grey' : 'RGB'}`);
}

export function tellArchitecture(console: Console, layers: readonly LayerSummary[]): void {
  const rows = layers.map(({ name, kind, shape, parameters }) => [
    name,
    kind,
    shape.join(' x '),
    parameters.toLocaleString('en'),
  ]);
  rows.push(['total', '', '', layers.reduce((sum, l) => sum + l.parameters, 0).toLocaleString('en')]);
  const widths = [0, 1, 2, 3].map((c) => Math.max(...rows.map((row) => row[c]!.length)));
  console.say('architecture (layer, kind, output, parameters):');
  for (const row of rows)
    console.say(
      `  ${row.map((cell, c) => (c === 3 ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!))).join('  ')}`,
    );
}

export function tellTrained(console: Console, training: Metrics['training'], epochs: number): void {
  const { history, best, seconds, imagesPerSecond, interrupted, resumedFrom } = training;
  if (interrupted)
    console.say(`interrupted: ${history.length} of ${epochs} epochs; the best weights so far are kept`);
  if (resumedFrom > 0) console.say(`resumed after epoch ${resumedFrom}`);
  console.say(
    `trained ${duration(seconds)}, ${imagesPerSecond.toFixed(1)} images/s; best epoch ${best.epoch} of ${history.length}, validation loss ${best.validationLoss.toPrecision(4)}`,
  );
}

export function tellCalibrated(
  console: Console,
  { images, falseAlarms, above }: Omit<Calibration, 'bundle'>,
  threshold: Threshold,
): void {
  const n = images.length;
  const rule = Object.entries(threshold.rule).map(([key, value]) =>
    key === 'rule' ? value : `${key} ${value}`,
  );
  console.say(`threshold: ${threshold.upper.toPrecision(6)} (${rule.join(', ')}), from n = ${n} good images`);
  console.say(
    falseAlarms === null
      ? `of these, ${above} of ${n} lie above it; this rule promises no false-alarm rate`
      : `false alarms: at most ${percent(falseAlarms.promised)} promised; in 9 of 10 calibrations with n = ${n} the realised rate lies between ${percent(falseAlarms.low)} and ${percent(falseAlarms.high)}`,
  );
}

export function tellEvaluated(console: Console, evaluation: Evaluation): void {
  const { auroc, detection, falseAlarms, accuracy, flagEverything, baselines, refused, leaked } = evaluation;
  const rate = ({ hits, count, value, low, high }: Rate) =>
    count === 0
      ? 'no images'
      : `${hits} of ${count} (${percent(value)}, 95 % interval ${percent(low)} to ${percent(high)})`;
  for (const { name, reason, message } of refused.slice(0, REFUSED_SHOWN))
    console.say(`  refused ${name}: ${reason}, ${message}`);
  if (leaked.length > 0)
    console.say(
      `warning: ${leaked.length} test images are also in the training folder, such as ${leaked[0]}; the figures below are too good by that`,
    );
  if (auroc !== null)
    console.say(
      `test: AUROC ${auroc.value.toFixed(3)} (95 % interval ${auroc.low.toFixed(3)} to ${auroc.high.toFixed(3)}; 0.5 is chance)`,
    );
  console.say(`  poor images called for review: ${rate(detection)}`);
  console.say(`  good images called for review: ${rate(falseAlarms)}`);
  console.say(`  accuracy: ${rate(accuracy)}; calling everything for review: ${percent(flagEverything)}`);
  for (const { name, rule, auroc } of baselines)
    console.say(`  trivial rule: ${name.toLowerCase()} (${rule}): AUROC ${auroc.toFixed(3)}`);
}

export function tellConclusion(
  console: Console,
  metrics: Metrics,
  files: { bundle: string; report: string },
): void {
  console.say('');
  for (const sentence of conclude(metrics)) console.say(sentence);
  console.say('');
  console.say(`bundle: ${files.bundle} (${metrics.bundle.digest})`);
  console.say(`report: ${files.report}`);
}
