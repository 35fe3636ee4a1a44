/** Tests for a difference between two samples, and for a trend: p-values by their large-sample distributions. */
import { auroc } from '../../statistics/auroc.ts';

/**
 * Two-sided p-value that one sample tends to larger values than the other (Mann and Whitney 1947): normal approximation
 * with corrections for ties and continuity. 1 when either is empty or all values are equal.
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): number {
  const n = a.length + b.length;
  if (a.length === 0 || b.length === 0) return 1;
  let ties = 0;
  for (const t of tieCounts([...a, ...b])) ties += t ** 3 - t;
  const variance = ((a.length * b.length) / 12) * (n + 1 - ties / (n * (n - 1)));
  if (!(variance > 0)) return 1;
  const distance = Math.abs(auroc(a, b) - 0.5) * a.length * b.length;
  return twoSided(Math.max(0, distance - 0.5) / Math.sqrt(variance));
}

/**
 * Largest distance between two empirical distributions, and its p-value (Kolmogorov 1933, Smirnov 1939; small-sample
 * term of Stephens 1970).
 */
export function kolmogorovSmirnov(
  a: readonly number[],
  b: readonly number[],
): { distance: number; p: number } {
  if (a.length === 0 || b.length === 0) return { distance: 0, p: 1 };
  const [x, y] = [a.toSorted((s, t) => s - t), b.toSorted((s, t) => s - t)];
  let distance = 0;
  for (let i = 0, j = 0; i < x.length && j < y.length; ) {
    const value = Math.min(x[i]!, y[j]!);
    while (i < x.length && x[i] === value) i++;
    while (j < y.length && y[j] === value) j++;
    distance = Math.max(distance, Math.abs(i / x.length - j / y.length));
  }
  const root = Math.sqrt((x.length * y.length) / (x.length + y.length));
  const lambda = (root + 0.12 + 0.11 / root) * distance;
  if (lambda < 0.3) return { distance, p: 1 }; // the series converges slowly there, to 1
  let p = 0;
  for (let k = 1; k <= 100; k++) p += 2 * (-1) ** (k - 1) * Math.exp(-2 * k * k * lambda * lambda);
  return { distance, p: Math.min(1, Math.max(0, p)) };
}

/** Rank correlation (Spearman 1904), and its two-sided p-value by the normal approximation. NaN-free: 0 for constants. */
export function spearman(a: readonly number[], b: readonly number[]): { rho: number; p: number } {
  const [x, y] = [ranks(a), ranks(b)];
  const middle = (a.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (const [i, rank] of x.entries()) {
    xy += (rank - middle) * (y[i]! - middle);
    xx += (rank - middle) ** 2;
    yy += (y[i]! - middle) ** 2;
  }
  if (xx === 0 || yy === 0) return { rho: 0, p: 1 };
  const rho = xy / Math.sqrt(xx * yy);
  return { rho, p: twoSided(Math.abs(rho) * Math.sqrt(a.length - 1)) };
}

/** Standard normal quantile of the upper tail: the z above which `p` of the mass lies, for 0 < p <= 0.5. */
export function upperNormalQuantile(p: number): number {
  let [low, high] = [0, 40];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (twoSided(middle) / 2 > p) low = middle;
    else high = middle;
  }
  return low;
}

/** Chance that a standard normal number lies further from 0 than z >= 0 (relative error below 1.2e-7: Press et al., erfcc). */
export function twoSided(z: number): number {
  const x = z / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const coefficients = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
    1.00002368, -1.26551223,
  ];
  const series = coefficients.reduce((sum, c) => sum * t + c, 0);
  return Math.min(1, t * Math.exp(-x * x + series));
}

/** From 1; equal values share their mean rank. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const result = new Array<number>(values.length);
  for (let i = 0; i < order.length; ) {
    let end = i;
    while (end < order.length && values[order[end]!] === values[order[i]!]) end++;
    for (let k = i; k < end; k++) result[order[k]!] = (i + 1 + end) / 2;
    i = end;
  }
  return result;
}

function tieCounts(values: readonly number[]): Iterable<number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts.values();
}
