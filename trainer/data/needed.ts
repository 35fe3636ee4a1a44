/** How many good images a threshold needs. */
import type { ThresholdRule } from '../../config/threshold.ts';

/** Calibration scores without which the rule cannot be had: alpha >= 1 / (n + 1). */
export function calibrationNeeded(rule: ThresholdRule): number {
  return rule.rule === 'conformal' ? Math.ceil(1 / rule.alpha - 1e-9) - 1 : 1;
}
