/** What a threshold promises: false alarms, and how far the realised rate may lie from the promised one. */
import type { Manifest } from '../../config/bundle.ts';
import { judge } from './judge.ts';
import { conformalCount } from './threshold.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** What a threshold means for good captures like those it was calibrated on. */
export interface Meaning {
  /** Of the conformal rule: the rate promised, and where it lies in 90 of 100 calibrations of this size. */
  readonly falseAlarms: (Interval & { readonly promised: number }) | null;
  /** Calibration images that the threshold calls for review. */
  readonly called: number;
}

export function whatItMeans({
  threshold,
  calibration: { scores, groups = scores.length },
}: Pick<Manifest, 'threshold' | 'calibration'>): Meaning {
  const { rule } = threshold;
  const n = scores.length;
  return {
    falseAlarms:
      rule.rule === 'conformal'
        ? { promised: rule.alpha, ...falseAlarmRange(conformalCount(rule.alpha, n), n, groups) }
        : null,
    called: scores.filter((score) => judge(score, threshold, scores).verdict === 'review').length,
  };
}

/**
 * Quantile of Beta(a, b) for whole a, b >= 1: the a-th smallest of a + b - 1 uniform numbers. Its distribution function
 * at x is the chance of at least a successes in a + b - 1 trials of chance x (NIST DLMF 8.17.5), inverted by bisection.
 */
export function betaQuantile(probability: number, a: number, b: number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (atLeast(a, a + b - 1, middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Chance of at least `k` successes in `n` trials of chance `x`, 0 < x < 1. */
function atLeast(k: number, n: number, x: number): number {
  let logTerm = n * Math.log1p(-x); // log of the chance of no success
  let below = 0;
  for (let i = 0; i < k; i++) {
    below += Math.exp(logTerm);
    logTerm += Math.log((n - i) / (i + 1)) + Math.log(x) - Math.log1p(-x);
  }
  return 1 - below;
}

/**
 * Where the realised false-alarm rate of the conformal rule lies in 90 of 100 calibrations with `n` images: given the
 * calibration scores it is Beta(k, n + 1 - k) with k = floor(alpha (n + 1)) (Vovk 2012, proposition 2a). Images of one
 * group say hardly more than one of them: with fewer `groups` than images, as if there were that many images.
 */
export function falseAlarmRange(k: number, n: number, groups = n): Interval {
  const hits = Math.max(1, Math.round((k * (groups + 1)) / (n + 1)));
  return {
    low: betaQuantile(0.05, hits, groups + 1 - hits),
    high: betaQuantile(0.95, hits, groups + 1 - hits),
  };
}
