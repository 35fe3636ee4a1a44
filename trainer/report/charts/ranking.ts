/** AUROC of the model with its interval, beside those of the trivial rules. */
import * as Plot from '@observablehq/plot';
import type { Evaluation } from '../../evaluation/types.ts';
import { chart } from '../chart.ts';
import { type Html, html } from '../html.ts';
import { figure } from '../numbers.ts';

/** null when one of the two labels has no images. */
export function rankingChart({ auroc, baselines }: Evaluation, twoSided: boolean): Html | null {
  if (auroc === null) return null;
  const { value, low, high } = auroc;
  const rules = baselines.flatMap(({ name, auroc }) =>
    auroc === null ? [] : [{ name, auroc, color: 'var(--mark)' }],
  );
  const rows = [
    { name: 'This model', auroc: value, color: 'var(--good)' },
    ...rules.toSorted((a, b) => b.auroc - a.auroc),
  ];
  return chart({
    label: `AUROC of this model ${figure(value, 2)}, interval ${figure(low, 2)} to ${figure(high, 2)}. ${rules.map((rule) => `${rule.name} ${figure(rule.auroc, 2)}`).join(', ')}.`,
    caption: html`How well each ranks poor above good (AUROC): 1 is perfect, 0.5 is chance, 0 is the wrong way round. The
      bar is the 95 % bootstrap interval of this model.${twoSided ? ' AUROC is of large scores alone: this bundle calls small ones as well, so see its balanced accuracy beside it.' : ''}`,
    draw: (narrow) => ({
      height: (narrow ? 34 : 38) * rows.length + 54,
      marginTop: 24,
      marginLeft: narrow ? 138 : 230,
      marginRight: 50,
      x: { domain: [0, 1], label: null, ticks: narrow ? 3 : 6, tickFormat: '.1f', grid: true },
      y: {
        domain: rows.map(({ name }) => name),
        label: null,
        tickSize: 0,
        tickFormat: (name: string) => clipped(name, narrow ? 17 : 34),
      },
      marks: [
        Plot.ruleX([0.5], { stroke: 'var(--ink)', strokeDasharray: '3 4' }),
        Plot.text(['chance'], { x: () => 0.5, frameAnchor: 'top', dy: -14 }),
        Plot.ruleY([rows[0]!], {
          y: 'name',
          x1: low,
          x2: high,
          stroke: 'var(--good)',
          strokeWidth: 8,
          strokeOpacity: 0.28,
          strokeLinecap: 'round',
        }),
        Plot.dot(rows, { x: 'auroc', y: 'name', r: 5.5, fill: 'color' }),
        Plot.text(rows, {
          x: 1,
          y: 'name',
          text: (d) => figure(d.auroc, 2),
          textAnchor: 'start',
          dx: 12,
        }),
      ],
      color: { type: 'identity' },
    }),
  });
}

const clipped = (name: string, most: number): string =>
  name.length <= most ? name : `${name.slice(0, most - 1)}…`;
