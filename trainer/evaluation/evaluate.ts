/** The evaluation of a bundle on labelled images: alike in `trainer fit` and `trainer evaluate`. */
import type { Inspector } from '../../agent/inspect/inspect.ts';
import type { Console } from '../console.ts';
import type { LabelledSample } from '../data/sample.ts';
import { timedBar } from './progress.ts';
import type { FoundReference } from './reference.ts';
import { scoreLabelled } from './score-labelled.ts';
import { summarize } from './summarize.ts';
import type { Evaluation } from './types.ts';
import { findWarnings } from './warnings/find.ts';

export interface EvaluateLabelledOptions extends FoundReference {
  readonly seed: number;
  readonly stop: AbortSignal;
}

/** @throws InterruptedError when it is stopped: half a test is none. */
export async function evaluateLabelled(
  inspector: Inspector,
  samples: readonly LabelledSample[],
  { reference, gap, seed, stop }: EvaluateLabelledOptions,
  console: Console,
): Promise<Evaluation> {
  const bar = timedBar(console, 'scoring labelled images', samples.length);
  const { images, refused, orderedBy } = await scoreLabelled(inspector, samples, {
    signal: stop,
    onImage: bar.onImage,
  }).finally(bar.end);
  const evaluation = summarize(images, { refused, orderedBy, reference, seed });
  const { threshold, calibration } = inspector.bundle.manifest;
  const warnings = findWarnings({
    ...{ images, refused, evaluation, threshold, reference, seed },
    calibrationScores: calibration.scores,
    calibrationGroups: calibration.groups ?? calibration.scores.length,
    alpha: threshold.rule.rule === 'conformal' ? threshold.rule.alpha : null,
  });
  return { ...evaluation, warnings, unchecked: gap === null ? [] : [gap] };
}
