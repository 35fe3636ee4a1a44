import type { Warning } from '../types.ts';
import type { WarningInput } from './input.ts';

/** The score ranks the wrong way round: its AUROC lies below one half, with its whole interval. */
export function invertedScore({ evaluation: { auroc } }: WarningInput): Warning | null {
  if (auroc === null || auroc.high >= 0.5) return null;
  return {
    code: 'inverted-score',
    severity: 'serious',
    message: `The score ranks the wrong way round: poor images tend to score lower than good ones (AUROC ${auroc.value.toFixed(3)}, 95 % interval ${auroc.low.toFixed(3)} to ${auroc.high.toFixed(3)}; chance is 0.5).`,
    advice:
      'Look first whether good and poor were swapped. If not, do not use this model, and do not turn its score round: what makes these poor images look usual to it (often that they are smoother) need not hold for the next. Train with another recipe or residual.',
    figures: { auroc: auroc.value, low: auroc.low, high: auroc.high },
  };
}

/** The interval of the AUROC holds one half: no ranking was shown. */
export function chanceScore({ evaluation: { auroc } }: WarningInput): Warning | null {
  if (auroc === null || auroc.low > 0.5 || auroc.high < 0.5) return null;
  return {
    code: 'chance-score',
    severity: 'serious',
    message: `The score does no better than chance as far as these images can tell (AUROC ${auroc.value.toFixed(3)}, 95 % interval ${auroc.low.toFixed(3)} to ${auroc.high.toFixed(3)}; chance is 0.5).`,
    advice:
      'Do not use this model for these faults. If the interval is wide, evaluate on more labelled images.',
    figures: { auroc: auroc.value, low: auroc.low, high: auroc.high },
  };
}
