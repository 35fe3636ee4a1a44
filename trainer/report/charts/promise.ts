/** Is the promise kept: false alarms promised by p, against those counted on good test images. */
import * as Plot from '@observablehq/plot';
import type { EvaluationMetrics } from '../../metrics.ts';
import { chart, legend } from '../chart.ts';
import { countedRange } from '../curves.ts';
import { type Html, html } from '../html.ts';
import { counted, range, share } from '../numbers.ts';
import { row, table } from '../tables.ts';

/** With fewer calibration images there is hardly a rate to promise. */
const FEWEST = 10;
const MOST_STEPS = 60;

/** Promised shares told in numbers. */
const TOLD = [0.01, 0.02, 0.05, 0.1, 0.2];

/** null when there are no good test images, or too few calibration images. */
export function promiseChart(metrics: EvaluationMetrics): Html | null {
  const { calibration } = metrics;
  const { good, n, at } = promises(metrics);
  if (good === 0 || n < FEWEST) return null;
  const promised = calibration.falseAlarms?.promised ?? null;
  const top = Math.min(1, Math.max(0.2, 2 * (promised ?? 0), 3 / (n + 1)));
  const most = Math.floor(top * (n + 1) + 1e-9);
  const every = Math.max(1, Math.ceil(most / MOST_STEPS));
  const steps = Array.from({ length: Math.ceil(most / every) }, (_, i) =>
    Math.min(most, (i + 1) * every),
  ).filter((k) => k <= n);
  const points = steps.map(at);
  const highest = points.reduce((max, { counted, high }) => Math.max(max, counted, high), top);
  const above = points.filter(({ counted, high }) => counted > high).length;
  const below = points.filter(({ counted, low }) => counted < low).length;
  return chart({
    size: 'half',
    label: `False alarms promised against false alarms counted on ${counted(good, 'good test image')}: of ${points.length} promised rates ${above} lie above the 90 % range (not kept), ${below} below.`,
    caption: html`${legend('Counted', 'var(--good)')} on ${counted(good, 'good test image')} against promised by
      ${counted(n, 'calibration image')}. The band holds 9 of 10 such tests when good test images are like those
      calibrated on; the dashed line is a promise kept exactly.${
        promised === null
          ? " This bundle's rule promises no rate; this is what p, the share of good images as odd, would promise."
          : ` The bundle promises ${share(promised)}.`
      }`,
    draw: (narrow) => ({
      height: narrow ? 320 : 400,
      marginBottom: 44,
      marginTop: 28,
      x: {
        domain: [0, top],
        label: 'promised',
        labelOffset: 40,
        ticks: narrow ? 4 : 5,
        tickFormat: '.0%',
        grid: true,
      },
      y: { domain: [0, highest], label: 'counted', ticks: 5, tickFormat: '.0%', grid: true, nice: true },
      marks: [
        Plot.areaY(points, { x: 'alpha', y1: 'low', y2: 'high', fill: 'var(--mark)', fillOpacity: 0.14 }),
        Plot.line(
          [
            { x: 0, y: 0 },
            { x: top, y: top },
          ],
          { x: 'x', y: 'y', stroke: 'var(--muted)', strokeDasharray: '3 4' },
        ),
        Plot.lineY(points, {
          x: 'alpha',
          y: 'counted',
          stroke: 'var(--good)',
          strokeWidth: 2,
          curve: 'step-after',
        }),
        ...(promised === null
          ? []
          : [
              Plot.ruleX([promised], { stroke: 'var(--ink)', strokeWidth: 1.5 }),
              Plot.text([promised], { x: (d) => d, text: () => 'bundle', frameAnchor: 'top', dy: -14 }),
            ]),
      ],
    }),
  });
}

/** The same in numbers, at shares that people ask for. */
export function promiseTable(metrics: EvaluationMetrics): Html {
  const { good, n, at } = promises(metrics);
  const steps = new Set(
    TOLD.map((alpha) => Math.floor(alpha * (n + 1) + 1e-9)).filter((k) => k >= 1 && k <= n),
  );
  return table(
    `Of ${counted(good, 'good test image')}: what was promised, what was counted, and where 9 of 10 such tests lie`,
    ['promised', 'counted', '9 of 10 tests'],
    [...steps].map(at).map((point) => {
      const { alpha, low, high } = point;
      const fault = point.counted > high ? 'not kept' : point.counted < low ? 'fewer than promised' : null;
      return row(share(alpha), fault, [
        [share(point.counted), counted(Math.round(point.counted * good), 'image')],
        range(point),
      ]);
    }),
  );
}

/** Good test images, calibration images, and promise and count when the k-th largest calibration score is the threshold. */
function promises({ calibration, evaluation }: EvaluationMetrics) {
  const good = (evaluation?.images ?? []).filter(({ label }) => label === 'good');
  const n = calibration.images.length;
  const at = (k: number) => {
    const alpha = k / (n + 1);
    const counted = good.filter(({ p }) => p <= alpha + 1e-9).length / good.length;
    return { alpha, counted, ...countedRange(k, n, good.length, [0.05, 0.95]) };
  };
  return { good: good.length, n, at };
}
