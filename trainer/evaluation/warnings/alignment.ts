/** How alike two thumbnails are, apart from what all pictures of their kind share. */

export const SIDE = 32;
const PIXELS = SIDE * SIDE;
/** Largest crop looked for, as a share of the side. */
const LARGEST_CROP = 0.06;
/** Steps of the search for the crop, as shares of the side. */
const STEPS = [0.03, 0.015, 0.0075];
/** A pair further apart than this after the coarsest step is no copy: the finer ones are saved. */
const HOPELESS = 0.15;

/**
 * Smoothed: pixels of thumbnails alias, so that a crop by a fraction of one would change them much
 * (binomial 3 x 3, edges repeated).
 */
export function smoothed(thumbnail: Uint8Array): Float32Array {
  const at = (v: number) => Math.min(SIDE - 1, Math.max(0, v));
  const rows = new Float32Array(PIXELS);
  const out = new Float32Array(PIXELS);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      rows[y * SIDE + x] =
        (thumbnail[y * SIDE + at(x - 1)]! + 2 * thumbnail[y * SIDE + x]! + thumbnail[y * SIDE + at(x + 1)]!) /
        4;
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      out[y * SIDE + x] =
        (rows[at(y - 1) * SIDE + x]! + 2 * rows[y * SIDE + x]! + rows[at(y + 1) * SIDE + x]!) / 4;
  return out;
}

/** Of mean 0 and length 1, in place; returns the standard deviation it had. */
export function normalise(v: Float32Array): number {
  let mean = 0;
  for (let i = 0; i < PIXELS; i++) mean += v[i]!;
  mean /= PIXELS;
  let squares = 0;
  for (let i = 0; i < PIXELS; i++) {
    v[i]! -= mean;
    squares += v[i]! ** 2;
  }
  const length = Math.sqrt(squares) || 1;
  for (let i = 0; i < PIXELS; i++) v[i]! /= length;
  return length / SIDE;
}

/** The part of a normalised picture that `common` (normalised, or null) does not explain, of length 1, in place; returns its share of the length. */
export function withoutCommon(v: Float32Array, common: Float32Array | null): number {
  if (common === null) return 1;
  const along = dot(v, common);
  const length = Math.sqrt(Math.max(0, 1 - along ** 2)) || 1;
  for (let i = 0; i < PIXELS; i++) v[i] = (v[i]! - along * common[i]!) / length;
  return length;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < PIXELS; i++) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * 1 - correlation of two thumbnails, 0 for a copy, either one cropped so that it fits the other best: by at most 6 % of
 * its side. `common`: normalised picture whose part in both is taken away; null: none.
 */
export function alignedDistance(a: Uint8Array, b: Uint8Array, common: Float32Array | null): number {
  const distance = bestCrop(apart(a, common), smoothed(b), common);
  if (distance > HOPELESS) return distance;
  return Math.min(distance, bestCrop(apart(b, common), smoothed(a), common));
}

function apart(thumbnail: Uint8Array, common: Float32Array | null): Float32Array {
  const picture = smoothed(thumbnail);
  normalise(picture);
  withoutCommon(picture, common);
  return picture;
}

/** By coordinate descent over the four sides of the crop of `picture`. */
function bestCrop(query: Float32Array, picture: Float32Array, common: Float32Array | null): number {
  const warped = new Float32Array(PIXELS);
  const distance = (box: readonly number[]) => {
    crop(picture, box, warped);
    normalise(warped);
    withoutCommon(warped, common);
    return 1 - dot(query, warped);
  };
  let box: readonly number[] = [0, 0, 1, 1];
  let best = distance(box);
  for (const step of STEPS) {
    for (let moved = true, round = 0; moved && round < 6; round++) {
      moved = false;
      for (let side = 0; side < 4; side++)
        for (const move of [step, -step]) {
          const next = box.with(side, box[side]! + move);
          if (Math.abs(next[side]! - (side < 2 ? 0 : 1)) > LARGEST_CROP) continue;
          const d = distance(next);
          if (d < best) [best, box, moved] = [d, next, true];
        }
    }
    if (best > HOPELESS) break;
  }
  return best;
}

/** The part [left, top, right, bottom] of a picture (shares of its side; edges repeated beyond it), bilinear. */
function crop(picture: Float32Array, box: readonly number[], into: Float32Array): void {
  const [left, top, right, bottom] = box as [number, number, number, number];
  const place = (from: number, to: number, i: number) =>
    Math.max(0, Math.min(SIDE - 1, (from + ((to - from) * (i + 0.5)) / SIDE) * SIDE - 0.5));
  for (let y = 0; y < SIDE; y++) {
    const v = place(top, bottom, y);
    const y0 = Math.min(SIDE - 2, Math.floor(v));
    for (let x = 0; x < SIDE; x++) {
      const u = place(left, right, x);
      const x0 = Math.min(SIDE - 2, Math.floor(u));
      const at = y0 * SIDE + x0;
      const above = picture[at]! + (u - x0) * (picture[at + 1]! - picture[at]!);
      const below = picture[at + SIDE]! + (u - x0) * (picture[at + SIDE + 1]! - picture[at + SIDE]!);
      into[y * SIDE + x] = above + (v - y0) * (below - above);
    }
  }
}
