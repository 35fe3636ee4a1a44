/** Which images belong together (a patient, a burst, one picture saved twice) and so never lie on two sides. */
import { TrainerError } from '../error.ts';
import { nearCopies } from './near-copies.ts';
import type { Sample } from './sample.ts';

/** More images than this are not compared with each other: at 10,000 it takes seconds, and grows with the square. */
export const MOST_COMPARED = 10_000;

export interface Grouping {
  /** The group of each image, in their order. */
  readonly keys: readonly string[];
  readonly count: number;
  /** One sentence: how the groups were found, and how many there are. */
  readonly description: string;
}

/**
 * Samples with the group that `pattern` finds in their names: its first capture group, looked for in the file name, and
 * in the whole name with its folders when the file name does not match. What does not match is a group of its own.
 * @throws TrainerError when the pattern is no regular expression, has no capture group, or matches no name.
 */
export function groupByName<T extends Sample>(samples: readonly T[], pattern: string): T[] {
  const regex = parsePattern(pattern);
  const grouped = samples.map((sample) => ({
    ...sample,
    group: groupIn(sample.name, regex) ?? sample.group,
  }));
  if (samples.length > 0 && samples.every(({ name }) => groupIn(name, regex) === null))
    throw new TrainerError(
      `The pattern ${pattern} matches none of ${samples.length} names; the first is ${samples[0]!.name}. Give one whose first group, in parentheses, is the patient: for "person12_scan_3.png" that is "(person\\d+)_".`,
    );
  return grouped;
}

/** Groups of images by their samples' groups where any is given, else by near copies among their thumbnails. */
export function groupImages(
  images: readonly { readonly sample: Pick<Sample, 'group'>; readonly thumbnail: Uint8Array }[],
): Grouping {
  if (images.some(({ sample }) => sample.group !== null)) {
    const keys = images.map(({ sample }, i) => (sample.group === null ? `#${i}` : `=${sample.group}`));
    const alone = images.filter(({ sample }) => sample.group === null).length;
    const rest = alone === 0 ? '' : ` (${alone} images without one stand alone)`;
    const count = new Set(keys).size;
    return { keys, count, description: `${count} groups, as given${rest}; a group is never on two sides.` };
  }
  if (images.length > MOST_COMPARED)
    return {
      keys: images.map((_, i) => `#${i}`),
      count: images.length,
      description: `Every image counts alone: near copies are not looked for among more than ${MOST_COMPARED} images. If several show one patient, give the pattern of the patient in their names (--group-by).`,
    };
  const keys = nearCopies(images.map(({ thumbnail }) => thumbnail)).map((first) => `#${first}`);
  const count = new Set(keys).size;
  const description =
    count === images.length
      ? 'No near copies found: every image counts alone. If several show one patient, give the pattern of the patient in their names (--group-by).'
      : `${count} groups: near copies among ${images.length} images, found by their likeness at 32 x 32; a group is never on two sides.`;
  return { keys, count, description };
}

/** How many groups `images` form; `groupOf` names those of images whose samples have none. */
export function countGroups<T extends { readonly sample: Pick<Sample, 'group'> }>(
  images: readonly T[],
  groupOf: ReadonlyMap<T, string>,
): number {
  return new Set(images.map((image) => image.sample.group ?? groupOf.get(image) ?? image)).size;
}

function parsePattern(pattern: string): RegExp {
  let regex: RegExp;
  try {
    regex = new RegExp(pattern);
  } catch (cause) {
    throw new TrainerError(`${pattern} is no regular expression: ${(cause as Error).message}.`, { cause });
  }
  // Matches the empty text by its second branch, and so tells how many groups there are.
  const groups = new RegExp(`${pattern}|`).exec('')!.length - 1;
  if (groups === 0)
    throw new TrainerError(
      `The pattern ${pattern} has no group in parentheses. Put them around the part of the name that is the patient, as in "(person\\d+)_".`,
    );
  return regex;
}

function groupIn(name: string, regex: RegExp): string | null {
  const file = name.slice(name.lastIndexOf('/') + 1);
  return regex.exec(file)?.[1] ?? regex.exec(name)?.[1] ?? null;
}
