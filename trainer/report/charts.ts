/**
 * The report's charts, as SVG drawn when the report is written: by Observable Plot, because it needs no browser (any
 * document will do; linkedom's here), makes axes and scales that need no tuning, and leaves no script in the page.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Metrics } from '../metrics.ts';
import { type Html, html, raw } from './html.ts';
import { binEdges, logTicks } from './scale.ts';

/** Drawn twice, for wide and narrow screens: letters keep their size. */
const WIDTHS = { wide: 960, narrow: 350 } as const;

type Drawing = (narrow: boolean) => Plot.PlotOptions;

/** Loss of training and validation over epochs, and the epoch whose weights were kept. */
export function lossChart({ training, recipe }: Metrics): Html {
  const { history, best } = training;
  const points = history.flatMap(({ epoch, loss, validationLoss }) => [
    { epoch, loss, kind: 'training' },
    { epoch, loss: validationLoss, kind: 'validation' },
  ]);
  const values = points.map(({ loss }) => loss);
  const wide = Math.max(...values) > 8 * Math.min(...values) && Math.min(...values) > 0;
  const last = history.at(-1)!;
  const error = recipe.residual === 'squared' ? 'mean squared error' : 'mean absolute error';
  const label = `Loss over ${history.length} epochs. Training ends at ${short(last.loss)}, validation at ${short(last.validationLoss)}; lowest validation loss ${short(best.validationLoss)} in epoch ${best.epoch}.`;
  const color = (kind: string) => (kind === 'training' ? 'var(--muted)' : 'var(--good)');
  return chart(
    label,
    html`Loss (${error}${wide ? ', logarithmic scale' : ''}) of <b style="color:var(--muted)">training</b> and
      <b style="color:var(--good)">validation</b> images, all of them good. The weights of epoch ${best.epoch}, where
      validation was lowest, are those in the bundle.`,
    (narrow) => ({
      height: narrow ? 250 : 310,
      marginBottom: 44,
      x: {
        label: 'epoch',
        labelOffset: 40,
        domain: [1, Math.max(2, history.length)],
        tickFormat: 'd',
        ticks: Math.min(history.length, narrow ? 5 : 10),
      },
      y: {
        type: wide ? 'log' : 'linear',
        label: null,
        grid: true,
        nice: true,
        ticks: wide ? logTicks(values, 12) : 4,
        tickFormat: String,
        tickSize: 0,
      },
      marks: [
        Plot.ruleX([best.epoch], { stroke: 'var(--mark)', strokeDasharray: '3 4' }),
        Plot.lineY(points, {
          x: 'epoch',
          y: 'loss',
          z: 'kind',
          stroke: (d) => color(d.kind),
          strokeWidth: 2,
        }),
        Plot.dot(history.length < 3 ? points : [], { x: 'epoch', y: 'loss', fill: (d) => color(d.kind) }),
        Plot.dot([best], {
          x: 'epoch',
          y: 'validationLoss',
          r: 4.5,
          fill: 'var(--good)',
          stroke: 'var(--paper)',
          strokeWidth: 1.5,
        }),
      ],
    }),
  );
}

/** Scores of calibration and test images as histograms one above the other, with the threshold. */
export function scoreChart({ calibration, evaluation }: Metrics): Html {
  const test = evaluation?.images ?? [];
  const rows = [
    { title: 'good, calibration', fill: 'var(--mark)', scores: calibration.images.map((i) => i.score) },
    {
      title: 'good, test',
      fill: 'var(--good)',
      scores: test.filter((i) => i.label === 'good').map((i) => i.score),
    },
    {
      title: 'poor, test',
      fill: 'var(--poor)',
      scores: test.filter((i) => i.label === 'poor').map((i) => i.score),
    },
  ].filter(({ scores }) => scores.length > 0);
  const { upper } = calibration.threshold;
  const all = [...rows.flatMap(({ scores }) => scores), upper];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const log = low > 0 && high > 12 * low;
  const edges = binEdges(low, high, upper, log, 34);
  const middle = edges[edges.length >> 1]!;
  const bins = rows.flatMap(({ title, fill, scores }) =>
    edges.slice(1).map((right, i) => ({
      row: `${title} (${scores.length})`,
      fill,
      left: edges[i]!,
      right,
      count: scores.filter((s) => s > edges[i]! && (s <= right || i === edges.length - 2)).length,
    })),
  );
  const over = rows.map(
    ({ title, scores }) => `${title}: ${scores.filter((s) => s > upper).length} of ${scores.length} above`,
  );
  return chart(
    `Histograms of the scores, with the threshold at ${short(upper)}. ${over.join('; ')}.`,
    html`How many images have which score${log ? ' (logarithmic scale)' : ''}; larger is more unusual. The line is the
      threshold, ${short(upper)}: images to its right are called for review.`,
    (narrow) => ({
      height: (narrow ? 92 : 110) * Math.max(rows.length, 1.5) + 74,
      marginTop: 34,
      marginBottom: 44,
      x: {
        type: log ? 'log' : 'linear',
        domain: [edges[0]!, edges.at(-1)!],
        label: 'score',
        labelOffset: 40,
        ticks: log ? logTicks(edges, narrow ? 5 : 12) : narrow ? 4 : 8,
        tickFormat: String,
      },
      y: { label: null, ticks: 3, tickFormat: 'd', grid: true, insetTop: 20 },
      fy: {
        axis: null,
        domain: rows.map(({ title, scores }) => `${title} (${scores.length})`),
        padding: 0.12,
      },
      marks: [
        Plot.rect(
          bins.filter(({ count }) => count > 0),
          {
            fy: 'row',
            x1: 'left',
            x2: 'right',
            y1: 0,
            y2: 'count',
            fill: (d) => d.fill,
            insetLeft: 0.5,
            insetRight: 0.5,
          },
        ),
        Plot.ruleY([0], { stroke: 'var(--line)' }),
        Plot.ruleX([upper], { stroke: 'var(--ink)', strokeWidth: 1.5 }),
        Plot.text(
          rows.map(({ title, scores }) => `${title} (${scores.length})`),
          {
            fy: (d) => d,
            text: (d) => d,
            frameAnchor: upper < middle ? 'top-right' : 'top-left', // away from the threshold
            stroke: 'var(--paper)',
            strokeWidth: 4,
            fill: 'var(--ink)',
            dy: 2,
            fontWeight: 600,
          },
        ),
        Plot.text([upper], {
          x: (d) => d,
          fy: () => bins[0]!.row,
          text: () => 'threshold',
          frameAnchor: 'top',
          dy: -14,
          textAnchor: 'middle',
        }),
      ],
    }),
  );
}

/** AUROC of the model with its interval, beside those of the trivial rules. */
export function rankingChart({ evaluation }: Metrics): Html | null {
  if (!evaluation?.auroc) return null;
  const { value, low, high } = evaluation.auroc;
  const rules = evaluation.baselines.map(({ name, auroc }) => ({ name, auroc, model: false }));
  const rows = [{ name: 'This model', auroc: value, model: true }, ...rules];
  const fill = (d: { model: boolean }) => (d.model ? 'var(--good)' : 'var(--mark)');
  return chart(
    `AUROC of this model ${value.toFixed(2)}, interval ${low.toFixed(2)} to ${high.toFixed(2)}. ${rules.map((r) => `${r.name} ${r.auroc.toFixed(2)}`).join(', ')}.`,
    html`How well each ranks poor above good: 1 is perfect, 0.5 is chance, 0 is the wrong way round. The bar is the
      95 % bootstrap interval of this model.`,
    (narrow) => ({
      height: 40 * rows.length + 54,
      marginTop: 24,
      marginLeft: narrow ? 128 : 200,
      marginRight: 44,
      x: { domain: [0, 1], label: null, ticks: narrow ? 3 : 6, tickFormat: '.1f', grid: true },
      y: {
        domain: rows.map(({ name }) => name),
        label: null,
        tickSize: 0,
        tickFormat: (name: string) => (narrow ? name.replace(' of grey', '') : name),
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
        Plot.dot(rows, { x: 'auroc', y: 'name', r: 5.5, fill }),
        Plot.text(rows, {
          x: 1,
          y: 'name',
          text: (d) => d.auroc.toFixed(2),
          textAnchor: 'start',
          dx: 12,
        }),
      ],
    }),
  );
}

function chart(label: string, caption: Html, drawing: Drawing): Html {
  const draw = (width: keyof typeof WIDTHS) => {
    const { document } = parseHTML('<html><body></body></html>');
    const options = drawing(width === 'narrow');
    const svg = Plot.plot({
      width: WIDTHS[width],
      marginLeft: 48,
      marginRight: 12,
      ...options,
      document,
      style: { fontSize: '12.5px', color: 'var(--ink)', background: 'none', fontFamily: 'inherit' },
      ariaLabel: label,
    });
    svg.setAttribute('role', 'img');
    svg.classList.add(width);
    return raw(svg.outerHTML);
  };
  return html`<figure class="chart">${draw('wide')}${draw('narrow')}<figcaption>${caption}</figcaption></figure>`;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
