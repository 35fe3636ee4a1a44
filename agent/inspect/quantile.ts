/** Quantiles of what was measured. */

/** Quantile of ascending `sorted`, linear between order statistics (type 7 of Hyndman and Fan 1996). */
export function quantile(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}
