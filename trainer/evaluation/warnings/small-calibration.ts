import { falseAlarmRange } from '../../../agent/inspect/falseAlarms.ts';
import { conformalCount } from '../../../agent/inspect/threshold.ts';
import type { Warning } from '../types.ts';
import { percent, type WarningInput } from './input.ts';

/** Fewer scores than this give no mean, deviation or quantile worth the name. */
const FEWEST = 20;
/** The promise says little when the realised rate may well be this many times what was promised. */
const TOO_FAR = 2;

/** Too few calibration images for what the threshold promises. */
export function smallCalibration(input: WarningInput): Warning | null {
  const { calibrationScores, calibrationGroups: groups, threshold, alpha } = input;
  const n = calibrationScores.length;
  if (alpha === null) {
    const { rule } = threshold.rule;
    if (n >= FEWEST || rule === 'fixed' || rule === 'f1') return null;
    return {
      code: 'small-calibration',
      severity: 'notable',
      message: `The threshold (rule ${rule}) rests on ${n} calibration images only.`,
      advice: `Calibrate with more good images: at least ${FEWEST}, better 100.`,
      figures: { calibration: n },
    };
  }
  const needed = Math.ceil(1 / alpha - 1 - 1e-9);
  const k = conformalCount(alpha, n);
  if (k < 1)
    return {
      code: 'small-calibration',
      severity: 'serious',
      message: `${n} calibration images cannot promise ${percent(alpha)} false alarms: that takes at least ${needed}.`,
      advice: `Calibrate with at least ${needed} good images, or promise no less than ${percent(1 / (n + 1))}.`,
      figures: { calibration: n, needed, promised: alpha },
    };
  const { low, high } = falseAlarmRange(k, n, groups);
  if (high <= TOO_FAR * alpha) return null;
  return {
    code: 'small-calibration',
    severity: 'notable',
    message: `With ${n} calibration images${groups < n ? ` in ${groups} groups` : ''} the promise of ${percent(alpha)} false alarms says little: in 90 of 100 such calibrations the true rate lies between ${percent(low)} and ${percent(high)}.`,
    advice: `Calibrate with more good images: about ${enough(alpha, groups)}${groups < n ? ' that are unlike each other' : ''} bring the upper end below ${percent(TOO_FAR * alpha)}.`,
    figures: { calibration: n, groups, promised: alpha, low, high },
  };
}

/** The next size, in steps of a tenth, at which the range is narrow enough. */
function enough(alpha: number, from: number): number {
  for (let n = from; ; n = Math.ceil(n * 1.1)) {
    const k = conformalCount(alpha, n);
    if (k >= 1 && falseAlarmRange(k, n).high <= TOO_FAR * alpha) return n;
  }
}
