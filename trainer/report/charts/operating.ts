/** What every threshold would give on the test images: ROC and precision-recall, with the bundle's own point. */
import * as Plot from '@observablehq/plot';
import type { Evaluation } from '../../evaluation/types.ts';
import { chart, legend } from '../chart.ts';
import { type CurvePoint, operatingPoints } from '../curves.ts';
import { type Html, html } from '../html.ts';
import { figure, share } from '../numbers.ts';

/** Both curves side by side; null when one of the two labels has no images. */
export function operatingCharts(evaluation: Evaluation, twoSided: boolean): Html | null {
  if (evaluation.auroc === null) return null;
  const scores = (label: 'good' | 'poor') =>
    evaluation.images.filter((image) => image.label === label).map(({ score }) => score);
  const points = operatingPoints(scores('good'), scores('poor'));
  const aside = twoSided
    ? ' The dot lies off the curve: the curve calls large scores only, the bundle calls small ones as well.'
    : '';
  return html`<div class="charts">${roc(evaluation, points, aside)}${precisionRecall(evaluation, points, aside)}</div>`;
}

const axis = (label: string, narrow: boolean) => ({
  domain: [0, 1],
  label,
  ticks: narrow ? 3 : 5,
  tickFormat: '%',
  grid: true,
});

const height = (narrow: boolean) => (narrow ? 320 : 400);

const POINT = { r: 5.5, fill: 'var(--mark)', stroke: 'var(--paper)', strokeWidth: 1.5 } as const;

function roc(evaluation: Evaluation, points: readonly CurvePoint[], aside: string): Html {
  const { auroc, detection, falseAlarms, detectionAt } = evaluation;
  const bundle = { falseAlarms: falseAlarms.value, detection: detection.value };
  return chart({
    size: 'half',
    label: `ROC curve: area ${figure(auroc!.value)}. The bundle catches ${share(detection.value)} of the poor images at ${share(falseAlarms.value)} false alarms.`,
    caption: html`ROC: poor images caught against good ones called by mistake, at every threshold. The
      ${legend('dot', 'var(--mark)')} is the bundle's threshold; the dashed line is chance; bars are 95 % intervals of
      detection at 1, 5 and 10 % false alarms.${aside}`,
    draw: (narrow) => ({
      height: height(narrow),
      marginBottom: 44,
      marginTop: 28,
      x: { ...axis('good, called for review', narrow), labelOffset: 40 },
      y: axis('poor, called for review', narrow),
      marks: [
        Plot.line([[0, 0], [1, 1]], { stroke: 'var(--muted)', strokeDasharray: '3 4' }), // biome-ignore format: a square
        Plot.ruleX(detectionAt, {
          x: 'falseAlarms',
          y1: 'low',
          y2: 'high',
          stroke: 'var(--good)',
          strokeOpacity: 0.35,
          strokeWidth: 5,
        }),
        Plot.line(points, { x: 'falseAlarms', y: 'detection', stroke: 'var(--good)', strokeWidth: 2 }),
        Plot.dot([bundle], { x: 'falseAlarms', y: 'detection', ...POINT }),
      ],
    }),
  });
}

function precisionRecall(evaluation: Evaluation, points: readonly CurvePoint[], aside: string): Html {
  const { auprc, detection, falseAlarms, flagEverything } = evaluation;
  const called = detection.hits + falseAlarms.hits;
  const bundle = called === 0 ? [] : [{ detection: detection.value, precision: detection.hits / called }];
  return chart({
    size: 'half',
    label: `Precision-recall curve: average precision ${auprc === null ? 'unknown' : figure(auprc.value)}; chance is ${figure(flagEverything)}.`,
    caption: html`Precision and recall: how many of those called are poor, against how many of the poor are called. The
      dashed line is chance, the share of poor images in this test (${share(flagEverything)}): on a ward with fewer
      poor captures precision is lower.${aside}`,
    draw: (narrow) => ({
      height: height(narrow),
      marginBottom: 44,
      marginTop: 28,
      x: { ...axis('recall: poor, called for review', narrow), labelOffset: 40 },
      y: axis('precision', narrow),
      marks: [
        Plot.ruleY([flagEverything], { stroke: 'var(--muted)', strokeDasharray: '3 4' }),
        Plot.line(points.slice(1), {
          x: 'detection',
          y: 'precision',
          stroke: 'var(--good)',
          strokeWidth: 2,
          curve: 'step-before',
        }),
        Plot.dot(bundle, { x: 'detection', y: 'precision', ...POINT }),
      ],
    }),
  });
}
