/** How far a rate that was counted, or promised, may lie from the true one. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Standard normal quantile of 0.975. */
const Z95 = 1.959963984540054;

/** 95 % interval of a proportion (Wilson 1927): `hits` of `count`. */
export function wilson(hits: number, count: number): Interval {
  if (count === 0) return { low: 0, high: 1 };
  const p = hits / count;
  const z2 = Z95 ** 2 / count;
  const centre = (p + z2 / 2) / (1 + z2);
  const half = (Z95 * Math.sqrt((p * (1 - p)) / count + z2 / count / 4)) / (1 + z2);
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
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
