/** The layouts of folders that data sets come in. */
import path from 'node:path';
import { fileSample, findFiles, idxFilesIn, isFolder, namesIn, requireFolder, samplesIn } from './find.ts';
import { idxSamples, isIdxName } from './idx.ts';
import { asGood, asPoor, isGoodName, kindsAsText, kindsInNames } from './kinds.ts';
import type { LabelledSample, Sample } from './sample.ts';

export interface Layout {
  readonly train: readonly Sample[];
  readonly good: readonly LabelledSample[];
  readonly poor: readonly LabelledSample[];
  readonly description: string;
  /** There are anomalies, but no good images that are set aside to test on. */
  readonly goodTestMissing: boolean;
}

/** The first layout that fits, in the order that `openSource` names. */
export async function recognise(given: string): Promise<Layout> {
  if (isIdxName(given) && !(await isFolder(given)))
    return plain(await idxSamples(given), 'IDX file: all its images are good ones.');
  await requireFolder(given);
  const folders = await foldersIn(given);
  return (
    (await idx(given)) ??
    (await namedFolders(given, folders)) ??
    (await trainAndTest(given, folders)) ??
    (await classFolders(given, folders)) ??
    plain(await samplesIn(given), 'Folder of images: all images in it are good ones.')
  );
}

function plain(train: readonly Sample[], description: string): Layout {
  return { train, good: [], poor: [], description, goodTestMissing: false };
}

async function idx(given: string): Promise<Layout | null> {
  const files = await idxFilesIn(given);
  if (files.length === 0) return null;
  const read = async (some: readonly string[]) =>
    (await Promise.all(some.map((file) => idxSamples(file)))).flat();
  const begins = (start: RegExp) => files.filter((file) => start.test(path.basename(file)));
  const [train, test] = [begins(/^train/i), begins(/^(t10k|test)/i)];
  if (train.length === 0)
    return plain(await read(files), `IDX files: all images in ${names(files)} are good ones.`);
  const good = (await read(test)).map(asGood);
  return {
    train: await read(train),
    good,
    poor: [],
    description: `IDX files: ${names(train)} to train on${test.length > 0 ? `, ${names(test)} as good test images` : ''}.`,
    goodTestMissing: false,
  };
}

async function namedFolders(given: string, folders: readonly string[]): Promise<Layout | null> {
  const [trainGood, testGood, testPoor] = ['train_good', 'test_good', 'test_anomalous'];
  if (!folders.includes(trainGood)) return null;
  const good = folders.includes(testGood) ? (await within(given, testGood)).map(asGood) : [];
  const train = await within(given, trainGood);
  const poor = folders.includes(testPoor) ? await anomalies(given, testPoor, train) : [];
  return {
    train,
    good,
    poor,
    description: `Folders train_good to train on${good.length > 0 ? ', test_good as good test images' : ''}${poor.length > 0 ? `, test_anomalous as poor ones (${kindsAsText(poor)})` : ''}.`,
    goodTestMissing: false,
  };
}

/** `train` (or `good`) and `test`, each with folders of classes or, for training, without. */
async function trainAndTest(given: string, folders: readonly string[]): Promise<Layout | null> {
  const train = folders.find((name) => /^train(ing)?$/i.test(name)) ?? folders.find(isGoodName);
  const test = folders.find((name) => /^test(ing)?$/i.test(name));
  if (test === undefined) return null;
  const classes = await foldersIn(path.join(given, test));
  const goodTest = classes.find(isGoodName);
  const poorTests = classes.filter((name) => !isGoodName(name));
  if (goodTest === undefined && !poorTests.includes('poor')) return null;
  const good = goodTest === undefined ? [] : (await within(given, `${test}/${goodTest}`)).map(asGood);
  const poor: LabelledSample[] = [];
  for (const name of poorTests)
    poor.push(...(await within(given, `${test}/${name}`)).map((s) => asPoor(s, name)));
  const inTrain = train === undefined ? [] : await foldersIn(path.join(given, train));
  const goodTrain = train === undefined ? undefined : inTrain.find(isGoodName);
  const from = train === undefined ? null : goodTrain === undefined ? train : `${train}/${goodTrain}`;
  const ignored = goodTrain === undefined ? [] : inTrain.filter((name) => name !== goodTrain);
  return {
    train:
      from === null
        ? (await findFiles(given, [path.join(given, test)])).map(fileSample)
        : await within(given, from),
    good,
    poor,
    description: `Folders ${from === null ? `of images to train on, all but ${test}` : `${from} to train on`}${ignored.length > 0 ? ` (${train}/${ignored.join(', ')} left out)` : ''}${good.length > 0 ? `, ${test}/${goodTest} as good test images` : ''}${poor.length > 0 ? `, the others in ${test} as poor ones (${kindsAsText(poor)})` : ''}.`,
    goodTestMissing: false,
  };
}

async function classFolders(given: string, folders: readonly string[]): Promise<Layout | null> {
  const goodName = folders.find(isGoodName);
  const others = folders.filter((name) => name !== goodName);
  if (goodName === undefined || others.length === 0) return null;
  const poor: LabelledSample[] = [];
  for (const name of others) poor.push(...(await within(given, name)).map((s) => asPoor(s, name)));
  return {
    train: await within(given, goodName),
    good: [],
    poor,
    description: `Folders of classes: ${goodName} is good, the others are poor test images (${kindsAsText(poor)}).`,
    goodTestMissing: poor.length > 0,
  };
}

/** Kind by sub-folder, else by the words in file names, else `poor`. */
async function anomalies(given: string, folder: string, good: readonly Sample[]): Promise<LabelledSample[]> {
  const samples = await within(given, folder);
  const inner = samples.map(({ name }) => name.slice(folder.length + 1));
  if (inner.every((name) => name.includes('/')))
    return samples.map((sample, i) => asPoor(sample, inner[i]!.slice(0, inner[i]!.indexOf('/'))));
  const found = kindsInNames(
    inner,
    good.map(({ name }) => name),
  );
  return samples.map((sample, i) => asPoor(sample, found?.[i] ?? 'poor'));
}

/** Images of `given/folder`, named relative to `given`. */
async function within(given: string, folder: string): Promise<Sample[]> {
  const samples = await samplesIn(path.join(given, folder));
  return samples.map((sample) => ({ ...sample, name: `${folder}/${sample.name}` }));
}

async function foldersIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(folder)) if (await isFolder(path.join(folder, name))) found.push(name);
  return found;
}

const names = (files: readonly string[]): string => files.map((file) => path.basename(file)).join(', ');
