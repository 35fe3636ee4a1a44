/** Good test images are not like the good images that the threshold was calibrated on. */
import { falseAlarmRange } from '../../../agent/inspect/falseAlarms.ts';
import { conformalCount } from '../../../agent/inspect/threshold.ts';
import { auroc } from '../../statistics/auroc.ts';
import type { Properties, Warning } from '../types.ts';
import { meanByGroup, percent, type WarningInput } from './input.ts';
import { kolmogorovSmirnov, mannWhitney } from './two-sample.ts';

/** Fewer groups on either side than this show nothing. */
const FEWEST = 10;
/** Over all tests together. */
const SIGNIFICANCE = 0.003;
/** A smaller shift is no matter for the threshold, however significant. */
const LEAST_DISTANCE = 0.15;

const STATISTICS = [
  { key: 'mean', name: 'brightness', more: 'higher', less: 'lower' },
  { key: 'deviation', name: 'contrast', more: 'higher', less: 'lower' },
  { key: 'sharpness', name: 'sharpness', more: 'higher', less: 'lower' },
] as const satisfies readonly { key: keyof Properties; name: string; more: string; less: string }[];

/** Two tests for the score and each statistic, and one for the rate of false alarms. */
const TESTS = 2 * (1 + STATISTICS.length) + 1;

export interface Shift {
  readonly name: string;
  /** Chance that a test image has more of it than a calibration image. */
  readonly more: number;
  readonly p: number;
}

export function shiftedCaptures(input: WarningInput): Warning | null {
  const { calibrationScores, reference } = input;
  const good = input.images.filter(({ label }) => label === 'good');
  const shifts: Shift[] = [];
  const compare = (name: string, before: readonly number[], now: readonly number[]) => {
    const shift = shiftOf(name, before, now, TESTS);
    if (shift !== null) shifts.push(shift);
  };
  compare(
    'the score',
    scoresBefore(input),
    meanByGroup(good, ({ score }) => score),
  );
  const known = reference === null ? [] : [...reference.train, ...reference.calibration];
  for (const { key, name } of STATISTICS) {
    const measure = ({ properties }: { readonly properties: Properties }) => properties[key];
    compare(name, meanByGroup(known, measure), meanByGroup(good, measure));
  }
  const alarms = excessOfAlarms(input);
  if (shifts.length === 0 && alarms === null) return null;
  const words = shifts.map(({ name, more, p }) => {
    const share = Math.max(more, 1 - more);
    return `${name} ${more > 0.55 ? 'is higher' : more < 0.45 ? 'is lower' : 'is spread differently'}${share > 0.55 ? ` in ${percent(share)} of pairs` : ''} (p ${p.toPrecision(1)})`;
  });
  const promise = promised(input);
  return {
    code: 'shifted-captures',
    severity: 'serious',
    message: `Good test images are not like the good images that the model was made from${words.length > 0 ? `: ${words.join(', ')}` : ''}.${promise === null ? '' : ` ${promise}`}`,
    advice:
      'The promised rate of false alarms holds only for captures like those of the calibration. Calibrate again on good images from where and when the model will be used.',
    figures: {
      calibration: calibrationScores.length,
      falseAlarms: input.evaluation.falseAlarms.value,
      ...(input.alpha === null ? {} : { promised: input.alpha }),
      ...Object.fromEntries(shifts.map(({ name, more }) => [name, more])),
    },
  };
}

/** By two tests; null: none that is significant among `tests` of them, and large enough to matter. */
export function shiftOf(
  name: string,
  before: readonly number[],
  now: readonly number[],
  tests: number,
): Shift | null {
  if (before.length < FEWEST || now.length < FEWEST) return null;
  const { distance, p: shape } = kolmogorovSmirnov(before, now);
  const p = Math.min(shape, mannWhitney(before, now));
  if (p >= SIGNIFICANCE / tests || distance < LEAST_DISTANCE) return null;
  return { name, more: auroc(before, now), p };
}

/** By group where the calibration images are at hand, else as the bundle has them. */
function scoresBefore({ calibrationScores, reference }: WarningInput): readonly number[] {
  const scored = (reference?.calibration ?? []).flatMap(({ group, score }) =>
    score === null ? [] : [{ group, score }],
  );
  return scored.length === calibrationScores.length
    ? meanByGroup(scored, ({ score }) => score)
    : calibrationScores;
}

/** Significantly more false alarms than the promise allows, this calibration being as lucky as it may. */
function excessOfAlarms(input: WarningInput): number | null {
  const { alpha, calibrationScores, calibrationGroups: groups, evaluation, images } = input;
  const n = calibrationScores.length;
  if (alpha === null || images.some(({ group }) => group !== null)) return null; // grouped images alarm together
  const k = conformalCount(alpha, n);
  const { hits, count } = evaluation.falseAlarms;
  if (k < 1 || hits === 0 || hits / count <= alpha) return null;
  const a = Math.max(1, (k * (groups + 1)) / (n + 1));
  const p = atLeast(hits, count, a, groups + 1 - a);
  return p < SIGNIFICANCE / TESTS ? p : null;
}

/**
 * Chance of at least `hits` in `count` trials whose rate is Beta(a, b): the beta-binomial distribution, which the false
 * alarms of the conformal rule follow for exchangeable captures.
 */
function atLeast(hits: number, count: number, a: number, b: number): number {
  // From P(0) = B(a, count + b) / B(a, b), by the ratio of successive terms.
  let log = 0;
  for (let i = 0; i < count; i++) log += Math.log((b + i) / (a + b + i));
  let below = 0;
  for (let x = 0; x < hits; x++) {
    below += Math.exp(log);
    log += Math.log(((count - x) / (x + 1)) * ((a + x) / (count - x - 1 + b)));
  }
  return Math.max(0, 1 - below);
}

function promised(input: WarningInput): string | null {
  const { alpha, calibrationScores, calibrationGroups } = input;
  const { falseAlarms } = input.evaluation;
  if (alpha === null) return null;
  const n = calibrationScores.length;
  const k = conformalCount(alpha, n);
  if (k < 1) return null;
  const { low, high } = falseAlarmRange(k, n, calibrationGroups);
  const came = `${percent(falseAlarms.value)} came (${falseAlarms.hits} of ${falseAlarms.count})`;
  const range = `${percent(alpha)} false alarms were promised (90 % range with ${n} calibration images: ${percent(low)} to ${percent(high)}), ${came}`;
  const held = falseAlarms.value >= low && falseAlarms.value <= high;
  return held
    ? `The promised rate need not hold elsewhere: ${range}.`
    : `The promised rate will not hold: ${range}.`;
}
