/** Where the images of `trainer evaluate` come from. */
import path from 'node:path';
import { groupByName } from '../data/groups.ts';
import { labelledFrom } from '../data/labelled.ts';
import { recognise } from '../data/layout.ts';
import type { LabelledSample, Sample } from '../data/sample.ts';
import { TrainerError } from '../error.ts';

/** As typed. */
export interface LabelledSources {
  readonly good: readonly string[];
  /** `DIR` or `NAME=DIR`. */
  readonly bad: readonly string[];
  readonly labels: string | undefined;
  readonly groupBy: string | undefined;
}

/** @throws TrainerError when nothing was given, or what was given is not there. */
export function labelledImages({ good, bad, labels, groupBy }: LabelledSources): Promise<LabelledSample[]> {
  if (good.length + bad.length === 0 && labels === undefined)
    throw new TrainerError(
      'No labelled images were given. Give folders with --good DIR and --bad DIR, or a table "path,label" with --labels FILE.',
    );
  return labelledFrom({ good, bad: bad.map(parseNamed), csv: labels }, { groupBy });
}

/** `NAME=DIR`, or a folder whose own name is that of the kind. */
export function parseNamed(text: string): { readonly name: string; readonly folder: string } {
  const match = /^([\w -]+)=(.+)$/.exec(text);
  if (match !== null) return { name: match[1]!, folder: match[2]! };
  return { name: path.basename(path.resolve(text)) || 'poor', folder: text };
}

/**
 * The good images of a folder that a model was trained on, in any layout that `trainer fit` reads. `groupBy` gives them
 * groups where it fits their names: they may be named otherwise than the test images.
 */
export async function trainingImages(
  folder: string,
  { groupBy }: Pick<LabelledSources, 'groupBy'>,
): Promise<readonly Sample[]> {
  const { train } = await recognise(folder);
  if (groupBy === undefined) return train;
  try {
    return groupByName(train, groupBy);
  } catch (error) {
    if (error instanceof TrainerError) return train;
    throw error;
  }
}
