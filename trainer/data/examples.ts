/** A few poor images that weigh the voices, and are used for nothing else. */
import { createHash } from 'node:crypto';
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import type { Recipe } from '../../config/recipe.ts';
import { TrainerError } from '../error.ts';
import { mapAtOnce, type Progress } from '../evaluation/at-once.ts';
import { samplesIn } from './find.ts';
import type { Gathered } from './gather.ts';
import { groupByName } from './groups.ts';
import {
  type LoadedFolder,
  type LoadedImage,
  loadSamples,
  type RefusedImage,
  requireImages,
} from './load.ts';
import { decodePicture, digestOfPicture } from './picture.ts';
import type { LabelledSample, Sample } from './sample.ts';

export interface Examples {
  /** Each picture once. */
  readonly images: readonly LoadedImage[];
  readonly refused: readonly RefusedImage[];
  readonly copies: number;
  /** SHA-256 over the sorted content hashes. */
  readonly digest: string;
}

/** To be asked before anything is read. @throws TrainerError when the recipe has no voices that could be weighed. */
export function requireVoices({ name, model }: Pick<Recipe, 'name' | 'model'>): void {
  if (model.kind !== 'voices')
    throw new TrainerError(
      `--examples weighs the voices of a recipe, and ${name} has none (its model is ${model.kind}). Use the recipe auto, or give the poor images as a test: --bad DIR.`,
    );
}

/** @throws TrainerError when there are none, or one of them is a good image as well. */
export async function readExamples(
  folder: string,
  good: readonly LoadedImage[],
  { input, split }: Recipe,
  progress: Progress,
): Promise<Examples> {
  const samples = grouped(await samplesIn(folder), split.groupBy);
  const loaded: LoadedFolder = await loadSamples(samples, input, progress);
  if (loaded.images.length === 0) requireImages(folder, loaded);
  const images = [...new Map(loaded.images.map((image) => [image.pictureSha256, image])).values()];
  const trained = new Map(good.map((image) => [image.pictureSha256, image.name]));
  const both = images.filter(({ pictureSha256 }) => trained.has(pictureSha256));
  if (both.length > 0)
    throw new TrainerError(
      `${both.length} of ${images.length} examples in ${folder} are among the good images too: ${both[0]!.name} is the picture ${trained.get(both[0]!.pictureSha256)}. An image is good or poor: take it out of one of the two, and keep the folder of examples outside that of good images.`,
    );
  const hash = createHash('sha256');
  for (const sha256 of images.map((image) => image.sha256).sort()) hash.update(sha256);
  return {
    ...{ images, refused: loaded.refused, copies: loaded.images.length - images.length },
    digest: `sha256:${hash.digest('hex')}`,
  };
}

/** Examples may be named otherwise than the good images: then each is a group of its own. */
function grouped(samples: readonly Sample[], groupBy: string | undefined): readonly Sample[] {
  if (groupBy === undefined) return samples;
  try {
    return groupByName(samples, groupBy);
  } catch (error) {
    if (error instanceof TrainerError) return samples;
    throw error;
  }
}

/** Labelled images without those that are examples, the same file or picture, or are of the group of one. */
export async function withoutExamples(
  { tuning, test }: Pick<Gathered, 'tuning' | 'test'>,
  examples: Examples,
  progress: Progress,
): Promise<Pick<Gathered, 'tuning' | 'test'> & { readonly leftOut: number }> {
  const groups = new Set(examples.images.map(({ sample }) => sample.group).filter((group) => group !== null));
  const known = new Set(examples.images.flatMap(({ sha256, pictureSha256 }) => [sha256, pictureSha256]));
  const stays = async (sample: LabelledSample): Promise<boolean> => {
    if (sample.group !== null && groups.has(sample.group)) return false;
    return !(await digestsOf(sample)).some((digest) => known.has(digest));
  };
  const kept = async (some: readonly LabelledSample[]) => {
    const stay = await mapAtOnce(some, stays, {
      ...progress,
      doing: 'looking for examples among test images',
    });
    return some.filter((_, i) => stay[i]);
  };
  const [tuned, tested] = [await kept(tuning), await kept(test)];
  return {
    ...{ tuning: tuned, test: tested },
    leftOut: tuning.length + test.length - tuned.length - tested.length,
  };
}

/** Of the file, and of the picture where it is one; what cannot be read is told by the test itself. */
async function digestsOf(sample: Sample): Promise<string[]> {
  const bytes = await sample.read().catch(() => null);
  if (bytes === null) return [];
  const file = createHash('sha256').update(bytes).digest('hex');
  try {
    return [file, digestOfPicture(await decodePicture(bytes))];
  } catch (error) {
    if (error instanceof UnscorableError) return [file];
    throw error;
  }
}
