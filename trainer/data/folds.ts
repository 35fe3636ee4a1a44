/** Divides good images for cross-validation: each fold is scored by a model that did not see it. */
import { smallestAlpha } from '../../agent/inspect/threshold.ts';
import type { ThresholdRule } from '../../config/threshold.ts';
import { TrainerError } from '../error.ts';
import { calibrationNeeded } from './needed.ts';

/**
 * `count` folds of nearly equal size, or fewer when there are fewer groups. Whole groups, the largest first, each to the
 * fold that has the fewest by then.
 */
export function fillFolds<T>(groups: readonly (readonly T[])[], count: number): T[][] {
  const folds: T[][] = Array.from({ length: Math.min(count, groups.length) }, () => []);
  for (const group of groups.toSorted((a, b) => b.length - a.length))
    folds.reduce((least, fold) => (fold.length < least.length ? fold : least)).push(...group);
  return folds;
}

/** @throws TrainerError when `images` distinct images are too few for the alpha of the threshold's rule. */
export function requireForFolds(images: number, copies: string, threshold: ThresholdRule): void {
  const needed = calibrationNeeded(threshold);
  if (images >= needed || threshold.rule !== 'conformal') return;
  throw new TrainerError(
    `alpha ${threshold.alpha} needs ${needed} good images, and there are ${images} distinct ones${copies}. The smallest alpha that can be had here is ${smallestAlpha(images)}: use --set threshold.alpha=${smallestAlpha(images)}, or give at least ${needed} good images.`,
  );
}
