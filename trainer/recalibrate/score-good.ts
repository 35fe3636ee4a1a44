/** Scores the good images of another site, each as the device would. */
import { type Outputs, outputsOf } from '../../agent/inspect/calibration.ts';
import type { Inspector } from '../../agent/inspect/inspect.ts';
import type { RefusedImage } from '../data/load.ts';
import type { Sample } from '../data/sample.ts';
import { mapAtOnce, type Progress } from '../evaluation/at-once.ts';

export interface GoodImage extends Outputs {
  readonly name: string;
  readonly group: string | null;
  /** Of the file, hex. */
  readonly sha256: string;
}

export interface ScoredGood {
  /** In the order of the samples, each content once. */
  readonly images: readonly GoodImage[];
  readonly refused: readonly RefusedImage[];
  /** Exact copies of another. */
  readonly copies: number;
  /** Images that the model was made from. */
  readonly known: number;
}

/**
 * `known`: content hashes of the images that the model was made from, which tell nothing of new ones.
 * @throws InterruptedError when it is stopped.
 */
export async function scoreGood(
  inspector: Inspector,
  samples: readonly Sample[],
  known: ReadonlySet<string>,
  progress: Progress,
): Promise<ScoredGood> {
  const results = await mapAtOnce(samples, (sample) => score(inspector, sample), {
    ...progress,
    doing: 'scoring good images',
  });
  const scored = results.filter((one) => 'sha256' in one);
  const fresh = scored.filter(({ sha256 }) => !known.has(sha256));
  const distinct = [...new Map(fresh.map((image) => [image.sha256, image])).values()];
  return {
    images: distinct,
    refused: results.filter((one) => 'reason' in one),
    copies: fresh.length - distinct.length,
    known: scored.length - fresh.length,
  };
}

async function score(
  inspector: Inspector,
  { name, path, group, read }: Sample,
): Promise<GoodImage | RefusedImage> {
  const { inspection, scores } = await inspector.inspectWithMap(path ?? (await read()));
  if (inspection.outcome === 'unscorable')
    return { name, reason: inspection.reason, message: inspection.message };
  return { name, group, sha256: inspection.sha256!, ...outputsOf(scores!) };
}
