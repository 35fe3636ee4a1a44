/** What a run says at each of its steps. */
import { regionAsText } from '../agent/inspect/mask.ts';
import type { Recipe } from '../config/recipe.ts';
import type { Threshold } from '../config/threshold.ts';
import type { Calibration } from './calibrate.ts';
import { type Console, duration, percent } from './console.ts';
import type { Gathered } from './data/gather.ts';
import type { LoadedFolder } from './data/load.ts';
import { tellRefused } from './data/refused.ts';
import type { Split } from './data/split.ts';
import { describeBits, describeSizes, significantBitsOf } from './data/stored.ts';
import type { OpenedEncoder, OpenedNetwork } from './encoders/open.ts';
import type { Compute, Metrics, Tuning, UsedExamples, Weighting } from './metrics.ts';
import type { LayerSummary } from './models/summary.ts';
import { conclude, headline } from './report/conclusion.ts';
import type { Suspicious } from './suspicious.ts';

export function tellSources(console: Console, { description, tuning, test }: Gathered): void {
  console.say(`data: ${description}`);
  if (tuning.length > 0)
    console.say(
      `  ${tuning.length} labelled images are set aside from the test: told after each epoch, and for tuning; ${test.length} are left to test on`,
    );
}

export function tellImages(
  console: Console,
  folder: string,
  { images, refused }: LoadedFolder,
  input: Recipe['input'],
): void {
  console.say(`images: ${images.length} in ${folder}, ${refused.length} refused`);
  tellRefused(console, refused, 'metrics.json will name them all');
  console.say(`sizes: ${describeSizes(images, input)}`);
  const bits = significantBitsOf(images);
  if (bits !== null) console.say(`  !! ${describeBits(bits)}`);
}

export function tellSplit(
  console: Console,
  split: Split,
  { input, split: { folds } }: Recipe,
  seed: number,
): void {
  const { train, validation, calibration, duplicates, groups } = split;
  const copies = duplicates.length === 0 ? '' : `, ${duplicates.length} left out as copies`;
  const sides =
    folds === undefined
      ? `${train.length} train, ${validation.length} choose the epoch, ${calibration.length} set the threshold`
      : `${train.length} train in ${folds} folds, and set the threshold as scored by models that did not see their fold`;
  console.say(`split (seed ${seed}): ${sides}${copies}`);
  console.say(`groups: ${groups.description}`);
  const frames = input.frames === 1 ? '' : `, ${input.frames} frames`;
  console.say(
    `input: ${input.width} x ${input.height}, ${input.channels === 1 ? 'grey' : 'RGB'}${frames}${inputSteps(input)}`,
  );
}

function inputSteps({ mask, crop, stretch, thresholding }: Recipe['input']): string {
  const steps = [
    ...(mask === undefined ? [] : [`blanked at ${mask.map(regionAsText).join(' and ')}`]),
    ...(crop === 'foreground' ? ['cropped to the foreground'] : []),
    ...(stretch === undefined ? [] : [`stretched from percentile ${stretch.low} to ${stretch.high}`]),
    ...(thresholding === undefined ? [] : [`black and white (${thresholding.method} threshold)`]),
  ];
  return steps.length === 0 ? '' : `, ${steps.join(', ')}`;
}

/** `groups`: of which no two images are ever in different folds; `siblings`: pairs found by their features. */
export function tellSiblings(console: Console, images: number, groups: number, siblings: number): void {
  if (siblings === 0) return;
  console.say(
    `siblings: ${images} images form ${groups} groups within which they are far more alike than images are otherwise, as one subject captured again is; a group is never in two folds`,
  );
}

/** One group of more than this share of the images decides the threshold nearly alone. */
const DOMINANT = 1 / 3;

export function tellDominant(console: Console, images: number, largest: number): void {
  if (largest <= DOMINANT * images) return;
  console.say(
    `warning: ${largest} of ${images} images belong together, as one picture or subject again and again. They are scored by a model that has seen none of them, and the threshold, which then comes mostly from them, may be far too high. Give more different images, or fewer of that one.`,
  );
}

export function tellExamples(
  console: Console,
  { folder, images, refused, copies, leftOut }: Omit<UsedExamples, keyof Weighting>,
): void {
  const less = [`${refused.length} refused`, ...(copies > 0 ? [`${copies} left out as copies`] : [])];
  console.say(
    `examples: ${images} poor images in ${folder}, ${less.join(', ')}; they weigh the voices, no more`,
  );
  if (leftOut > 0)
    console.say(
      `  ${leftOut} labelled images are left out of the test, as they are examples or of the group of one`,
    );
}

export function tellWeights(console: Console, { weights, before, after, higher, lower }: UsedExamples): void {
  const share = ({ value, low, high }: typeof before) =>
    `${value.toFixed(3)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  console.say(
    `voices, as the examples weigh them: ${weights.map(({ voice, weight }) => `${voice} ${weight.toFixed(2)}`).join(', ')} (1: as without examples)`,
  );
  console.say(
    `  AUROC of the examples against good images: ${share(before)} without weights, ${share(after)} with those that the other examples give; ${higher} rank higher, ${lower} lower`,
  );
}

export function tellEncoder(console: Console, opened: OpenedEncoder | OpenedNetwork): void {
  const { origin, notes } = opened;
  const tap = 'tap' in opened ? `, tap ${opened.tap} (${opened.outputShape.join(' x ')})` : '';
  console.say(`encoder: ${origin.name}${tap}, frozen; ${origin.licence}`);
  console.say(`  weights from ${origin.source}, SHA-256 ${origin.sha256}`);
  for (const note of notes) console.say(`  ${note}`);
}

/** `milliseconds` of one image on one thread. */
export function tellEncoderCost(console: Console, milliseconds: number, images: number): void {
  console.say(
    `  costs ${milliseconds.toFixed(1)} ms an image on one thread, here and on the device; features of ${images} images take at most ${duration((images * milliseconds) / 1000)}`,
  );
}

/** A line at every quarter of a download. */
export function downloadTold(console: Console): (name: string, received: number, total: number) => void {
  let told = -1;
  return (name, received, total) => {
    const quarter = total > 0 ? Math.floor((4 * received) / total) : Math.floor(received / 8e6);
    if (quarter === told) return;
    told = quarter;
    console.say(
      `  ${name}: ${(received / 1e6).toFixed(1)}${total > 0 ? ` of ${(total / 1e6).toFixed(1)}` : ''} MB`,
    );
  };
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
  const learned = `${imagesPerSecond.toFixed(1)} images/s; best epoch ${best.epoch} of ${history.length}, validation loss ${best.validationLoss.toPrecision(4)}`;
  console.say(
    `trained ${duration(seconds)}, ${history.length === 0 ? 'no part of it learns in epochs' : learned}`,
  );
}

/** `difference` is relative, between TensorFlow.js and the exported graph. */
export function tellExported(console: Console, difference: number): void {
  console.say(
    `exported; scores differ from those of TensorFlow.js by at most ${difference.toExponential(1)}`,
  );
}

export function tellCompute(
  console: Console,
  parameters: number,
  { multiplyAdds, milliseconds }: Compute,
): void {
  console.say(
    `cost: ${parameters.toLocaleString('en')} trained parameters, ${(multiplyAdds / 1e6).toFixed(1)} million multiply-adds, ${milliseconds.toFixed(1)} ms an image on one thread (decoding apart)`,
  );
}

export function tellCalibrated(
  console: Console,
  { images, falseAlarms, called }: Calibration,
  { rule, upper, lower }: Threshold,
  tuning: Tuning | null,
): void {
  const n = images.length;
  const named = Object.entries(rule).map(([key, value]) => (key === 'rule' ? value : `${key} ${value}`));
  const bounds = lower === null ? '' : ` and ${lower.toPrecision(6)}`;
  const from =
    tuning === null
      ? `from n = ${n} good images`
      : `F1 ${tuning.chosen.f1.toFixed(3)} on ${tuning.good} good and ${tuning.poor} poor images set aside for tuning`;
  console.say(`threshold: ${upper.toPrecision(6)}${bounds} (${named.join(', ')}), ${from}`);
  console.say(
    falseAlarms === null
      ? `of ${n} good calibration images it calls ${called} for review; this rule promises no false-alarm rate`
      : `false alarms: at most ${percent(falseAlarms.promised)} promised; in 9 of 10 calibrations with n = ${n} the realised rate lies between ${percent(falseAlarms.low)} and ${percent(falseAlarms.high)}`,
  );
}

/** The first few; all of them are in the report and in metrics.json. */
const SUSPICIOUS_SHOWN = 3;

export function tellSuspicious(console: Console, suspicious: readonly Suspicious[]): void {
  console.say(
    `for a look: the ${suspicious.length} most unusual of the images given as good are shown in the report; first of all`,
  );
  for (const { name, evidence } of suspicious.slice(0, SUSPICIOUS_SHOWN)) {
    const [first] = evidence;
    console.say(`  ${JSON.stringify(name).slice(1, -1)}${first === undefined ? '' : `: ${first.sentence}`}`);
  }
}

export function tellConclusion(
  console: Console,
  metrics: Metrics,
  files: { bundle: string; report: string },
): void {
  console.say('');
  console.say(headline(metrics)); // once more where figures of a test came between, so that it is not scrolled past
  if (metrics.evaluation === null) for (const sentence of conclude(metrics)) console.say(`  ${sentence}`);
  console.say('');
  console.say(`bundle: ${files.bundle} (${metrics.bundle.digest})`);
  console.say(`report: ${files.report}`);
}
