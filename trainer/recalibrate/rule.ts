/** The rule of a threshold, changed on the command line. */
import { ConfigError } from '../../config/errors.ts';
import { type ThresholdRule, thresholdRule } from '../../config/threshold.ts';
import { applyChanges, type Change } from '../recipe-keys.ts';

/** @throws ConfigError for a key that is none of a threshold, or a value that does not fit. */
export function changeRule(rule: ThresholdRule, changes: readonly Change[]): ThresholdRule {
  const other = changes.find(({ key }) => !key.startsWith('threshold.'));
  if (other !== undefined)
    throw new ConfigError(
      `--set ${other.key}: a recalibration keeps the weights and what they were trained with. Only keys of the threshold can be set, such as threshold.alpha or threshold.rule.`,
    );
  const recipe: { threshold: unknown } = { threshold: { ...rule } };
  applyChanges(recipe, changes);
  const parsed = thresholdRule.safeParse(recipe.threshold);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ConfigError(`--set ${['threshold', ...issue.path].join('.')}: ${issue.message}.`);
}
