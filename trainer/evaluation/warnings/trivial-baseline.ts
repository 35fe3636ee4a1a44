import type { Warning } from '../types.ts';
import type { WarningInput } from './input.ts';

/** A trivial rule, its direction fixed beforehand, ranks at least as well as the model. */
export function trivialBaseline({ evaluation: { auroc, baselines } }: WarningInput): Warning | null {
  if (auroc === null) return null;
  const known = baselines.flatMap(({ name, rule, auroc: value }) =>
    value === null ? [] : [{ name, rule, value }],
  );
  const asGood = known.filter(({ value }) => value >= auroc.value).sort((a, b) => b.value - a.value);
  const best = asGood[0];
  if (best === undefined) return null;
  const others = asGood.length - 1;
  return {
    code: 'trivial-baseline',
    severity: 'serious',
    message: `A trivial rule is as good as the model or better: ${best.name} ("${best.rule}") reaches AUROC ${best.value.toFixed(3)}, the model ${auroc.value.toFixed(3)}${others > 0 ? `; ${others} more of ${known.length} rules reach the model as well` : ''}.`,
    advice:
      'The model has not shown that it sees more than this rule. Take a recipe that beats it, or use the rule itself; on poor images of other kinds the order may differ.',
    figures: { rule: best.name, baseline: best.value, auroc: auroc.value, rules: asGood.length },
  };
}
