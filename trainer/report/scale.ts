/** Where the ticks and bins of a chart lie. */

/** 1, 2, 5 times powers of ten within the values; powers alone where these are more than `most`. */
export function logTicks(values: readonly number[], most: number): number[] {
  const low = least(values);
  const high = greatest(values);
  const powers = Array.from({ length: 40 }, (_, i) => i - 20);
  const within = (steps: readonly number[]) =>
    powers.flatMap((k) => steps.map((s) => Number(`${s}e${k}`))).filter((t) => t >= low && t <= high);
  const fine = within([1, 2, 5]);
  if (fine.length <= most) return fine;
  const coarse = within([1]);
  return coarse.length >= 2 ? coarse : within([1, 3]);
}

/** More bins than this are too narrow to see. */
const MOST_BINS = 80;

/**
 * Edges of about `count` bins of equal width on the scale that is drawn. The upper bound is one of them, so that just
 * the bins to its right are called for review; so is the lower bound if there is one (then the bin that it falls into
 * is divided where no equal width fits both).
 */
export function binEdges(
  low: number,
  high: number,
  bounds: { readonly lower: number | null; readonly upper: number },
  log: boolean,
  count: number,
): number[] {
  const [toScale, fromScale] = log ? [Math.log, Math.exp] : [(v: number) => v, (v: number) => v];
  const [from, to, middle] = [toScale(low), toScale(high), toScale(bounds.upper)];
  const wanted = (to - from || Math.abs(to) || 1) / count;
  const between = bounds.lower === null ? 0 : middle - toScale(bounds.lower);
  const steps = Math.max(1, Math.round(between / wanted));
  const fits = between > 0 && (to - from) / (between / steps) <= MOST_BINS;
  const width = fits ? between / steps : wanted;
  const below = Math.max(Math.floor((middle - from) / width) + 1, fits ? steps : 0);
  const above = Math.max(1, Math.ceil((to - middle) / width));
  const edges = Array.from({ length: below + above + 1 }, (_, i) => {
    if (i === below) return bounds.upper;
    return fits && i === below - steps ? bounds.lower! : fromScale(middle + (i - below) * width);
  });
  if (bounds.lower === null || edges.includes(bounds.lower)) return edges;
  return [...edges, bounds.lower].sort((a, b) => a - b);
}

/** Of any number of values: spreading a hundred thousand into Math.min overflows the stack. */
export const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b));
export const greatest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b));
