/** The answer in a few sentences, made from the figures. */
import { percent } from '../console.ts';
import type { Metrics } from '../metrics.ts';

/** Plain sentences; the first one is the answer. */
export function conclude(metrics: Metrics): string[] {
  return [...ranking(metrics), ...counts(metrics), ...baselines(metrics), ...conditions(metrics)];
}

/** What the test images show: `weak` is better than chance, but no better than a trivial rule. */
export function usable({ evaluation }: Metrics): 'yes' | 'weak' | 'no' | 'unknown' {
  if (!evaluation?.auroc) return 'unknown';
  const { low, value } = evaluation.auroc;
  if (low <= 0.5) return 'no';
  return evaluation.baselines.some(({ auroc }) => auroc >= value) ? 'weak' : 'yes';
}

function ranking(metrics: Metrics): string[] {
  const { evaluation } = metrics;
  if (evaluation === null || evaluation.auroc === null)
    return [
      evaluation === null
        ? 'Whether this model finds poor captures is not known: it was not tested on any.'
        : 'Whether this model finds poor captures is not known: the test folder has only one of good and poor images.',
      'Give labelled test images with --test DIR (folders DIR/good and DIR/poor) before relying on it.',
    ];
  const { value, low, high } = evaluation.auroc;
  const figures = `AUROC ${value.toFixed(2)}, 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}; 0.5 is chance`;
  if (high < 0.5)
    return [
      `This model ranks the wrong way round: poor captures score lower than good ones (${figures}). Do not use it.`,
    ];
  if (low <= 0.5)
    return [
      `This model does not separate poor from good captures better than chance (${figures}). Do not use it.`,
    ];
  return [`This model ranks poor captures above good ones (${figures}).`];
}

function counts({ evaluation }: Metrics): string[] {
  if (evaluation === null) return [];
  const { detection, falseAlarms } = evaluation;
  const said: string[] = [];
  if (detection.count > 0) said.push(`${detection.hits} of ${detection.count} poor test captures for review`);
  if (falseAlarms.count > 0) said.push(`${falseAlarms.hits} of ${falseAlarms.count} good ones by mistake`);
  return said.length === 0 ? [] : [`At its threshold it calls ${said.join(', and ')}.`];
}

function baselines({ evaluation }: Metrics): string[] {
  const best = evaluation?.baselines.toSorted((a, b) => b.auroc - a.auroc)[0];
  if (!evaluation?.auroc || best === undefined) return [];
  const name = `${best.name.toLowerCase()} alone (${best.rule})`;
  const figure = best.auroc.toFixed(2);
  return [
    best.auroc >= evaluation.auroc.value
      ? `A trivial rule does ${best.auroc > evaluation.auroc.value ? 'better' : 'as well'}: ${name} reaches AUROC ${figure}.`
      : `The best trivial rule, ${name}, reaches AUROC ${figure}.`,
  ];
}

function conditions({ calibration, training, recipe, evaluation }: Metrics): string[] {
  const said: string[] = [];
  const { falseAlarms, images } = calibration;
  if (falseAlarms !== null)
    said.push(
      `On average at most ${percent(falseAlarms.promised)} of good captures like those it was calibrated on are called for review by mistake; with ${images.length} calibration images the rate of this very model may lie between ${percent(falseAlarms.low)} and ${percent(falseAlarms.high)}.`,
    );
  if (training.interrupted)
    said.push(`Training was interrupted after ${training.history.length} of ${recipe.epochs} epochs.`);
  if (evaluation !== null && evaluation.leaked.length > 0)
    said.push(
      `${evaluation.leaked.length} test images are also in the training folder: the test figures are too good by that.`,
    );
  return said;
}
