/** Labelled images that are named by hand: folders of good ones, folders of each kind of anomaly, a table. */
import path from 'node:path';
import { TrainerError } from '../error.ts';
import { randomFor, shuffled } from '../random.ts';
import { readTable } from './csv.ts';
import { samplesIn } from './find.ts';
import { groupByName } from './groups.ts';
import { asGood, asPoor } from './kinds.ts';
import type { LabelledSample, Sample } from './sample.ts';

/**
 * Images of the folders (or IDX files) and of the table (see `readTable`). Names begin with the folder's own name, or
 * with the path as given where two folders are named alike.
 * @throws TrainerError when nothing was given, or what was given holds no images.
 */
export async function labelledFrom(
  given: {
    readonly good: readonly string[];
    readonly bad: readonly { readonly name: string; readonly folder: string }[];
    readonly csv?: string | undefined;
  },
  options: { readonly groupBy?: string | undefined } = {},
): Promise<LabelledSample[]> {
  const folders = [...given.good, ...given.bad.map(({ folder }) => folder)];
  if (folders.length === 0 && given.csv === undefined)
    throw new TrainerError(
      'No labelled images were given. Name a folder of good and one of poor images, or a table "path,label".',
    );
  const last = (folder: string) => path.basename(path.resolve(folder));
  const alike = (folder: string) => folders.filter((other) => last(other) === last(folder)).length > 1;
  const read = async (folder: string): Promise<Sample[]> => {
    const samples = await samplesIn(folder);
    if (samples.length === 0)
      throw new TrainerError(`${folder} is empty: expected labelled images in it. Give another folder.`);
    const prefix = alike(folder) ? folder.replaceAll('\\', '/') : last(folder);
    return samples.map((sample) => ({
      ...sample,
      name: sample.path === null && prefix === fileOf(sample.name) ? sample.name : `${prefix}/${sample.name}`,
    }));
  };
  const labelled: LabelledSample[] = [];
  for (const folder of given.good) labelled.push(...(await read(folder)).map(asGood));
  for (const { name, folder } of given.bad)
    labelled.push(...(await read(folder)).map((sample) => asPoor(sample, name)));
  if (given.csv !== undefined) labelled.push(...(await readTable(given.csv)));
  return options.groupBy === undefined ? labelled : groupByName(labelled, options.groupBy);
}

/** File of a record of an IDX file. */
const fileOf = (name: string): string => name.slice(0, name.lastIndexOf('#'));

/**
 * Divides labelled images into those that a threshold may be tuned by and those that it is tested by. Seeded; of each
 * kind about `share`, 0..1, are for tuning. A group lies on one side whole; it counts to the kind of its first image.
 * Where a kind has two groups or more, none of the two sides is without it (unless `share` is 0).
 */
export function splitLabelled(
  samples: readonly LabelledSample[],
  share: number,
  seed: number,
): { readonly tuning: LabelledSample[]; readonly test: LabelledSample[] } {
  const groups = [...Map.groupBy(samples, (s, i) => (s.group === null ? `#${i}` : `=${s.group}`)).values()];
  const tuning = new Set<LabelledSample>();
  for (const [kind, some] of Map.groupBy(groups, (group) => `${group[0]!.label} ${group[0]!.kind}`)) {
    const order = shuffled(some, randomFor(seed, 'tuning', kind));
    const wanted = share * some.reduce((sum, group) => sum + group.length, 0);
    let taken = 0;
    const most = share > 0 ? order.length - 1 : 0;
    for (const [i, group] of order.slice(0, most).entries()) {
      if (i > 0 && taken + group.length / 2 > wanted) continue;
      for (const sample of group) tuning.add(sample);
      taken += group.length;
    }
  }
  return {
    tuning: samples.filter((sample) => tuning.has(sample)),
    test: samples.filter((sample) => !tuning.has(sample)),
  };
}
