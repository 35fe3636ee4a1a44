/** Where the threshold comes from, and what it promises, in words. */
import type { Threshold } from '../../config/threshold.ts';
import type { EvaluationMetrics, Metrics } from '../metrics.ts';
import { counted, share, short } from './numbers.ts';

/** A few sentences; each rule of config/threshold.ts has its own. */
export function thresholdOrigin(metrics: EvaluationMetrics | Metrics): string {
  const { images, falseAlarms, threshold, called } = metrics.calibration;
  const from = `${counted(images.length, 'good image')} ${unseen(metrics)}`;
  const origin = describeRule(threshold, from, called);
  return falseAlarms === null
    ? `${origin} This rule promises no false-alarm rate.`
    : `${origin} On average at most ${share(falseAlarms.promised)} of good captures like those are called for review by mistake; of this very bundle the rate lies, 9 times in 10, between ${share(falseAlarms.low)} and ${share(falseAlarms.high)}.`;
}

/** Each image is scored by a model that did not train on it: the bundle's, or that of the fold without the image. */
function unseen(metrics: EvaluationMetrics | Metrics): string {
  const folded = 'training' in metrics && metrics.recipe.split.folds !== undefined;
  return folded ? 'each scored by a model that training did not show it' : 'that training never saw';
}

function describeRule({ rule, lower }: Omit<Threshold, 'revision'>, from: string, called: number): string {
  const calls = `${called} of ${from} ${called === 1 ? 'is' : 'are'} called for review by it`;
  const device = "with the device's own code";
  const scores = `the scores of ${from}, ${device}`;
  switch (rule.rule) {
    case 'f1':
      return `The threshold was tuned on labelled images: it is where F1 is highest; ${calls}.`;
    case 'fixed':
      return `The threshold was fixed by hand; ${calls}.`;
    case 'conformal':
      return `The threshold comes from ${scores}.`;
    case 'quantile':
      return `The threshold is the ${rule.q} quantile of ${scores}.`;
    case 'mean-std':
      return `The threshold is the mean ${deviations(rule.k)} of ${scores}.`;
    case 'mad':
      return `The threshold is the median ${deviations(rule.k, 'robust ')} (1.4826 times the median absolute deviation) of ${scores}.`;
    case 'z-score':
      return lower === null
        ? `The threshold is the mean ${deviations(rule.k)} of ${scores}.`
        : `The bounds are the mean plus and minus ${plain(rule.k)} of ${scores}.`;
  }
}

const deviations = (k: number, kind = ''): string =>
  `${k < 0 ? 'minus' : 'plus'} ${plain(Math.abs(k), kind)}`;

const plain = (k: number, kind = ''): string => `${short(k)} ${kind}standard deviation${k === 1 ? '' : 's'}`;
