/** The answer in a headline and three sentences, made from the figures. */
import type { Baseline, Rate } from '../evaluation/types.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import { counted, figure, ofHundred, share } from './numbers.ts';

/** `weak`: better than chance, but no better than a trivial rule. */
export type Usable = 'yes' | 'weak' | 'no' | 'unknown';

/** What the labelled images show. */
export function usable({ evaluation, calibration }: EvaluationMetrics): Usable {
  if (!evaluation?.auroc) return 'unknown';
  const { auroc, detection, falseAlarms } = evaluation;
  // A two-sided rule may catch what scores too small: its worth shows in what it calls, not in the ranking.
  if (calibration.threshold.lower !== null && auroc.low <= 0.5)
    return detection.low > falseAlarms.high ? 'yes' : 'no';
  if (auroc.low <= 0.5) return 'no';
  return (bestBaseline(evaluation.baselines)?.auroc ?? 0) >= auroc.value ? 'weak' : 'yes';
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
  if (usable(metrics) === 'yes') return 'It tells poor captures from good ones better than chance';
  if (usable(metrics) === 'weak') return 'It beats chance, but a trivial rule does as well or better';
  return evaluation.auroc.high < 0.5
    ? 'It ranks the wrong way round: poor captures look more normal to it than good ones. Do not use it'
    : 'It does not tell poor captures from good ones better than chance. Do not use it';
}

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
  if (count < 30) return `Of the ${count} ${label} test captures ${hits} ${is} ${done}.`;
  const number = ofHundred(value);
  const verb = number.endsWith(' 1') ? 'is' : 'are';
  return `Of 100 ${label} captures ${number} ${verb} ${done} (${hits} of ${count} in the test; 95 % interval ${share(low)} to ${share(high)}).`;
}

function aboutRules({ evaluation }: EvaluationMetrics): string {
  if (!evaluation?.auroc)
    return 'It could not be set beside trivial rules: that needs good and poor captures.';
  const { auroc, baselines } = evaluation;
  const best = bestBaseline(baselines);
  const shown = `Shown a good and a poor capture, it gives the poor one the higher score ${inHundred(auroc.value)} (AUROC ${figure(auroc.value, 2)})`;
  if (best === null) return `${shown}; no trivial rule could be set beside it.`;
  const rule = `${best.name.toLowerCase()} (${best.rule})`;
  if (best.auroc <= 0.5) return `${shown}; no trivial rule does better than chance.`;
  return best.auroc >= auroc.value
    ? `${shown}; a trivial rule does ${best.auroc > auroc.value ? 'better' : 'as well'}: ${rule}, ${inHundred(best.auroc)}.`
    : `${shown}; the nearest trivial rule, ${rule}, ${inHundred(best.auroc)}.`;
}

/** The trivial rule that ranks best; null: none could be measured. */
export function bestBaseline(baselines: readonly Baseline[]): (Baseline & { readonly auroc: number }) | null {
  const known = baselines.flatMap(({ auroc, ...rest }) => (auroc === null ? [] : [{ ...rest, auroc }]));
  return known.toSorted((a, b) => b.auroc - a.auroc)[0] ?? null;
}

const inHundred = (value: number): string => {
  if (value >= 1) return 'every time';
  if (value <= 0) return 'not once';
  return `${ofHundred(value)} ${ofHundred(value).endsWith(' 1') ? 'time' : 'times'} in 100`;
};

const hundred = (value: number): string => String(Number((value * 100).toPrecision(2)));
