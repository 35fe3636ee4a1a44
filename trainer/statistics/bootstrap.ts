/** Percentile bootstrap (Efron 1979) of ranking figures, drawn by group: images of one patient are no independent evidence. */
import type { Interval } from '../../agent/inspect/falseAlarms.ts';
import { quantile } from '../../agent/inspect/quantile.ts';
import { randomFor } from '../random.ts';
import { figuresOf, type RankedImage, rank } from './ranking.ts';

export interface GroupedImage extends RankedImage {
  /** null: a group of its own. */
  readonly group: string | null;
}

export interface Estimated extends Interval {
  readonly value: number;
}

const RESAMPLES = 2000;

/** AUROC, average precision, and detection at each of `falseAlarms`, with 95 % intervals; both labels must be there. */
export function estimateRanking(
  images: readonly GroupedImage[],
  falseAlarms: readonly number[],
  seed: number,
): { auroc: Estimated; auprc: Estimated; detection: Estimated[] } {
  const ranking = rank(images);
  const whole = figuresOf(ranking, falseAlarms, new Uint8Array(images.length).fill(1));
  const drawn = resample(images, seed, (weight) => figuresOf(ranking, falseAlarms, weight));
  return {
    auroc: estimate(
      whole.auroc,
      drawn.map(({ auroc }) => auroc),
    ),
    auprc: estimate(
      whole.auprc,
      drawn.map(({ auprc }) => auprc),
    ),
    detection: falseAlarms.map((_, i) =>
      estimate(
        whole.detection[i]!,
        drawn.map(({ detection }) => detection[i]!),
      ),
    ),
  };
}

export interface Difference extends Estimated {
  /** Share of resamples on the side of zero that holds fewer of them, doubled: small when the difference is real. */
  readonly p: number;
}

/**
 * AUROC of `second` minus that of `first` on the same images: every resample draws the same groups for both, so that
 * what makes an image hard for both cancels out.
 * @param images `score` is that of the first model; `second` has those of the other, in the same order.
 */
export function differenceOfAuroc(
  images: readonly GroupedImage[],
  second: readonly number[],
  seed: number,
): Difference {
  const before = rank(images);
  const after = rank(images.map(({ poor }, i) => ({ poor, score: second[i]! })));
  const gain = (weight: ArrayLike<number>) =>
    figuresOf(after, [], weight).auroc - figuresOf(before, [], weight).auroc;
  const drawn = resample(images, seed, gain);
  const above = drawn.filter((d) => d > 0).length + drawn.filter((d) => d === 0).length / 2;
  const smaller = Math.min(above, drawn.length - above);
  return {
    ...estimate(gain(new Uint8Array(images.length).fill(1)), drawn, -1),
    // (b + 1) / (n + 1): never zero, as no finite number of resamples shows that (Davison and Hinkley 1997, 4.11).
    p: drawn.length === 0 ? 1 : Math.min(1, (2 * (smaller + 1)) / (drawn.length + 1)),
  };
}

/** Distinct groups among the images; null when no image has one. */
export function countGroups(images: readonly { readonly group: string | null }[]): number | null {
  const named = new Set<string>();
  let alone = 0;
  for (const { group } of images)
    if (group === null) alone++;
    else named.add(group);
  return named.size === 0 ? null : named.size + alone;
}

/**
 * Calls `figure` with how often each image was drawn. Groups are drawn with replacement and bring all their images. As
 * long as no group holds both labels, groups of good and groups of poor images are drawn separately (without groups:
 * the stratified bootstrap); else all together, and a draw that lacks one label is drawn again.
 * @returns nothing when there is but one group to draw from: of others it tells nothing.
 */
function resample<T>(images: readonly GroupedImage[], seed: number, figure: (weight: Uint16Array) => T): T[] {
  const { groupOf, labels, strata } = groupsOf(images);
  if (strata.some((groups) => groups.length < 2)) return [];
  const random = randomFor(seed, 'bootstrap');
  const times = new Uint16Array(labels.length);
  const weight = new Uint16Array(images.length);
  const results: T[] = [];
  while (results.length < RESAMPLES) {
    let drawn = 0;
    times.fill(0);
    for (const groups of strata)
      for (let i = 0; i < groups.length; i++) {
        const group = groups[Math.floor(random() * groups.length)]!;
        times[group]!++;
        drawn |= labels[group]!;
      }
    if (drawn !== BOTH) continue;
    for (let i = 0; i < weight.length; i++) weight[i] = times[groupOf[i]!]!;
    results.push(figure(weight));
  }
  return results;
}

const GOOD = 1;
const POOR = 2;
const BOTH = GOOD | POOR;

function groupsOf(images: readonly GroupedImage[]) {
  const numbers = new Map<string, number>();
  const labels: number[] = [];
  const groupOf = Int32Array.from(images, ({ group, poor }) => {
    const number = (group === null ? undefined : numbers.get(group)) ?? labels.push(0) - 1;
    if (group !== null) numbers.set(group, number);
    labels[number]! |= poor ? POOR : GOOD;
    return number;
  });
  const all = [...labels.keys()];
  const strata = labels.includes(BOTH)
    ? [all]
    : [GOOD, POOR].map((label) => all.filter((group) => labels[group] === label));
  return { groupOf, labels, strata: strata.map((groups) => Int32Array.from(groups)) };
}

/** When nothing could be drawn the interval is everything from `least` to 1. */
function estimate(value: number, drawn: readonly number[], least = 0): Estimated {
  if (drawn.length === 0) return { value, low: least, high: 1 };
  const sorted = drawn.toSorted((a, b) => a - b);
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}
