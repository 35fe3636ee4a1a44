/** Sets good images aside for the test where a folder has classes but no test. */
import { UnscorableError } from '../../agent/inspect/inspection.ts';
import { randomFor, shuffled } from '../random.ts';
import { groupImages, MOST_COMPARED } from './groups.ts';
import { asGood } from './kinds.ts';
import { decodePicture, THUMBNAIL_SIDE, thumbnailOf } from './picture.ts';
import type { Sample } from './sample.ts';
import type { Sources } from './source.ts';

const SHARE = 0.2;

/** A seeded 20 % of the good images, in whole groups (as given, else near copies), become good test images. */
export async function keepForTest(sources: Sources, seed: number): Promise<Sources> {
  const images = await withThumbnails(sources.train);
  const { keys, count } = groupImages(images);
  const members = [...Map.groupBy(images.keys(), (i) => keys[i]!).values()];
  const wanted = Math.round(SHARE * images.length);
  const test = new Set<number>();
  for (const group of shuffled(members, randomFor(seed, 'test')))
    if (test.size + group.length <= wanted) for (const i of group) test.add(i);
  return {
    ...sources,
    train: sources.train.filter((_, i) => !test.has(i)),
    good: sources.train.filter((_, i) => test.has(i)).map(asGood),
    description: `${sources.description} ${test.size} of the ${images.length} good images (a seeded ${100 * SHARE} % in whole groups, ${count} groups in all) are kept for the test.`,
  };
}

/** Thumbnails are made only where near copies will be looked for by them. */
async function withThumbnails(
  samples: readonly Sample[],
): Promise<{ readonly sample: Sample; readonly thumbnail: Uint8Array }[]> {
  const blank = new Uint8Array(THUMBNAIL_SIDE ** 2);
  const compared = samples.length <= MOST_COMPARED && samples.every(({ group }) => group === null);
  const images: { sample: Sample; thumbnail: Uint8Array }[] = [];
  for (const sample of samples)
    images.push({ sample, thumbnail: compared ? await thumbnail(sample, blank) : blank });
  return images;
}

async function thumbnail(sample: Sample, otherwise: Uint8Array): Promise<Uint8Array> {
  try {
    return thumbnailOf(await decodePicture(await sample.read()));
  } catch (error) {
    if (error instanceof UnscorableError) return otherwise; // told when the images are loaded
    throw error;
  }
}
