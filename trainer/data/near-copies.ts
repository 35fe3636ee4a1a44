/** Finds pictures that are nearly the same: one saved again with other contrast, sharpening or compression. */
import { THUMBNAIL_SIDE } from './picture.ts';

/** Correlation of thumbnails, apart from the mean picture, above which two pictures are near copies. */
export const NEAR_COPY = 0.985;
/** Pictures from which a mean picture means something. */
const FEWEST_FOR_MEAN = 20;
/**
 * What sets a picture apart from the mean picture is no more than saving again leaves (JPEG from quality 30 on, scaling,
 * brightness: 1.5 grey levels, 0.06 of the picture), where its standard deviation is below both of these. Captures of the
 * sets that were looked at differ by 5 grey levels and 0.15 at least; dark ones may by few levels.
 */
const FAINT = { levels: 2, share: 0.1 };

const SIZE = THUMBNAIL_SIDE ** 2;
/** Side of the blocks whose means are compared first. */
const BLOCK = 8;
const BLOCKS = (THUMBNAIL_SIDE / BLOCK) ** 2;

/**
 * The cluster of each thumbnail, grey uint8 `[32, 32]`: near copies of near copies belong together. A cluster is named
 * by the index of its first thumbnail.
 *
 * What all pictures share is taken away first: a device that is mounted before one scene takes pictures that are alike
 * and yet no copies of each other.
 *
 * Exact, without comparing all pixels of all pairs: of two vectors of mean 0 and length 1 whose correlation is r, the
 * squared distance is 2 - 2r, and no orthogonal projection of them is farther apart. Projected onto the means of
 * blocks, and sorted by the first of these, most pairs are ruled out at once.
 */
export function nearCopies(thumbnails: readonly Uint8Array[]): number[] {
  const pictures = thumbnails.map((thumbnail) => normalise(thumbnail));
  const vectors =
    thumbnails.length < FEWEST_FOR_MEAN ? pictures.map(({ vector }) => vector) : withoutCommon(pictures);
  const coarse = vectors.map(blockMeans);
  const key = widestOf(coarse);
  const order = [...vectors.keys()].sort((a, b) => coarse[a]![key]! - coarse[b]![key]!);
  const limit = 2 - 2 * NEAR_COPY;
  const reach = Math.sqrt(limit);
  const parents = [...vectors.keys()];
  const root = (i: number): number => {
    let r = i;
    while (parents[r] !== r) r = parents[r]!;
    parents[i] = r;
    return r;
  };
  for (let a = 0; a < order.length; a++) {
    const i = order[a]!;
    for (let b = a + 1; b < order.length; b++) {
      const j = order[b]!;
      if (coarse[j]![key]! - coarse[i]![key]! > reach) break;
      if (distance(coarse[i]!, coarse[j]!, limit) >= limit) continue;
      if (distance(vectors[i]!, vectors[j]!, limit) >= limit) continue;
      const [p, q] = [root(i), root(j)];
      parents[Math.max(p, q)] = Math.min(p, q);
    }
  }
  return parents.map((_, i) => root(i));
}

interface Normalised {
  /** Mean 0, length 1; all 0 for a picture of one value, which is near nothing but its like. */
  readonly vector: Float32Array;
  /** Standard deviation of the values. */
  readonly deviation: number;
}

function normalise(values: ArrayLike<number>): Normalised {
  const vector = Float32Array.from(values);
  const mean = vector.reduce((sum, v) => sum + v, 0) / SIZE;
  const centred = vector.map((v) => v - mean);
  const length = Math.sqrt(dot(centred, centred));
  return {
    vector: length === 0 ? centred : centred.map((v) => v / length),
    deviation: length / Math.sqrt(SIZE),
  };
}

/** The part of each vector that their mean does not explain, of length 1; all 0 where it is faint. */
function withoutCommon(pictures: readonly Normalised[]): Float32Array[] {
  const sum = new Float32Array(SIZE);
  for (const { vector } of pictures) for (let i = 0; i < SIZE; i++) sum[i]! += vector[i]!;
  const { vector: common } = normalise(sum);
  return pictures.map(({ vector, deviation }) => {
    const along = dot(vector, common);
    const rest = vector.map((v, i) => v - along * common[i]!);
    const share = Math.sqrt(dot(rest, rest));
    const faint = share < FAINT.share && share * deviation < FAINT.levels;
    return faint ? rest.fill(0) : normalise(rest).vector;
  });
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < SIZE; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Projection onto blocks: their sums, over the square root of the pixels of a block. */
function blockMeans(vector: Float32Array): Float32Array {
  const sums = new Float32Array(BLOCKS);
  const across = THUMBNAIL_SIDE / BLOCK;
  for (let i = 0; i < SIZE; i++) {
    const [x, y] = [i % THUMBNAIL_SIDE, Math.floor(i / THUMBNAIL_SIDE)];
    sums[Math.floor(y / BLOCK) * across + Math.floor(x / BLOCK)]! += vector[i]! / BLOCK;
  }
  return sums;
}

/** The coordinate that differs most among `vectors`. */
function widestOf(vectors: readonly Float32Array[]): number {
  let best = 0;
  let widest = -1;
  for (let k = 0; k < BLOCKS; k++) {
    const mean = vectors.reduce((sum, v) => sum + v[k]!, 0) / vectors.length;
    const variance = vectors.reduce((sum, v) => sum + (v[k]! - mean) ** 2, 0);
    if (variance > widest) [best, widest] = [k, variance];
  }
  return best;
}

/** Squared; gives up, with some number of at least `limit`, once the sum has reached it. */
function distance(a: Float32Array, b: Float32Array, limit: number): number {
  let sum = 0;
  for (let start = 0; start < a.length && sum < limit; start += 16)
    for (let i = start; i < start + 16; i++) {
      const d = a[i]! - b[i]!;
      sum += d * d;
    }
  return sum;
}
