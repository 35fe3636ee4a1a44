/** How far a rate that was counted may lie from the true one. */
import type { Interval } from '../../agent/inspect/falseAlarms.ts';

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
