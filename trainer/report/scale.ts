/** Where the ticks and bins of a chart lie. */

/** 1, 2, 5 times powers of ten within the values; powers alone where these are more than `most`. */
export function logTicks(values: readonly number[], most: number): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const powers = Array.from({ length: 40 }, (_, i) => i - 20);
  const within = (steps: readonly number[]) =>
    powers.flatMap((k) => steps.map((s) => Number(`${s}e${k}`))).filter((t) => t >= low && t <= high);
  const fine = within([1, 2, 5]);
  return fine.length <= most ? fine : within([1]);
}

/**
 * Edges of about `count` bins of equal width on the scale that is drawn. One of them is the threshold itself, so that
 * just the bins to its right are called for review.
 */
export function binEdges(
  low: number,
  high: number,
  threshold: number,
  log: boolean,
  count: number,
): number[] {
  const [toScale, fromScale] = log ? [Math.log, Math.exp] : [(v: number) => v, (v: number) => v];
  const [from, to, middle] = [toScale(low), toScale(high), toScale(threshold)];
  const width = (to - from || Math.abs(to) || 1) / count;
  const below = Math.floor((middle - from) / width) + 1;
  const above = Math.max(1, Math.ceil((to - middle) / width));
  return Array.from({ length: below + above + 1 }, (_, i) =>
    i === below ? threshold : fromScale(middle + (i - below) * width),
  );
}
