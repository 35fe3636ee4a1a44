/** The few figures that people look for first. */
import type { Rate } from '../evaluation/types.ts';
import type { EvaluationMetrics, Metrics } from '../metrics.ts';
import { balancedRange, isTwoSided } from './conclusion.ts';
import { type Html, html } from './html.ts';
import { counted, figure, range, share, short } from './numbers.ts';

export function tiles(metrics: EvaluationMetrics | Metrics): Html {
  const { evaluation, calibration } = metrics;
  const shown = evaluation === null ? [] : testTiles(evaluation, isTwoSided(metrics));
  if (evaluation === null && calibration.falseAlarms !== null)
    shown.push(
      tile(
        'False alarms that come true',
        range(calibration.falseAlarms),
        `in 9 of 10 calibrations with ${counted(calibration.images.length, 'image')}`,
      ),
    );
  if (evaluation === null && 'training' in metrics && metrics.training.history.length > 0) {
    const { best, history } = metrics.training;
    shown.push(
      tile('Validation loss', short(best.validationLoss), `best epoch: ${best.epoch} of ${history.length}`),
    );
  }
  return html`<dl class="tiles">${shown}${thresholdTile(calibration)}</dl>`;
}

function testTiles(evaluation: NonNullable<EvaluationMetrics['evaluation']>, twoSided: boolean): Html[] {
  const { auroc, detection, falseAlarms, balancedAccuracy } = evaluation;
  const counts = (title: string, { hits, count, ...rest }: Rate) =>
    count === 0 ? [] : [tile(title, `${hits} of ${count}`, `95 % interval ${range(rest)}`)];
  return [
    ...(auroc === null
      ? []
      : twoSided
        ? [
            tile(
              'Balanced accuracy of its decisions',
              share(balancedAccuracy!),
              `95 % interval ${range(balancedRange(evaluation))}; chance is 50 %`,
            ),
          ]
        : [
            tile(
              'Ranks poor above good (AUROC)',
              figure(auroc.value, 2),
              `95 % interval ${figure(auroc.low, 2)} to ${figure(auroc.high, 2)}; chance is 0.5`,
            ),
          ]),
    ...counts('Poor captures called for review', detection),
    ...counts('Good captures called by mistake', falseAlarms),
  ];
}

function thresholdTile({ threshold, falseAlarms, images }: EvaluationMetrics['calibration']): Html {
  const { lower, upper, rule } = threshold;
  const from = `from ${counted(images.length, 'good image')}`;
  return tile(
    lower === null ? 'Threshold' : 'Bounds',
    lower === null ? short(upper) : `${short(lower)} to ${short(upper)}`,
    falseAlarms === null
      ? rule.rule === 'f1'
        ? 'rule f1, from labelled images'
        : rule.rule === 'fixed'
          ? 'fixed by hand'
          : `rule ${rule.rule}, ${from}`
      : `at most ${share(falseAlarms.promised)} false alarms promised, ${from}`,
  );
}

const tile = (title: string, value: string, note: string): Html =>
  html`<div><dt>${title}</dt><dd>${value}</dd><dd>${note}</dd></div>`;
