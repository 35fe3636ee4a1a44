/** Divides good images for cross-validation: each fold is scored by a model that did not see it. */
import { smallestAlpha } from '../../agent/inspect/threshold.ts';
import type { ThresholdRule } from '../../config/threshold.ts';
import { TrainerError } from '../error.ts';
import { randomFor, shuffled } from '../random.ts';
import { calibrationNeeded } from './needed.ts';

export interface Folds {
  /** Indices of the images of each fold; fewer folds than asked for where there are fewer groups. */
  readonly folds: readonly (readonly number[])[];
  /** How many groups there are, and how many images the largest holds. */
  readonly groups: number;
  readonly largest: number;
}

/**
 * Folds of nearly equal size. Images of one key, and the two of each pair, belong together, and never lie in two folds:
 * the largest groups first, each goes to the fold that has the fewest by then.
 */
export function divideIntoFolds(
  keys: readonly string[],
  pairs: readonly (readonly [number, number])[],
  count: number,
  seed: number,
): Folds {
  const parents = [...keys.keys()];
  const root = (i: number): number => {
    let at = i;
    while (parents[at] !== at) at = parents[at]!;
    parents[i] = at;
    return at;
  };
  const join = (a: number, b: number) => {
    const [p, q] = [root(a), root(b)];
    parents[Math.max(p, q)] = Math.min(p, q);
  };
  const first = new Map<string, number>();
  for (const [i, key] of keys.entries()) {
    if (first.has(key)) join(i, first.get(key)!);
    else first.set(key, i);
  }
  for (const [a, b] of pairs) join(a, b);
  const groups = shuffled([...Map.groupBy(keys.keys(), root).values()], randomFor(seed, 'folds'));
  const folds: number[][] = Array.from({ length: Math.min(count, groups.length) }, () => []);
  for (const group of groups.toSorted((a, b) => b.length - a.length))
    folds.reduce((least, fold) => (fold.length < least.length ? fold : least)).push(...group);
  const largest = groups.reduce((most, group) => Math.max(most, group.length), 0);
  return { folds, groups: groups.length, largest };
}

/** @throws TrainerError when `images` distinct images are too few for the alpha of the threshold's rule. */
export function requireForFolds(images: number, copies: string, threshold: ThresholdRule): void {
  const needed = calibrationNeeded(threshold);
  if (images >= needed || threshold.rule !== 'conformal') return;
  throw new TrainerError(
    `alpha ${threshold.alpha} needs ${needed} good images, and there are ${images} distinct ones${copies}. The smallest alpha that can be had here is ${smallestAlpha(images)}: use --set threshold.alpha=${smallestAlpha(images)}, or give at least ${needed} good images.`,
  );
}
