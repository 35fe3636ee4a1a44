/** The answer in a headline and three sentences, made from the figures. */
import type { Interval } from '../../agent/inspect/falseAlarms.ts';
import type { Evaluation, Rate } from '../evaluation/types.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import { counted, figure, ofHundred, share } from './numbers.ts';
import { bestRanking, type KnownRule, nearestRule, ruleDoesAsWell } from './rules.ts';

/** `weak`: better than chance, but no better than a trivial rule, or with a threshold of little use. */
export type Usable = 'yes' | 'weak' | 'no' | 'unknown';

/** A threshold that calls more of the good images than this, or catches fewer of the poor ones than that, is not praised. */
const MOST_ALARMS = 0.25;
const LEAST_CAUGHT = 0.5;

/** An interval that holds chance and this as well says nothing of the model: too few images do. */
const MAYBE_GOOD = 0.75;

/** What the labelled images show. With two bounds the balanced accuracy decides, and not the ranking by large scores. */
export function usable(metrics: EvaluationMetrics): Usable {
  const { evaluation } = metrics;
  if (!evaluation?.auroc) return 'unknown';
  const twoSided = isTwoSided(metrics);
  const low = twoSided ? balancedRange(evaluation).low : evaluation.auroc.low;
  if (low <= 0.5) return 'no';
  return ruleDoesAsWell(evaluation, twoSided) || thresholdFault(evaluation) !== null ? 'weak' : 'yes';
}

/** Whether scores that are too small are called as well. */
export const isTwoSided = ({ calibration }: EvaluationMetrics): boolean =>
  calibration.threshold.lower !== null;

/**
 * 95 % interval of the balanced accuracy: half of one and the difference of the two rates, whose interval joins their
 * Wilson intervals (Newcombe 1998, method 10).
 */
export function balancedRange({
  detection,
  falseAlarms,
}: Pick<Evaluation, 'detection' | 'falseAlarms'>): Interval {
  const difference = detection.value - falseAlarms.value;
  const below = Math.hypot(detection.value - detection.low, falseAlarms.high - falseAlarms.value);
  const above = Math.hypot(detection.high - detection.value, falseAlarms.value - falseAlarms.low);
  return { low: (1 + difference - below) / 2, high: (1 + difference + above) / 2 };
}

/** The verdict on the model, in one line. */
export function headline(metrics: EvaluationMetrics): string {
  const { evaluation } = metrics;
  const subject = 'training' in metrics ? 'Trained and calibrated' : 'Calibrated';
  if (evaluation === null) return `${subject}, not yet tested on poor captures`;
  if (evaluation.auroc === null) {
    if (evaluation.images.length === 0) return 'Not tested: not one labelled image could be scored';
    return `Tested on ${evaluation.detection.count === 0 ? 'good' : 'poor'} captures only: that shows little`;
  }
  const twoSided = isTwoSided(metrics);
  if (usable(metrics) === 'yes')
    return `It catches ${seen(evaluation.detection)} poor captures and calls ${seen(evaluation.falseAlarms)} good ones by mistake`;
  if (usable(metrics) === 'weak') {
    const fault = thresholdFault(evaluation);
    if (ruleDoesAsWell(evaluation, twoSided))
      return `It beats chance, but a trivial rule does as well or better${fault === null ? '' : `, and its threshold ${fault}`}`;
    return `${twoSided ? 'It beats chance' : 'It ranks poor above good'}, but its threshold ${fault}`;
  }
  const { high } = twoSided ? balancedRange(evaluation) : evaluation.auroc;
  if (high > MAYBE_GOOD)
    return 'The test is too small to show that it does better than chance. Do not use it yet';
  return !twoSided && high < 0.5
    ? 'It ranks the wrong way round: poor captures look more normal to it than good ones. Do not use it'
    : 'It does not tell poor captures from good ones better than chance. Do not use it';
}

/** What is wrong with the threshold, however well the scores rank; null: nothing. */
function thresholdFault({ detection, falseAlarms }: Evaluation): string | null {
  const calls = falseAlarms.value > MOST_ALARMS ? `calls ${some(falseAlarms)} good ones` : null;
  const misses = detection.value < LEAST_CAUGHT ? `catches only ${some(detection)} poor ones` : null;
  return calls !== null && misses !== null ? `${calls} and ${misses}` : (calls ?? misses);
}

/** `56 of 100`, of a small test what was counted: `7 of 12`. */
const some = ({ hits, count, value }: Rate): string =>
  count < SMALL ? `${hits} of ${count}` : `${ofHundred(value).replace('about ', '')} of 100`;

/** As `some`; what was never or always seen is told of the images that were there, and of no hundred. */
function seen(rate: Rate): string {
  const { hits, count } = rate;
  if (hits === 0) return `none of ${count}`;
  return hits === count ? `all ${count}` : some(rate);
}

/** Of fewer images a share in a hundred would promise more than was seen. */
const SMALL = 30;

/** Three sentences: what is called of good captures, what of poor ones, and what a trivial rule would do. */
export function conclude(metrics: EvaluationMetrics): [string, string, string] {
  return [aboutGood(metrics), aboutPoor(metrics), aboutRules(metrics)];
}

function aboutGood({ evaluation, calibration }: EvaluationMetrics): string {
  if (evaluation !== null && evaluation.falseAlarms.count > 0)
    return sentence(evaluation.falseAlarms, 'good', 'called for review');
  const { falseAlarms, images } = calibration;
  return falseAlarms === null
    ? 'How many good captures it calls for review by mistake is not known: it was tested on none, and its threshold promises no rate.'
    : `Of 100 good captures at most ${hundred(falseAlarms.promised)} should be called for review: so it was calibrated, on ${counted(images.length, 'image')}, but it was not tested.`;
}

function aboutPoor({ evaluation }: EvaluationMetrics): string {
  if (evaluation !== null && evaluation.detection.count > 0)
    return sentence(evaluation.detection, 'poor', 'caught');
  return 'Whether it finds poor captures is not known: give labelled test images of both kinds before relying on it.';
}

/** Small tests are counted, larger ones brought to 100; what was never or always seen is not called impossible or sure. */
function sentence({ hits, count, value, low, high }: Rate, label: string, done: string): string {
  if (count === 1) return `The one ${label} test capture is ${hits === 1 ? '' : 'not '}${done}.`;
  if (hits === 0)
    return `None of the ${count} ${label} test captures is ${done}; of 100 others up to ${Math.ceil(high * 100)} may be.`;
  if (hits === count)
    return `All ${count} ${label} test captures are ${done}; of 100 others at least ${Math.floor(low * 100)} should be.`;
  const is = hits === 1 ? 'is' : 'are';
  if (count < SMALL) return `Of the ${count} ${label} test captures ${hits} ${is} ${done}.`;
  const number = ofHundred(value);
  const verb = number.endsWith(' 1') ? 'is' : 'are';
  return `Of 100 ${label} captures ${number} ${verb} ${done} (${hits} of ${count} in the test; 95 % interval ${share(low)} to ${share(high)}).`;
}

function aboutRules(metrics: EvaluationMetrics): string {
  const { evaluation } = metrics;
  if (!evaluation?.auroc)
    return 'It could not be set beside trivial rules: that needs good and poor captures.';
  const { auroc, baselines } = evaluation;
  const rule = nearestRule(baselines);
  const aside = isTwoSided(metrics) ? ` ${aboutBounds(evaluation)}` : '';
  const own = figure(auroc.value, 2);
  if (rule === null)
    return `No trivial rule could be set beside it; it ranks poor above good with AUROC ${own} (1 is perfect, 0.5 is chance).${aside}`;
  const best = bestRanking(baselines)!;
  const another = best.auroc > rule.auroc ? `, ${named(best)} with ${figure(best.auroc, 2)}` : '';
  return `${aboutCatch(rule, evaluation)}; the model ranks poor above good with AUROC ${own} (1 is perfect, 0.5 is chance), that rule with ${figure(rule.auroc, 2)}${another}.${aside}`;
}

/** What the nearest rule would catch in place of the model. */
function aboutCatch(rule: KnownRule, { detection, falseAlarms }: Evaluation): string {
  const [which, compared] =
    rule.caught > detection.value
      ? ['A trivial rule', ', more than the model,']
      : ['The nearest trivial rule', rule.caught === detection.value ? ', just as many,' : ''];
  const when = falseAlarms.hits === 0 ? 'when it, too, calls no good one' : 'when it calls as many good ones';
  return `${which}, ${named(rule)}, catches ${catches(rule.caught, detection.count)}${compared} ${when}`;
}

function catches(caught: number, count: number): string {
  if (caught === 0) return 'none';
  if (caught === 1) return count === 1 ? 'it' : 'all';
  if (count < SMALL) return `${Number((caught * count).toFixed(1))} of the ${count}`;
  return `${ofHundred(caught)} of 100`;
}

function aboutBounds(evaluation: Evaluation): string {
  const { low, high } = balancedRange(evaluation);
  return `But AUROC is of large scores alone, and this bundle calls small ones as well: what it decides is judged by its balanced accuracy, ${share(evaluation.balancedAccuracy!)} (95 % interval ${share(low)} to ${share(high)}; chance is 50 %).`;
}

const named = ({ name, rule }: KnownRule): string => `${name.toLowerCase()} (${rule})`;

const hundred = (value: number): string => String(Number((value * 100).toPrecision(2)));
