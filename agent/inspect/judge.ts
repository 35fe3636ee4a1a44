/** The one comparison of a score with a threshold. */
import type { Threshold } from '../../config/threshold.ts';
import type { Reason, VerdictWord } from '../../config/verdict.ts';
import { conformalP } from './threshold.ts';

export interface Judgement {
  readonly verdict: Exclude<VerdictWord, 'unscorable'>;
  readonly reason: Extract<Reason, 'above-threshold' | 'below-threshold'> | null;
  /** How rare so large a score is among good images, in (0, 1]. */
  readonly p: number;
}

/** Judges `score` by the threshold in force; `calibrationScores` ascending. */
export function judge(
  score: number,
  threshold: Pick<Threshold, 'lower' | 'upper'>,
  calibrationScores: readonly number[],
): Judgement {
  const p = conformalP(score, calibrationScores);
  if (score > threshold.upper) return { verdict: 'review', reason: 'above-threshold', p };
  if (threshold.lower !== null && score < threshold.lower)
    return { verdict: 'review', reason: 'below-threshold', p };
  return { verdict: 'pass', reason: null, p };
}
