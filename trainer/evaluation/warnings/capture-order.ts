import type { Warning } from '../types.ts';
import type { WarningInput } from './input.ts';
import { spearman } from './two-sample.ts';

const FEWEST = 20;
/** Weaker trends are no matter for the threshold, however significant. */
const LEAST_RHO = 0.3;
const SIGNIFICANCE = 0.005;

/** Scores of good test images rise or fall with the order in which they were captured. */
export function captureOrder({ images }: WarningInput): Warning | null {
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
  return {
    code: 'capture-order',
    severity: 'notable',
    message: `The score of good test images ${rho > 0 ? 'rises' : 'falls'} with the order of capture (rank correlation ${rho.toFixed(2)}, p ${p.toPrecision(1)}): something drifts.`,
    advice:
      'Look at the first and the last good images: a lamp, a lens, a setting or the operator may have changed. Calibrate on recent images, and watch the false alarms. If the times of these files say nothing about capture, this warning says nothing either.',
    figures: { rho, p, images: good.length },
  };
}
