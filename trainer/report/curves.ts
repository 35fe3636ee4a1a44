/** The curves that follow from the scores of labelled images. */

export interface CurvePoint {
  /** Share of good images called for review. */
  readonly falseAlarms: number;
  /** Share of poor images called for review: the recall. */
  readonly detection: number;
  /** Share of poor ones among those called; 1 when none is. */
  readonly precision: number;
}

/** More points than this cannot be told apart in a drawing. */
const MOST_POINTS = 400;

/**
 * One point for every distinct score as threshold (scores at or above it are called), from none called to all:
 * Fawcett 2006, algorithm 1. Thinned to a few hundred, first and last kept.
 */
export function operatingPoints(good: readonly number[], poor: readonly number[]): CurvePoint[] {
  const all = [...good.map((score) => ({ score, poor: 0 })), ...poor.map((score) => ({ score, poor: 1 }))];
  all.sort((a, b) => b.score - a.score);
  const points: CurvePoint[] = [{ falseAlarms: 0, detection: 0, precision: 1 }];
  let called = 0;
  let caught = 0;
  for (const [i, image] of all.entries()) {
    called++;
    caught += image.poor;
    if (all[i + 1]?.score === image.score) continue; // a tie is called together
    points.push({
      falseAlarms: (called - caught) / good.length,
      detection: caught / poor.length,
      precision: caught / called,
    });
  }
  return thinned(points);
}

/**
 * Quantiles of the share of false alarms counted on `images` good test images, when the `k`-th largest of `n`
 * calibration scores is the threshold: the count is beta-binomial, Beta(k, n + 1 - k) being the distribution of the
 * rate (Vovk 2012, proposition 2a).
 */
export function countedRange(
  k: number,
  n: number,
  images: number,
  probabilities: readonly [number, number],
): { low: number; high: number } {
  const [a, b] = [k, n + 1 - k];
  let logTerm = 0; // of no false alarm at all
  for (let i = 0; i < images; i++) logTerm += Math.log(b + i) - Math.log(a + b + i);
  const bounds: [number, number] = [0, 0];
  let below = 0;
  for (let x = 0; x <= images; x++) {
    if (x > 0) logTerm += Math.log(((images - x + 1) / x) * ((a + x - 1) / (b + images - x)));
    for (const side of [0, 1] as const) if (below < probabilities[side]) bounds[side] = x / images;
    below += Math.exp(logTerm);
  }
  return { low: bounds[0], high: bounds[1] };
}

function thinned(points: readonly CurvePoint[]): CurvePoint[] {
  if (points.length <= MOST_POINTS) return [...points];
  const step = (points.length - 1) / (MOST_POINTS - 1);
  return Array.from({ length: MOST_POINTS }, (_, i) => points[Math.round(i * step)]!);
}
