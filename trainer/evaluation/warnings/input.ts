/** What warnings are found from. */
import type { Threshold } from '../../../config/threshold.ts';
import type { RefusedImage } from '../../data/load.ts';
import type { Evaluation, Reference, ScoredImage, Warning } from '../types.ts';

export interface WarningInput {
  /** The labelled test images. */
  readonly images: readonly ScoredImage[];
  readonly refused: readonly RefusedImage[];
  readonly evaluation: Pick<Evaluation, 'auroc' | 'baselines' | 'falseAlarms' | 'orderedBy'>;
  readonly threshold: Threshold;
  /** As in the bundle. */
  readonly calibrationScores: readonly number[];
  /** That the calibration images form; as many as there are scores where each stands alone. */
  readonly calibrationGroups: number;
  /** null: the images that the model was made from are not at hand; what needs them stays unsaid. */
  readonly reference: Reference | null;
  /** Share of false alarms that the bundle promises; null: its rule promises none. */
  readonly alpha: number | null;
  readonly seed: number;
}

/** Looks for one flaw: null when it is not there, or cannot be told. */
export type FindWarning = (input: WarningInput) => Warning | null;

export function percent(share: number): string {
  const value = 100 * share;
  return `${value === 0 || value >= 9.95 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** `1 image`, `2 images`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** The mean of a measure for each group, so that many pictures of one patient weigh as one; images without a group stand alone. */
export function meanByGroup<T extends { readonly group: string | null }>(
  items: readonly T[],
  measure: (item: T) => number,
): number[] {
  const groups = new Map<string | T, { sum: number; count: number }>();
  for (const item of items) {
    const key = item.group ?? item;
    const total = groups.get(key) ?? { sum: 0, count: 0 };
    groups.set(key, { sum: total.sum + measure(item), count: total.count + 1 });
  }
  return [...groups.values()].map((total) => total.sum / total.count);
}
