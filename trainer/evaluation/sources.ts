/** Folders as samples. */
import { readFile } from 'node:fs/promises';
import { findFiles } from '../data/find.ts';
import type { LabelledSample, Sample } from '../data/sample.ts';
import { TrainerError } from '../error.ts';

export interface LabelledSources {
  readonly good: readonly string[];
  readonly bad: readonly string[];
  readonly labels: string | undefined;
  readonly groupBy: string | undefined;
}

export async function labelledImages(sources: LabelledSources): Promise<LabelledSample[]> {
  const { good, bad, groupBy } = sources;
  if (good.length + bad.length === 0)
    throw new TrainerError('No labelled images were given. Give folders with --good DIR and --bad DIR.');
  const samples: LabelledSample[] = [];
  for (const folder of good)
    for (const sample of await trainingImages(folder, { groupBy }))
      samples.push({ ...sample, name: `good/${sample.name}`, label: 'good', kind: 'good' });
  for (const given of bad) {
    const [, kind = 'poor', folder = given] = /^([^=/]+)=(.+)$/.exec(given) ?? [];
    for (const sample of await trainingImages(folder, { groupBy }))
      samples.push({ ...sample, name: `${kind}/${sample.name}`, label: 'poor', kind });
  }
  return samples;
}

export async function trainingImages(
  folder: string,
  { groupBy }: Pick<LabelledSources, 'groupBy'>,
): Promise<Sample[]> {
  const pattern = groupBy === undefined ? null : new RegExp(groupBy);
  return (await findFiles(folder)).map(({ name, path }) => ({
    name,
    path,
    read: () => readFile(path),
    group: pattern?.exec(name)?.[1] ?? null,
  }));
}
