/** Divides distinct good images: those that train, that choose the epoch, that set the threshold; or all for all. */
import { createHash } from 'node:crypto';
import { smallestAlpha } from '../../agent/inspect/threshold.ts';
import type { Recipe } from '../../config/recipe.ts';
import { TrainerError } from '../error.ts';
import { randomFor, shuffled } from '../random.ts';
import { requireForFolds } from './folds.ts';
import { type Grouping, groupImages } from './groups.ts';
import type { LoadedImage } from './load.ts';
import { calibrationNeeded } from './needed.ts';

const SIDES = ['train', 'validation', 'calibration'] as const;
export type Side = (typeof SIDES)[number];

/** In cross-validation all images train and all calibrate: `train` and `calibration` are one and the same list. */
export interface Split {
  readonly train: readonly LoadedImage[];
  readonly validation: readonly LoadedImage[];
  readonly calibration: readonly LoadedImage[];
  /** Copies of an image that is on one of the sides: left out, so that no picture counts twice. */
  readonly duplicates: readonly { readonly image: LoadedImage; readonly copyOf: string }[];
  /** Which images belong together. */
  readonly groups: Pick<Grouping, 'count' | 'description'>;
  /** Group of each image used, for those that share theirs with another. */
  readonly groupOf: ReadonlyMap<LoadedImage, string>;
  /** SHA-256 over the sorted content hashes of all images used. */
  readonly digest: string;
}

/** Two to train on, one to choose the epoch, one to calibrate. */
export const FEWEST = 4;

/** Good images that users are advised to give: a rule of thumb, and the README's. */
export const ADVISED = 'a hundred or more';

/**
 * Seeded split. Images with the same bytes, the same picture or the same pixels at the input's size count once. Groups,
 * as the samples give them or else near copies, stay whole. The order comes from the content: renaming files changes
 * nothing.
 * @throws TrainerError when there are too few images or groups, for training or for the alpha of the threshold's rule.
 */
export function splitImages(
  images: readonly LoadedImage[],
  recipe: Pick<Recipe, 'split' | 'threshold'>,
  seed: number,
): Split {
  const { distinct, duplicates } = withoutDuplicates(images);
  const byContent = distinct.toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  const { keys, count, description } = groupImages(byContent);
  requireGroups(count, distinct.length, duplicates.length);
  const members = Map.groupBy(byContent.keys(), (i) => keys[i]!);
  const order = shuffled([...members.values()], randomFor(seed, 'split')).map((group) =>
    group.map((i) => byContent[i]!),
  );
  const sides = divide(order, distinct.length, duplicates.length, recipe);
  const hash = createHash('sha256');
  for (const image of byContent) hash.update(image.sha256);
  const shared = [...members.values()].filter((group) => group.length > 1);
  const groupOf = new Map(
    shared.flatMap((group, n) => group.map((i) => [byContent[i]!, `${n + 1}`] as const)),
  );
  return {
    ...sides,
    duplicates,
    groups: { count, description },
    groupOf,
    digest: `sha256:${hash.digest('hex')}`,
  };
}

function divide(
  groups: readonly (readonly LoadedImage[])[],
  images: number,
  duplicates: number,
  recipe: Pick<Recipe, 'split' | 'threshold'>,
): Pick<Split, Side> {
  const copies = duplicates > 0 ? ` (${duplicates} more are copies of them)` : '';
  if (images < FEWEST)
    throw new TrainerError(
      `Only ${images} distinct image${images === 1 ? '' : 's'} can be used${copies}; a run needs at least ${FEWEST}, and a good model ${ADVISED}. Give a folder with more good images.`,
    );
  const { split, threshold } = recipe;
  if (split.folds === undefined) {
    const counts = countSides(images, copies, recipe);
    return fillSides(groups, counts, calibrationNeeded(threshold));
  }
  requireForFolds(images, copies, threshold);
  const all = groups.flat();
  return { train: all, validation: [], calibration: all };
}

/**
 * Whole groups in turn to calibration, validation and training, until each has its count. A group that is larger than
 * what a side still lacks is passed over for later sides, unless the side could not do without.
 */
function fillSides(
  groups: readonly (readonly LoadedImage[])[],
  counts: { readonly calibration: number; readonly validation: number },
  needed: number,
): Pick<Split, Side> {
  let left = [...groups];
  const take = (wanted: number, least: number, keep: number): LoadedImage[] => {
    const taken: LoadedImage[] = [];
    const rest: (readonly LoadedImage[])[] = [];
    for (const group of left)
      if (taken.length + group.length <= wanted) taken.push(...group);
      else rest.push(group);
    // Too few, because the groups are large: the smallest of the rest are taken, as long as later sides have some.
    while (taken.length < least && rest.length > keep) {
      const smallest = rest.reduce((best, group, i) => (group.length < rest[best]!.length ? i : best), 0);
      taken.push(...rest.splice(smallest, 1)[0]!);
    }
    left = rest;
    return taken;
  };
  const calibration = take(counts.calibration, Math.max(1, needed), 2);
  const validation = take(counts.validation, 1, 1);
  if (calibration.length < needed || validation.length === 0 || left.length === 0)
    throw new TrainerError(
      `The ${groups.length} groups of images are too large to be divided: ${calibration.length} images can be set aside for calibration where ${needed} are needed. Give images of more patients, or a larger alpha (--set threshold.alpha=...).`,
    );
  return { calibration, validation, train: left.flat() };
}

function requireGroups(groups: number, images: number, duplicates: number): void {
  if (groups >= FEWEST || images < FEWEST) return; // too few images are told as such
  const copies = duplicates > 0 ? `, beside ${duplicates} exact copies` : '';
  throw new TrainerError(
    `The ${images} images form only ${groups} group${groups === 1 ? '' : 's'} of images that belong together (near copies, or the same patient)${copies}; a run needs at least ${FEWEST} that differ, and a good model ${ADVISED}. Give a folder with more different good images; where each is a capture of its own, let --group-by say so from their names.`,
  );
}

/** The file `split.json`: which image is on which side. */
export function describeSplit(split: Split, seed: number): unknown {
  const entry = (side: Side) => (image: LoadedImage) => ({
    name: image.name,
    sha256: image.sha256,
    side,
    group: image.sample.group ?? split.groupOf.get(image) ?? null,
  });
  const used = split.train === split.calibration ? (['calibration'] as const) : SIDES;
  const sides = used.flatMap((side) => split[side].map(entry(side)));
  return {
    format: 1,
    seed,
    digest: split.digest,
    groups: split.groups,
    images: sides.sort((a, b) => (a.name < b.name ? -1 : 1)),
    duplicates: split.duplicates.map(({ image, copyOf }) => ({
      name: image.name,
      sha256: image.sha256,
      copyOf,
    })),
  };
}

/** Keeps the first of every group of equal images. */
function withoutDuplicates(images: readonly LoadedImage[]): {
  distinct: LoadedImage[];
  duplicates: Split['duplicates'];
} {
  const first = new Map<string, string>();
  const distinct: LoadedImage[] = [];
  const duplicates: { image: LoadedImage; copyOf: string }[] = [];
  for (const image of images) {
    const keys = [image.sha256, image.pictureSha256, image.pixelsSha256];
    const copyOf = keys.map((key) => first.get(key)).find((name) => name !== undefined);
    for (const key of keys) if (!first.has(key)) first.set(key, copyOf ?? image.name);
    if (copyOf === undefined) distinct.push(image);
    else duplicates.push({ image, copyOf });
  }
  return { distinct, duplicates };
}

function countSides(
  count: number,
  copies: string,
  { split, threshold }: Pick<Recipe, 'split' | 'threshold'>,
): { validation: number; calibration: number } {
  const most = Math.floor(count / 2);
  const needed = calibrationNeeded(threshold);
  if (needed > most && threshold.rule === 'conformal')
    throw new TrainerError(
      `alpha ${threshold.alpha} needs ${needed} calibration images, but of ${count} distinct images${copies} at most half, ${most}, can be set aside. The smallest alpha that can be had here is ${smallestAlpha(most)}: use --set threshold.alpha=${smallestAlpha(most)}, or give at least ${2 * needed} good images.`,
    );
  const calibration = Math.max(Math.min(Math.round(count * split.calibration), count - 3), needed, 1);
  const left = count - calibration;
  return { calibration, validation: Math.max(1, Math.min(Math.round(count * split.validation), left - 2)) };
}
