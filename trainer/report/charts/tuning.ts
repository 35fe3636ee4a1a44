/** Precision, recall and F1 over all thresholds on the tuning half, with the one that was chosen. */
import * as Plot from '@observablehq/plot';
import type { Tuning } from '../../metrics.ts';
import { chart, legend } from '../chart.ts';
import { type Html, html } from '../html.ts';
import { counted, figure, short } from '../numbers.ts';
import { greatest, least, logTicks } from '../scale.ts';

const LINES = [
  { key: 'precision', name: 'Precision', color: 'var(--muted)' },
  { key: 'recall', name: 'recall', color: 'var(--poor)' },
  { key: 'f1', name: 'F1', color: 'var(--good)' },
] as const;

export function tuningChart({ sweep, chosen, good, poor }: Tuning): Html {
  const points = sweep.flatMap((step) =>
    LINES.map(({ key, color }) => ({ threshold: step.threshold, value: step[key], color })),
  );
  const all = [...sweep.map(({ threshold }) => threshold), chosen.threshold];
  const log = least(all) > 0 && greatest(all) > 12 * least(all);
  return chart({
    label: `Precision, recall and F1 over the threshold. F1 is highest, ${figure(chosen.f1, 2)}, at the threshold ${short(chosen.threshold)}, which was chosen.`,
    caption: html`${LINES.map(({ name, color }, i) => [i === 0 ? '' : i === 1 ? ', ' : ' and ', legend(name, color)])}
      at every threshold${log ? ' (logarithmic scale)' : ''}, on the tuning half of the labelled images
      (${counted(good, 'good one')}, ${counted(poor, 'poor one')}). The threshold ${short(chosen.threshold)} was chosen
      there, where F1 is ${figure(chosen.f1, 2)}; all other figures on this page are of the other half, which chose
      nothing.`,
    draw: (narrow) => ({
      height: narrow ? 260 : 310,
      marginBottom: 44,
      marginTop: 30,
      x: {
        type: log ? 'log' : 'linear',
        label: 'threshold',
        labelOffset: 40,
        ticks: log ? logTicks(all, narrow ? 5 : 12) : narrow ? 4 : 8,
        tickFormat: (value: number) => short(value),
      },
      y: { domain: [0, 1], label: null, ticks: 5, tickSize: 0, grid: true },
      marks: [
        Plot.ruleX([chosen], { x: 'threshold', stroke: 'var(--ink)', strokeWidth: 1.5 }),
        Plot.lineY(points, { x: 'threshold', y: 'value', z: 'color', stroke: 'color', strokeWidth: 2 }),
        Plot.dot([chosen], {
          x: 'threshold',
          y: 'f1',
          r: 5,
          fill: 'var(--good)',
          stroke: 'var(--paper)',
          strokeWidth: 1.5,
        }),
        Plot.text([chosen], { x: 'threshold', text: () => 'chosen', frameAnchor: 'top', dy: -14 }),
      ],
      color: { type: 'identity' },
    }),
  });
}
