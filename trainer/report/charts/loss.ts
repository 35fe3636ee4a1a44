/** How training went: the loss over epochs, and apart from it the error of labelled images. */
import * as Plot from '@observablehq/plot';
import type { Residual } from '../../../config/residual.ts';
import type { Metrics } from '../../metrics.ts';
import { chart, legend } from '../chart.ts';
import { type Html, html } from '../html.ts';
import { counted, short } from '../numbers.ts';
import { greatest, least, logTicks } from '../scale.ts';

const LOSSES: Readonly<Record<Residual, string>> = {
  squared: 'mean squared error',
  absolute: 'mean absolute error',
  'cross-entropy': 'binary cross-entropy',
  ssim: '1 - structural similarity',
  gradient: 'mean absolute difference of gradients',
  perceptual: 'difference at the taps of an encoder',
};

interface Point {
  readonly epoch: number;
  readonly value: number;
  readonly color: string;
}

/** Loss of training and validation over epochs, and the epoch whose weights were kept; null: nothing learns in epochs. */
export function lossChart({ training, recipe }: Metrics): Html | null {
  const { history, best } = training;
  const last = history.at(-1);
  if (last === undefined) return null;
  const points = history.flatMap(({ epoch, loss, validationLoss }) => [
    { epoch, value: loss, color: 'var(--muted)' },
    { epoch, value: validationLoss, color: 'var(--good)' },
  ]);
  return overEpochs(points, {
    best: { epoch: best.epoch, value: best.validationLoss },
    label: `Loss over ${counted(history.length, 'epoch')}. Training ends at ${short(last.loss)}, validation at ${short(last.validationLoss)}; the weights of epoch ${best.epoch}, validation ${short(best.validationLoss)}, are in the bundle.`,
    caption: (log) =>
      html`Loss (${LOSSES[recipe.loss ?? recipe.residual]}${log}) of ${legend('training', 'var(--muted)')} and
        ${legend('validation', 'var(--good)')} images, all of them good. ${
          recipe.split.folds === undefined
            ? `The weights of epoch ${best.epoch}, where validation was lowest, are those in the bundle.`
            : `Validation is the mean of ${recipe.split.folds} folds, each left out of training once; the weights in the bundle are those of epoch ${best.epoch}, the last, trained on all.`
        }`,
  });
}

/** Error of labelled images after each epoch; null when none were set aside. Told, never used. */
export function labelledChart({ training }: Metrics): Html | null {
  const told = training.history.flatMap(({ epoch, labelled }) => (labelled ? [{ epoch, ...labelled }] : []));
  const last = told.at(-1);
  if (last === undefined) return null;
  const points = told.flatMap(({ epoch, good, poor }) => [
    { epoch, value: good, color: 'var(--good)' },
    { epoch, value: poor, color: 'var(--poor)' },
  ]);
  return overEpochs(points, {
    best: null,
    label: `Mean error of labelled images over ${counted(told.length, 'epoch')}. At the end good ones have ${short(last.good)}, poor ones ${short(last.poor)}.`,
    caption: (log) =>
      html`Mean error${log} of labelled images set aside: ${legend('good', 'var(--good)')} and
        ${legend('poor', 'var(--poor)')}. <b>Told, never used to choose anything.</b> Poor ones should lie above good
        ones, and stay there.`,
  });
}

function overEpochs(
  points: readonly Point[],
  options: {
    readonly best: { readonly epoch: number; readonly value: number } | null;
    readonly label: string;
    readonly caption: (log: string) => Html;
  },
): Html {
  const values = points.map(({ value }) => value);
  const epochs = greatest(points.map(({ epoch }) => epoch));
  const log = least(values) > 0 && greatest(values) > 8 * least(values);
  const best = options.best === null ? [] : [options.best];
  return chart({
    label: options.label,
    caption: options.caption(log ? ', logarithmic scale' : ''),
    draw: (narrow) => ({
      height: narrow ? 250 : 310,
      marginLeft: 56,
      marginBottom: 44,
      x: {
        label: 'epoch',
        labelOffset: 40,
        domain: [1, Math.max(2, epochs)],
        tickFormat: 'd',
        ticks: Math.min(Math.max(1, epochs - 1), narrow ? 5 : 10),
      },
      y: {
        type: log ? 'log' : 'linear',
        label: null,
        grid: true,
        nice: !log,
        ticks: log ? logTicks(values, 12) : 4,
        tickFormat: String,
        tickSize: 0,
      },
      marks: [
        Plot.ruleX(best, { x: 'epoch', stroke: 'var(--mark)', strokeDasharray: '3 4' }),
        Plot.lineY(points, { x: 'epoch', y: 'value', z: 'color', stroke: 'color', strokeWidth: 2 }),
        Plot.dot(epochs < 3 ? points : [], { x: 'epoch', y: 'value', fill: 'color' }),
        Plot.dot(best, {
          x: 'epoch',
          y: 'value',
          r: 4.5,
          fill: 'var(--good)',
          stroke: 'var(--paper)',
          strokeWidth: 1.5,
        }),
      ],
      color: { type: 'identity' },
    }),
  });
}
