/** The good images that a model was made from, described again so that test images can be compared with them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Manifest } from '../../config/bundle.ts';
import type { Sample } from '../data/sample.ts';
import { runFiles } from '../run-folder.ts';
import { mapAtOnce, type Progress } from './at-once.ts';
import { describeAgain, describeSample, type Mask, type ReadBefore } from './describe-image.ts';
import type { Reference, ReferenceImage } from './types.ts';

export type CalibrationImage = ReadBefore & { readonly score: number | null };

/** Of images that are at hand, as in `trainer fit`. What cannot be decoded any more is left out. */
export async function referenceOf(
  given: { readonly train: readonly ReadBefore[]; readonly calibration: readonly CalibrationImage[] },
  mask: Mask,
  progress: Progress,
): Promise<Reference> {
  const describe = (some: readonly ReadBefore[]) =>
    mapAtOnce(some, (image) => describeAgain(image, mask), {
      ...progress,
      doing: 'describing training images',
    });
  const train = await describe(given.train);
  const calibration = await describe(given.calibration);
  return {
    train: train.filter((image) => 'sha256' in image),
    calibration: calibration.flatMap((image, i) =>
      'sha256' in image ? [{ ...image, score: given.calibration[i]!.score }] : [],
    ),
  };
}

/** What a run folder tells of the images that its bundle was made from. */
export interface RunImages {
  /** Folder of good images, as it was given to `trainer fit`. */
  readonly folder: string;
  /** By SHA-256 of the file. */
  readonly sides: ReadonlyMap<
    string,
    { readonly calibration: boolean; readonly score: number | null; readonly group: string | null }
  >;
}

const splitFile = z.object({
  images: z.array(
    z.object({
      name: z.string(),
      sha256: z.string(),
      side: z.string(),
      group: z.string().nullable().default(null),
    }),
  ),
});
const metricsFile = z.object({
  data: z.object({ folder: z.string() }),
  bundle: z.object({ digest: z.string() }),
  calibration: z.object({ images: z.array(z.object({ name: z.string(), score: z.number() })) }),
});

/** From split.json and metrics.json beside the bundle; null when they are not there, or are of another bundle. */
export async function readRunImages(bundlePath: string, manifest: Manifest): Promise<RunImages | null> {
  const files = runFiles(path.dirname(bundlePath));
  const split = splitFile.safeParse(await readJson(files.split));
  const metrics = metricsFile.safeParse(await readJson(files.metrics));
  if (!split.success || !metrics.success || metrics.data.bundle.digest !== manifest.digest) return null;
  const scores = new Map(metrics.data.calibration.images.map(({ name, score }) => [name, score]));
  return {
    folder: metrics.data.data.folder,
    sides: new Map(
      split.data.images.map(({ name, sha256, side, group }) => [
        sha256,
        { calibration: side === 'calibration', score: scores.get(name) ?? null, group },
      ]),
    ),
  };
}

export interface FoundReference {
  readonly reference: Reference | null;
  /** What cannot be checked without it, and what to do; null: everything is at hand. */
  readonly gap: string | null;
}

const CHECKS =
  'whether test images were also used for training, whether good test images are like those of calibration, and how well the distance to the training images alone would judge';

/** Those of `samples` that the run names; all of them as training images when there is no record of the run. */
export async function findReference(
  samples: readonly Sample[],
  { run, mask }: { readonly run: RunImages | null; readonly mask: Mask },
  progress: Progress,
): Promise<FoundReference> {
  if (samples.length === 0)
    return {
      reference: null,
      gap: `The images that the model was trained on are not at hand. Not checked: ${CHECKS}. Give their folder with --train DIR.`,
    };
  const described = await mapAtOnce(samples, (sample) => describeSample(sample, mask), {
    ...progress,
    doing: 'describing training images',
  });
  const images = described.filter((image) => 'sha256' in image);
  const sided = images.map((image) => {
    const side = run?.sides.get(image.sha256);
    return { side, image: { ...image, group: image.group ?? side?.group ?? null } };
  });
  const calibration = sided.flatMap(({ side, image }) =>
    side?.calibration === true ? [{ ...image, score: side.score }] : [],
  );
  const train = sided.flatMap(({ side, image }) =>
    run === null || side?.calibration === false ? [image] : [],
  );
  if (train.length + calibration.length === 0)
    return {
      reference: null,
      gap: `The folder of training images holds none of those that the run names (by their SHA-256). Not checked: ${CHECKS}. Give the right folder with --train DIR.`,
    };
  return { reference: { train, calibration }, gap: gapOf(images, calibration.length, run) };
}

function gapOf(images: readonly ReferenceImage[], calibration: number, run: RunImages | null): string | null {
  if (run === null || calibration === 0)
    return 'Which of the training images set the threshold is not known, as no record of the run lies beside the bundle (split.json and metrics.json). Not checked: whether good test images look like those of calibration; their scores are compared all the same. Evaluate the bundle in its run folder.';
  const here = new Set(images.map(({ sha256 }) => sha256));
  const missing = [...run.sides.keys()].filter((sha256) => !here.has(sha256)).length;
  if (missing === 0) return null;
  return `${missing} of the ${run.sides.size} images that the run names are no longer there, or were changed: what was compared with training images leaves these out.`;
}

/** undefined when it cannot be read or is no JSON: a record that is of no use is no record. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}
