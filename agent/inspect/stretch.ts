/** Percentile stretch of contrast. */
import type { Preprocessing } from '../../config/preprocessing.ts';

/** How often each value occurs in `pixels`: 256 counts. */
export function histogram(pixels: Uint8Array): Uint32Array {
  const counts = new Uint32Array(256);
  for (const value of pixels) counts[value]! += 1;
  return counts;
}

/** The value of nearest rank: the smallest one that at least `percent` of all values, 0..100, do not exceed. */
export function percentile(counts: Uint32Array, percent: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const rank = Math.max(1, Math.ceil((percent / 100) * total - 1e-9));
  let below = 0;
  for (let value = 0; value < 255; value++) {
    below += counts[value]!;
    if (below >= rank) return value;
  }
  return 255;
}

/**
 * Maps the percentile `low` of all values to 0 and `high` to 255, in place; what lies beyond is clipped.
 * An image without contrast between the two stays as it is.
 */
export function stretch(pixels: Uint8Array, { low, high }: NonNullable<Preprocessing['stretch']>): void {
  const counts = histogram(pixels);
  const [from, to] = [percentile(counts, low), percentile(counts, high)];
  if (to <= from) return;
  const table = Uint8ClampedArray.from({ length: 256 }, (_, value) => (255 * (value - from)) / (to - from));
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[pixels[i]!]!;
}
