/** Squared distance of each picture to the nearest of many others, exactly and without trying them all. */

/** Neighbouring pixels whose sums stand for them in a first look. */
const RUN = 16;

/**
 * Pictures are uint8 of one length. Where two sums of n pixels differ by d, these pixels lie at least d^2 / n apart
 * (Cauchy and Schwarz). So those to search are sorted by their sum, a search goes outwards from the own sum and ends when
 * the bound does, and on the way the sums of short runs of pixels tell which pictures need no look at every pixel.
 */
export function nearestDistances(pictures: readonly Uint8Array[], among: readonly Uint8Array[]): number[] {
  const sorted = among
    .map((pixels) => ({ pixels, runs: sumsOf(pixels), sum: sumOf(pixels) }))
    .sort((a, b) => a.sum - b.sum);
  return pictures.map((picture) => {
    const sum = sumOf(picture);
    const runs = sumsOf(picture);
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
      const other = sorted[below < above ? left-- : right++]!;
      if (distanceOfRuns(runs, other.runs) < best)
        best = Math.min(best, squaredDistance(picture, other.pixels));
    }
  });
}

function squaredDistance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const d = a[i]! - b[i]!;
    sum += d * d;
  }
  return sum;
}

/** At most the squared distance. A function of its own: for two kinds of arrays in one, V8 makes slow code. */
function distanceOfRuns(a: Uint16Array, b: Uint16Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const d = a[i]! - b[i]!;
    sum += d * d;
  }
  return sum / RUN;
}

const sumOf = (pixels: Uint8Array): number => pixels.reduce((sum, v) => sum + v, 0);

/** The last run may be shorter: its bound then is smaller than need be, and still one. */
function sumsOf(pixels: Uint8Array): Uint16Array {
  const sums = new Uint16Array(Math.ceil(pixels.length / RUN));
  for (let i = 0; i < pixels.length; i++) sums[Math.floor(i / RUN)]! += pixels[i]!;
  return sums;
}
