/** Squared distance of each picture to the nearest of many others, exactly and without trying them all. */

/** Pixels after which a distance is compared with the best one so far. */
const STRIDE = 128;

/**
 * Pictures are uint8 of one length. Those to search are sorted by their sum: two pictures whose sums differ by d lie at
 * least d^2 / length apart (Cauchy and Schwarz), so that a search goes outwards from the own sum and soon ends.
 */
export function nearestDistances(pictures: readonly Uint8Array[], among: readonly Uint8Array[]): number[] {
  const sorted = among.map((pixels) => ({ pixels, sum: sumOf(pixels) })).sort((a, b) => a.sum - b.sum);
  return pictures.map((picture) => {
    const sum = sumOf(picture);
    let right = sorted.findIndex((other) => other.sum >= sum);
    if (right < 0) right = sorted.length;
    let left = right - 1;
    let best = Number.POSITIVE_INFINITY;
    const bound = (place: number) =>
      place < 0 || place >= sorted.length
        ? Number.POSITIVE_INFINITY
        : (sorted[place]!.sum - sum) ** 2 / picture.length;
    for (;;) {
      const [below, above] = [bound(left), bound(right)];
      if (Math.min(below, above) >= best) return best;
      const place = below < above ? left-- : right++;
      best = Math.min(best, squaredDistance(picture, sorted[place]!.pixels, best));
    }
  });
}

/** Gives up, with some number of at least `limit`, once the sum has reached it. */
function squaredDistance(a: Uint8Array, b: Uint8Array, limit: number): number {
  let sum = 0;
  for (let start = 0; start < a.length && sum < limit; start += STRIDE) {
    const end = Math.min(start + STRIDE, a.length);
    for (let i = start; i < end; i++) {
      const d = a[i]! - b[i]!;
      sum += d * d;
    }
  }
  return sum;
}

const sumOf = (pixels: Uint8Array): number => pixels.reduce((sum, v) => sum + v, 0);
