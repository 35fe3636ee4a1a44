/** The trivial rule that stands nearest to the model, and whether the model is better than it. */
import type { Baseline, Evaluation } from '../evaluation/types.ts';

export interface KnownRule extends Baseline {
  readonly auroc: number;
  readonly caught: number;
}

/** The rule that catches most when it calls as many good images as the model, of equal ones that which ranks best; null: none was measured. */
export function nearestRule(baselines: readonly Baseline[]): KnownRule | null {
  return known(baselines).toSorted((a, b) => b.caught - a.caught || b.auroc - a.auroc)[0] ?? null;
}

/** The rule that ranks best; null: none was measured. */
export function bestRanking(baselines: readonly Baseline[]): KnownRule | null {
  return known(baselines).toSorted((a, b) => b.auroc - a.auroc)[0] ?? null;
}

/**
 * Whether some rule catches as much as the model at as many false alarms, or ranks as well. With two bounds only what is
 * caught counts: the ranking is of large scores alone.
 */
export function ruleDoesAsWell(
  { auroc, detection, baselines }: Pick<Evaluation, 'auroc' | 'detection' | 'baselines'>,
  twoSided: boolean,
): boolean {
  return known(baselines).some(
    (rule) => rule.caught >= detection.value || (!twoSided && auroc !== null && rule.auroc >= auroc.value),
  );
}

const known = (baselines: readonly Baseline[]): KnownRule[] =>
  baselines.flatMap(({ auroc, caught, ...rest }) =>
    auroc === null || caught === null ? [] : [{ ...rest, auroc, caught }],
  );
