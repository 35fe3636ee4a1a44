/** All images of a run: those that train, and labelled ones, wherever the user has them. */
import path from 'node:path';
import type { Recipe } from '../../config/recipe.ts';
import { TrainerError } from '../error.ts';
import { isFolder, namesIn, requireFolder } from './find.ts';
import { groupByName } from './groups.ts';
import { isGoodName, labelsAsText } from './kinds.ts';
import { labelledFrom, splitLabelled } from './labelled.ts';
import type { LabelledSample, Sample } from './sample.ts';
import { openSource } from './source.ts';

/** Labelled images as they were named on the command line. */
export interface GivenLabels {
  /** Folder with a folder for each kind, those of good images named so. */
  readonly test: string | null;
  readonly good: readonly string[];
  readonly bad: readonly { readonly name: string; readonly folder: string }[];
  /** Table `path,label[,group]`. */
  readonly csv: string | null;
}

export interface Gathered {
  readonly train: readonly Sample[];
  /** Set aside from the test: told after every epoch, and what the rule f1 tunes by. */
  readonly tuning: readonly LabelledSample[];
  readonly test: readonly LabelledSample[];
  /** What was taken for what. */
  readonly description: string;
  /** Where the labelled images came from. */
  readonly sources: readonly string[];
}

/**
 * Labelled images named by hand replace those that the folder holds; the recipe's own anomalies are added where they are
 * there and no others were named.
 * @throws TrainerError when there are no images, or what was named holds none.
 */
export async function gatherSamples(
  folder: string,
  given: GivenLabels,
  recipe: Pick<Recipe, 'split' | 'anomalies'>,
  seed: number,
): Promise<Gathered> {
  const { groupBy, tuning: share } = recipe.split;
  const found = await openSource(folder, { groupBy, seed });
  const byHand = await named(given);
  const anomalies = byHand === null ? await ownAnomalies(folder, recipe) : [];
  const labels = byHand ?? { good: [], bad: anomalies, csv: undefined };
  const none = labels.good.length + labels.bad.length === 0 && labels.csv === undefined;
  const read = none ? [] : await labelledFrom(labels);
  const grouped = groupBy === undefined || read.length === 0 ? read : groupByName(read, groupBy);
  const inFolder = byHand === null ? [...found.good, ...found.poor] : [];
  const labelled = [...inFolder, ...grouped];
  return {
    train: found.train,
    ...splitLabelled(labelled, share, seed),
    description: `${found.description}${grouped.length === 0 ? '' : ` Labelled beside it: ${labelsAsText(grouped)}.`}`,
    sources: [
      ...(inFolder.length > 0 ? [`within ${folder}`] : []),
      ...labels.good.map((one) => `good: ${one}`),
      ...labels.bad.map(({ name, folder }) => `${name}: ${folder}`),
      ...(labels.csv === undefined ? [] : [`labels: ${labels.csv}`]),
    ],
  };
}

type Labels = Parameters<typeof labelledFrom>[0];

/** null when nothing was named. */
async function named({ test, good, bad, csv }: GivenLabels): Promise<Labels | null> {
  if (test === null && good.length + bad.length === 0 && csv === null) return null;
  const within = test === null ? { good: [], bad: [] } : await kindsIn(test);
  return { good: [...within.good, ...good], bad: [...within.bad, ...bad], csv: csv ?? undefined };
}

/** The folders of a test folder: good ones by their name, all others each a kind of anomaly. */
async function kindsIn(test: string): Promise<{ good: string[]; bad: { name: string; folder: string }[] }> {
  await requireFolder(test);
  const folders: { name: string; folder: string }[] = [];
  for (const name of await namesIn(test)) {
    const folder = path.join(test, name);
    if (await isFolder(folder)) folders.push({ name, folder });
  }
  if (folders.length === 0)
    throw new TrainerError(
      `${test} holds no folders. Put the labelled test images into ${path.join(test, 'good')} and ${path.join(test, 'poor')}, or into a folder for each kind.`,
    );
  return {
    good: folders.filter(({ name }) => isGoodName(name)).map(({ folder }) => folder),
    bad: folders.filter(({ name }) => !isGoodName(name)),
  };
}

async function ownAnomalies(
  folder: string,
  { anomalies = [] }: Pick<Recipe, 'anomalies'>,
): Promise<{ name: string; folder: string }[]> {
  const there: { name: string; folder: string }[] = [];
  for (const { name, folder: relative } of anomalies) {
    const beside = path.join(folder, relative);
    if (await isFolder(beside)) there.push({ name, folder: beside });
  }
  return there;
}
