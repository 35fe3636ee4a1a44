/** Histograms of the scores, one above the other, with the bounds. */
import * as Plot from '@observablehq/plot';
import { judge } from '../../../agent/inspect/judge.ts';
import type { EvaluationMetrics } from '../../metrics.ts';
import { chart } from '../chart.ts';
import { type Html, html } from '../html.ts';
import { short } from '../numbers.ts';
import { binEdges, greatest, least, logTicks } from '../scale.ts';

interface Row {
  readonly title: string;
  readonly fill: string;
  readonly scores: readonly number[];
}

/** More kinds of anomaly than this share one histogram. */
const MOST_KINDS = 8;

/** Scores of calibration images, good test images and each kind of anomaly; null when there is not one score. */
export function scoreChart(metrics: EvaluationMetrics): Html | null {
  const rows = rowsOf(metrics);
  if (rows.length === 0) return null;
  const { threshold, images } = metrics.calibration;
  const { lower, upper } = threshold;
  const calibration = images.map(({ score }) => score);
  const bounds = lower === null ? [upper] : [lower, upper];
  const all = [...rows.flatMap(({ scores }) => scores), ...bounds];
  const [low, high] = [least(all), greatest(all)];
  const log = low > 0 && high > 12 * low;
  const edges = binEdges(low, high, { lower, upper }, log, 34);
  const middle = edges[edges.length >> 1]!;
  const bins = rows.flatMap((row) => binsOf(row, edges));
  const outside = (score: number) => judge(score, threshold, calibration).verdict === 'review';
  const told = rows.map(
    ({ title, scores }) => `${title}: ${scores.filter(outside).length} of ${scores.length} called for review`,
  );
  const titles = rows.map(({ title, scores }) => `${title} (${scores.length.toLocaleString('en')})`);
  const names = bounds.length === 1 ? ['threshold'] : ['lower bound', 'upper bound'];
  return chart({
    label: `Histograms of the scores, with ${bounds.length === 1 ? 'the threshold at' : 'bounds at'} ${bounds.map(short).join(' and ')}. ${told.join('; ')}.`,
    caption: html`How many images have which score${log ? ' (logarithmic scale)' : ''}; larger is more unusual.
      Each row is drawn to its own height: compare where they lie, not how tall they are. ${
        lower === null
          ? `The line is the threshold, ${short(upper)}: images to its right are called for review.`
          : `The lines are the bounds, ${short(lower)} and ${short(upper)}: images outside them, to either side, are called for review.`
      }`,
    draw: (narrow) => ({
      height: (narrow ? 84 : 100) * Math.max(rows.length, 1.5) + 74,
      marginTop: 34,
      marginBottom: 44,
      x: {
        type: log ? 'log' : 'linear',
        domain: [edges[0]!, edges.at(-1)!],
        label: 'score',
        labelOffset: 40,
        ticks: log ? logTicks(edges, narrow ? 5 : 12) : narrow ? 4 : 8,
        tickFormat: (value: number) => short(value),
      },
      y: { label: null, ticks: 2, tickFormat: 'd', insetTop: 20, axis: null },
      fy: { axis: null, domain: titles, padding: 0.12 },
      marks: [
        Plot.rect(
          bins.filter(({ height }) => height > 0),
          {
            fy: (d) => titles[rows.indexOf(d.row)]!,
            x1: 'left',
            x2: 'right',
            y1: 0,
            y2: 'height',
            fill: (d) => d.row.fill,
            insetLeft: 0.5,
            insetRight: 0.5,
          },
        ),
        Plot.ruleY([0], { stroke: 'var(--line)' }),
        // Beside the bars only: a title, however long, is crossed by no line.
        Plot.ruleX(bounds, { y1: 0, y2: 1, stroke: 'var(--ink)', strokeWidth: 1.5 }),
        Plot.text(titles, {
          fy: (d) => d,
          text: (d) => d,
          frameAnchor: upper < middle ? 'top-right' : 'top-left', // away from the threshold
          stroke: 'var(--paper)',
          strokeWidth: 4,
          fill: 'var(--ink)',
          dy: 2,
          fontWeight: 600,
        }),
        Plot.text(bounds, {
          x: (d) => d,
          fy: () => titles[0]!,
          text: (_, i) => names[i]!,
          frameAnchor: 'top',
          dy: -14,
          textAnchor: anchorOf(bounds, edges),
        }),
      ],
      color: { type: 'identity' },
    }),
  });
}

function rowsOf({ calibration, evaluation }: EvaluationMetrics): Row[] {
  const test = evaluation?.images ?? [];
  const scoresOf = (some: typeof test) => some.map(({ score }) => score);
  const poor = test.filter(({ label }) => label === 'poor');
  const kinds = [...new Set(poor.map(({ kind }) => kind))];
  const shown = kinds.length > MOST_KINDS ? kinds.slice(0, MOST_KINDS - 1) : kinds;
  return [
    {
      title: 'good, calibration',
      fill: 'var(--mark)',
      scores: calibration.images.map(({ score }) => score),
    },
    {
      title: 'good, test',
      fill: 'var(--good)',
      scores: scoresOf(test.filter(({ label }) => label === 'good')),
    },
    ...shown.map((kind) => ({
      title: kind === 'poor' ? 'poor, test' : `${clipped(kind)}, test`,
      fill: 'var(--poor)',
      scores: scoresOf(poor.filter((image) => image.kind === kind)),
    })),
    {
      title: 'other kinds, test',
      fill: 'var(--poor)',
      scores: scoresOf(poor.filter(({ kind }) => !shown.includes(kind))),
    },
  ].filter(({ scores }) => scores.length > 0);
}

/** Each row's tallest bin fills its height: rows are compared by where they lie, not by how many images they have. */
function binsOf(row: Row, edges: readonly number[]) {
  const last = edges.length - 2;
  const counts = edges
    .slice(1)
    .map(
      (right, i) =>
        row.scores.filter((s) => (s > edges[i]! || (i === 0 && s === edges[0])) && (s <= right || i === last))
          .length,
    );
  const most = greatest(counts);
  return counts.map((count, i) => ({ row, left: edges[i]!, right: edges[i + 1]!, height: count / most }));
}

/** Labels of bounds near each other lean apart; near the rim they stay inside. */
function anchorOf(bounds: readonly number[], edges: readonly number[]): 'start' | 'middle' | 'end' {
  const place = (value: number) => (value - edges[0]!) / (edges.at(-1)! - edges[0]!);
  if (bounds.length > 1) return 'middle';
  const at = place(bounds[0]!);
  return at < 0.1 ? 'start' : at > 0.9 ? 'end' : 'middle';
}

const clipped = (name: string): string => (name.length <= 28 ? name : `${name.slice(0, 27)}…`);
