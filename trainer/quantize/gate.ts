/** Whether a bundle in integers may take the place of that in float32: by its verdicts on images that trained neither. */
import type { VerdictWord } from '../../config/verdict.ts';
import type { Label } from '../data/sample.ts';
import { type Difference, differenceOfAuroc } from '../statistics/bootstrap.ts';
import { wilson } from '../statistics/rates.ts';

/** Share of verdicts that may change. */
export const MOST_CHANGED = 0.005;

/** Most that the AUROC may fall. */
export const MOST_LOST = 0.01;

interface Judged {
  readonly score: number;
  readonly verdict: VerdictWord;
}

/** One image, judged by both bundles, each at its own threshold. */
export interface Pair {
  readonly label: Label;
  readonly group: string | null;
  /** Part of the test; else a calibration image. */
  readonly tested: boolean;
  readonly float: Judged;
  readonly quantized: Judged;
}

export interface Gate {
  /**
   * Verdicts compared, how many of them on test images (the others are on those that set both thresholds), and those that
   * changed, with the 95 % interval (Wilson) of the share.
   */
  readonly verdicts: {
    readonly compared: number;
    readonly tested: number;
    readonly changed: number;
    readonly low: number;
    readonly high: number;
  };
  /** AUROC in integers minus that in float32 on the test images; null: they are not of both labels. */
  readonly auroc: Difference | null;
  /** Why it is refused, each as the end of a sentence; none: it passes. */
  readonly refusals: readonly string[];
}

/**
 * Refuses what is shown to be worse, and not what chance alone explains: a share of changed verdicts whose interval lies
 * above `MOST_CHANGED`, or an AUROC that falls by more than `MOST_LOST`, with an interval below zero.
 */
export function judgeQuantized(pairs: readonly Pair[], seed: number): Gate {
  const compared = pairs.length;
  const changed = pairs.filter(({ float, quantized }) => float.verdict !== quantized.verdict).length;
  const tested = pairs.filter((pair) => pair.tested);
  const verdicts = { compared, tested: tested.length, changed, ...wilson(changed, compared) };
  const auroc = lossOfAuroc(tested, seed);
  const refusals: string[] = [];
  if (verdicts.low > MOST_CHANGED)
    refusals.push(`${changed} of ${compared} verdicts change, and ${100 * MOST_CHANGED} % of them may`);
  if (auroc !== null && auroc.value < -MOST_LOST && auroc.high < 0)
    refusals.push(`the AUROC falls by ${(-auroc.value).toFixed(3)}, and ${MOST_LOST} is allowed`);
  return { verdicts, auroc, refusals };
}

/** Which images were compared, for people. Those that set both thresholds are a weak test: each has its own share of them. */
export function comparedOn({ compared, tested }: Gate['verdicts']): string {
  if (tested === 0)
    return 'on the images that set both thresholds, a weak test: give labelled images (--good, --bad)';
  return `on ${tested} labelled images and the ${compared - tested} that set both thresholds`;
}

function lossOfAuroc(tested: readonly Pair[], seed: number): Difference | null {
  const labels = new Set(tested.map(({ label }) => label));
  if (labels.size < 2) return null;
  const images = tested.map(({ label, group, float }) => ({
    group,
    poor: label === 'poor',
    score: float.score,
  }));
  return differenceOfAuroc(
    images,
    tested.map(({ quantized }) => quantized.score),
    seed,
  );
}
