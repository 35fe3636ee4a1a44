/** Scores labelled images through the device's code, and measures them. */
import { stat } from 'node:fs/promises';
import type { Inspector } from '../../agent/inspect/inspect.ts';
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import { judge } from '../../agent/inspect/judge.ts';
import type { RefusedImage } from '../data/load.ts';
import type { LabelledSample } from '../data/sample.ts';
import { mapAtOnce, type Progress } from './at-once.ts';
import { captureTime } from './capture-time.ts';
import { describeImage } from './describe-image.ts';
import { type Dated, orderOf } from './order.ts';
import type { Evaluation, ScoredImage } from './types.ts';

export interface ScoredSamples {
  readonly images: readonly ScoredImage[];
  readonly refused: readonly RefusedImage[];
  readonly orderedBy: Evaluation['orderedBy'];
}

type Measured = Omit<ScoredImage, 'order'> & Dated;

/**
 * In the order of `samples`. Of each image a thumbnail of 32 x 32 is kept, no more: memory stays flat for thousands.
 * @throws InterruptedError when `signal` is aborted meanwhile.
 */
export async function scoreLabelled(
  inspector: Inspector,
  samples: readonly LabelledSample[],
  progress: Progress,
): Promise<ScoredSamples> {
  const results = await mapAtOnce(samples, (sample) => score(inspector, sample), {
    ...progress,
    doing: 'scoring labelled images',
  });
  const measured = results.filter((r) => 'score' in r);
  const { order, orderedBy } = orderOf(measured);
  return {
    images: measured.map(({ captured, modified, ...image }, i) => ({ ...image, order: order[i]! })),
    refused: results.filter((r) => 'reason' in r),
    orderedBy,
  };
}

async function score(inspector: Inspector, sample: LabelledSample): Promise<Measured | RefusedImage> {
  const { name, path, label, kind, group } = sample;
  const { threshold, calibration, preprocessing } = inspector.bundle.manifest;
  const bytes = path === null ? await sample.read() : null;
  const inspection = await (bytes === null ? inspector.inspect(path!) : inspector.inspectBytes(bytes));
  if (inspection.outcome === 'unscorable')
    return { name, reason: inspection.reason, message: inspection.message };
  const content = bytes ?? (await sample.read());
  const described = await describeImage(content, preprocessing.mask).catch((error: unknown) => {
    if (error instanceof UnscorableError) return error; // it changed since it was scored
    throw error;
  });
  if (described instanceof UnscorableError)
    return { name, reason: described.reason, message: described.message };
  const { verdict, p } = judge(inspection.score, threshold, calibration.scores);
  return {
    ...{ name, path, label, kind, group, verdict, p },
    score: inspection.score,
    ...described,
    captured: await captureTime(content),
    modified: path === null ? null : (await stat(path)).mtimeMs,
  };
}
