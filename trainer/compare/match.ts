/** Finds the images that all runs were tested on. */

import type { Label } from '../data/sample.ts';
import { TrainerError } from '../error.ts';
import type { TestedImage, TestedRun } from './read-run.ts';

export interface MatchedImage {
  readonly name: string;
  readonly label: Label;
  /** That of the first run that knows one. */
  readonly group: string | null;
  /** Of each run, in their order. */
  readonly scores: readonly number[];
  readonly called: readonly boolean[];
}

/** A smaller share of the smallest test than this in common: they were different tests. */
const LEAST_SHARE = 0.5;

/**
 * By content (SHA-256 of the file): names may differ. An image that a run has twice counts twice, if the others have it
 * twice as well.
 * @throws TrainerError when the runs were not tested on the same images, or these were labelled differently.
 */
export function matchImages(runs: readonly TestedRun[]): MatchedImage[] {
  const [first, ...others] = runs.map(({ images }) => byContent(images));
  const matched: MatchedImage[] = [];
  const contradicting: string[] = [];
  for (const [key, image] of first!) {
    const same = [image, ...others.flatMap((images) => images.get(key) ?? [])];
    if (same.length < runs.length) continue;
    if (same.some(({ label }) => label !== image.label)) contradicting.push(image.name);
    matched.push({
      name: image.name,
      label: image.label,
      group: same.find(({ group }) => group !== null)?.group ?? null,
      scores: same.map(({ score }) => score),
      called: same.map(({ verdict }) => verdict === 'review'),
    });
  }
  requireSameTest(runs, matched);
  if (contradicting.length > 0)
    throw new TrainerError(
      `${contradicting.length} images have other labels in one run than in another, such as ${contradicting[0]}. Evaluate the bundles again with the same labels: trainer evaluate BUNDLE --good DIR --bad DIR`,
    );
  return matched;
}

function requireSameTest(runs: readonly TestedRun[], matched: readonly MatchedImage[]): void {
  const smallest = Math.min(...runs.map(({ images }) => images.length));
  const labels = new Set(matched.map(({ label }) => label));
  if (matched.length >= LEAST_SHARE * smallest && labels.size === 2) return;
  const counts = runs.map(({ folder, images }) => `${images.length} in ${folder}`).join(', ');
  const missing = labels.size === 1 && matched.length > 0 ? `, all of them ${[...labels][0]}` : '';
  throw new TrainerError(
    `These runs were not tested on the same images: ${matched.length} are common to all${missing} (${counts}; compared by their content). Which model is better shows only on one test, with good and poor images. Evaluate each bundle on it: trainer evaluate RUN/bundle.onnx --good DIR --bad DIR --out FOLDER`,
  );
}

function byContent(images: readonly TestedImage[]): Map<string, TestedImage> {
  const seen = new Map<string, number>();
  return new Map(
    images.map((image) => {
      const times = seen.get(image.sha256) ?? 0;
      seen.set(image.sha256, times + 1);
      return [`${image.sha256} ${times}`, image];
    }),
  );
}
