/** Finds pictures that were saved again: at another quality, slightly cropped, brightened. */
import { quantile } from '../../../agent/inspect/quantile.ts';
import { randomFor, shuffled } from '../../random.ts';
import { alignedDistance, normalise, SIDE, smoothed, withoutCommon } from './alignment.ts';
import { upperNormalQuantile } from './two-sample.ts';

export interface Pictured {
  readonly group: string | null;
  readonly pictureSha256: string;
  readonly properties: { readonly thumbnail: Uint8Array };
}

export interface NearCopies<Q, R> {
  /** Each image of the queries that has a near copy, with the nearest. Distance: 1 - correlation. */
  readonly pairs: readonly { readonly query: Q; readonly of: R; readonly distance: number }[];
  /** Queries looked at; fewer than there are when a comparison of all would take too long. */
  readonly checked: number;
  /** Largest distance taken for a copy. */
  readonly limit: number;
}

/** Nothing further apart is a copy: correlation 0.985. */
const LIMIT = 0.015;
/** Whatever the domain, this is the same picture, saved again. */
const CLOSEST_LIMIT = 0.0005;
/** Grey levels below which a picture, or what sets it apart from the mean picture, is noise. */
const FAINT = 4;
/** Comparisons of two coarse pictures, and queries to align, that take a few seconds each. */
const MOST_COMPARISONS = 4e7;
const MOST_QUERIES = 1500;
/** References from which the distance between different pictures is learnt. */
const LEVEL_SAMPLE = 100;
/** A coarse distance beyond which no crop makes a copy: the search for the crop is saved. */
const FAR = 0.4;
/** Nearest pictures, coarsely seen, that are looked at closely. */
const CANDIDATES = 3;
/** Pictures from which a mean picture means something. */
const FEWEST_FOR_MEAN = 20;

/**
 * Near copies of `references` among `queries`. What all pictures share (the mean picture) is taken away first. In
 * domains where different pictures are very alike, such as digits, the limit is drawn closer: to where the
 * distances between pictures that are *not* copies would not reach by chance.
 */
export function findNearCopies<Q extends Pictured, R extends Pictured>(
  queries: readonly Q[],
  references: readonly R[],
  seed: number,
): NearCopies<Q, R> {
  if (queries.length === 0 || references.length === 0) return { pairs: [], checked: 0, limit: LIMIT };
  const most = Math.max(20, Math.min(MOST_QUERIES, Math.floor(MOST_COMPARISONS / references.length)));
  const sample = shuffled(queries, randomFor(seed, 'near-copies')).slice(0, most);
  const common = meanPicture([...references, ...sample]);
  const known = references.flatMap((item) => describe(item, common) ?? []);
  const wanted = sample.flatMap((item) => describe(item, common) ?? []);
  const found = wanted.flatMap((query) => nearest(query, known) ?? []);
  const others = shuffled(known, randomFor(seed, 'level'))
    .slice(0, LEVEL_SAMPLE)
    .flatMap((item) => nearest(item, known)?.distance ?? []);
  const limit = Math.max(
    limitFrom(
      found.map(({ distance }) => distance),
      sample.length,
    ),
    limitFrom(others, sample.length),
  );
  const pairs = found.filter(({ distance }) => distance <= limit).sort((a, b) => a.distance - b.distance);
  return { pairs, checked: sample.length, limit };

  function nearest(query: Described<Q | R>, among: readonly Described<R>[]) {
    const near: { other: Described<R>; distance: number }[] = [];
    for (const other of among) {
      const worst = near.length < CANDIDATES ? Number.POSITIVE_INFINITY : near.at(-1)!.distance;
      const distance = squaredDistance(query.coarse, other.coarse, worst);
      if (distance >= worst || other.item === query.item || isSame(other.item, query.item)) continue;
      near.push({ other, distance });
      near.sort((a, b) => a.distance - b.distance);
      near.length = Math.min(near.length, CANDIDATES);
    }
    const aligned = near.map(({ other, distance }) => ({
      query: query.item as Q,
      of: other.item,
      distance:
        distance / 2 > FAR // of unit vectors: half the squared distance is 1 - correlation
          ? distance / 2
          : alignedDistance(query.item.properties.thumbnail, other.item.properties.thumbnail, common),
    }));
    return aligned.sort((a, b) => a.distance - b.distance)[0] ?? null;
  }
}

/** Little is kept of each picture, so that tens of thousands fit. */
interface Described<T> {
  readonly item: T;
  /** Blocks of the normalised picture without what all share, float32 `[8, 8]`. */
  readonly coarse: Float32Array;
}

/** null for pictures that are blank, or the mean picture and nothing else. */
function describe<T extends Pictured>(item: T, common: Float32Array | null): Described<T> | null {
  const picture = smoothed(item.properties.thumbnail);
  const deviation = normalise(picture);
  if (deviation < FAINT || deviation * withoutCommon(picture, common) < FAINT) return null;
  return { item, coarse: blocks(picture) };
}

/** Sums of 4 x 4 pixels, scaled so that distances are at most those of the whole pictures. */
function blocks(picture: Float32Array): Float32Array {
  const coarse = new Float32Array(64);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) coarse[(y >> 2) * 8 + (x >> 2)]! += picture[y * SIDE + x]! / 4;
  return coarse;
}

/** Given up once it has reached `worst`. */
function squaredDistance(a: Float32Array, b: Float32Array, worst: number): number {
  let sum = 0;
  for (let from = 0; from < 64 && sum < worst; from += 16)
    for (let i = from; i < from + 16; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

function meanPicture(items: readonly Pictured[]): Float32Array | null {
  if (items.length < FEWEST_FOR_MEAN) return null;
  const mean = new Float32Array(SIDE * SIDE);
  for (const { properties } of items)
    for (let i = 0; i < mean.length; i++) mean[i]! += properties.thumbnail[i]! / items.length;
  return normalise(mean) < FAINT ? null : mean;
}

/** Identical pictures are found by their digest; two of one group are meant to be alike. */
function isSame(a: Pictured, b: Pictured): boolean {
  return a.pictureSha256 === b.pictureSha256 || (a.group !== null && a.group === b.group);
}

/**
 * Where the smallest of `count` distances would lie with a chance of 1 in 100, were their logarithms normal: centre and
 * spread from median and lowest tenth, which a few copies among them do not change.
 */
function limitFrom(distances: readonly number[], count: number): number {
  if (distances.length < FEWEST_FOR_MEAN) return LIMIT;
  const logs = distances.map((d) => Math.log(Math.max(d, 1e-9))).sort((a, b) => a - b);
  const centre = quantile(logs, 0.5);
  const spread = (centre - quantile(logs, 0.1)) / 1.2816;
  const reached = Math.exp(centre - upperNormalQuantile(0.01 / count) * spread);
  return Math.max(CLOSEST_LIMIT, Math.min(LIMIT, reached));
}
