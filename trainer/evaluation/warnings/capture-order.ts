import type { Evaluation, Warning } from '../types.ts';
import type { WarningInput } from './input.ts';
import { spearman } from './two-sample.ts';

const FEWEST = 20;
/** Weaker trends are no matter for the threshold, however significant. */
const LEAST_RHO = 0.3;
const SIGNIFICANCE = 0.005;

/** By what the order is known, and when that tells nothing. */
const KNOWN_BY: Readonly<Record<Evaluation['orderedBy'], { readonly by: string; readonly unless: string }>> =
  {
    capture: {
      by: 'by the times of capture within the files',
      unless: 'the clock of the device was not set',
    },
    modification: {
      by: 'by the times of modification of the files',
      unless: 'the files were changed or copied since',
    },
    name: { by: 'by the names of the files', unless: 'the names do not follow the order of capture' },
  };

/** Scores of good test images rise or fall with the order in which they were captured. */
export function captureOrder({ images, evaluation }: WarningInput): Warning | null {
  const good = images.filter(({ label }) => label === 'good');
  const groups = Map.groupBy(good, (image) => image.group ?? image);
  if (groups.size < FEWEST) return null;
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const each = [...groups.values()];
  const { rho, p } = spearman(
    each.map((members) => mean(members.map(({ order }) => order))),
    each.map((members) => mean(members.map(({ score }) => score))),
  );
  if (Math.abs(rho) <= LEAST_RHO || p >= SIGNIFICANCE) return null;
  const { by, unless } = KNOWN_BY[evaluation.orderedBy];
  return {
    code: 'capture-order',
    severity: 'notable',
    message: `The score of good test images ${rho > 0 ? 'rises' : 'falls'} with the order of capture, known ${by} (rank correlation ${rho.toFixed(2)}, p ${p.toPrecision(1)}): something drifts.`,
    advice: `Look at the first and the last good images: a lamp, a lens, a setting or the operator may have changed. Calibrate on recent images, and watch the false alarms. If ${unless}, this warning says nothing.`,
    figures: { rho, p, images: good.length, orderedBy: evaluation.orderedBy },
  };
}
