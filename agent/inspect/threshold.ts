/** Derives the bounds of a threshold from calibration scores. Where they are applied: judge.ts. */
import { ConfigError } from '../../config/errors.ts';
import type { ThresholdRule } from '../../config/threshold.ts';
import { quantile } from './quantile.ts';

export interface Bounds {
  /** Scores below are called for review; null: no lower bound. */
  readonly lower: number | null;
  /** Scores above are called for review. */
  readonly upper: number;
}

/**
 * Bounds that `rule` gives on `scores` (ascending, at least one).
 * @throws ConfigError when the rule cannot be had with so few scores; names the smallest possible alpha.
 */
export function deriveBounds(rule: ThresholdRule, scores: readonly number[]): Bounds {
  const n = scores.length;
  switch (rule.rule) {
    case 'conformal': {
      // Vovk et al. 2005: review when p = (1 + #{calibration >= s}) / (n + 1) <= alpha, that is when fewer than
      // floor(alpha (n + 1)) calibration scores are at least s, that is when s exceeds that many-th largest of them.
      const count = conformalCount(rule.alpha, n);
      if (count < 1)
        throw new ConfigError(
          `alpha ${rule.alpha} cannot be had from ${n} calibration scores: the smallest possible is ${smallestAlpha(n)}. Use that, or calibrate on at least ${Math.ceil(1 / rule.alpha - 1e-9) - 1} good images.`,
        );
      return { lower: null, upper: scores[n - count]! };
    }
    case 'mean-std': {
      const { mean, deviation } = moments(scores);
      return { lower: null, upper: mean + rule.k * deviation };
    }
    case 'z-score': {
      const { mean, deviation } = moments(scores);
      return { lower: mean - rule.k * deviation, upper: mean + rule.k * deviation };
    }
    case 'mad': {
      const centre = quantile(scores, 0.5);
      const distances = scores.map((s) => Math.abs(s - centre)).sort((a, b) => a - b);
      // 1.4826: makes it the standard deviation of a normal distribution (Rousseeuw and Croux 1993).
      return { lower: null, upper: centre + rule.k * 1.4826 * quantile(distances, 0.5) };
    }
    case 'quantile':
      return { lower: null, upper: quantile(scores, rule.q) };
    case 'fixed':
      return { lower: null, upper: rule.value };
    case 'f1':
      throw new ConfigError(
        'The rule f1 needs labelled images, and calibration scores are of good ones only: train with labelled images (--good and --bad), or use another rule, such as conformal.',
      );
  }
}

function moments(scores: readonly number[]): { mean: number; deviation: number } {
  const mean = scores.reduce((sum, s) => sum + s, 0) / scores.length;
  const variance = scores.reduce((sum, s) => sum + (s - mean) ** 2, 0) / scores.length;
  return { mean, deviation: Math.sqrt(variance) };
}

/** Smallest alpha that the conformal rule can promise with `n` calibration scores, rounded up to four digits. */
export function smallestAlpha(n: number): number {
  return Math.ceil((1 / (n + 1)) * 1e4) / 1e4;
}

/** floor(alpha (n + 1)), safe against 0.05 * 20 = 1.0000000000000002 and its likes below 1. */
export function conformalCount(alpha: number, n: number): number {
  return Math.floor(alpha * (n + 1) + 1e-9);
}

/** p = (1 + #{calibration >= score}) / (n + 1), in (0, 1]. `scores` ascending. */
export function conformalP(score: number, scores: readonly number[]): number {
  let low = 0;
  let high = scores.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (scores[middle]! >= score) high = middle;
    else low = middle + 1;
  }
  return (1 + scores.length - low) / (scores.length + 1);
}
