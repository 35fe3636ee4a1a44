/** What a folder of data holds: which images train, and which are labelled test images. */
import path from 'node:path';
import { TrainerError } from '../error.ts';
import { groupByName } from './groups.ts';
import { keepForTest } from './keep-for-test.ts';
import { recognise } from './layout.ts';
import { describeOutside } from './outside.ts';
import type { LabelledSample, Sample } from './sample.ts';
import { ADVISED, FEWEST } from './split.ts';

export interface Sources {
  /** Good images to be divided into training, validation and calibration. */
  readonly train: readonly Sample[];
  /** Labelled test images; empty where the folder holds none. */
  readonly good: readonly LabelledSample[];
  readonly poor: readonly LabelledSample[];
  /** One line: which layout was recognised, what was taken for what, and how many images links brought from elsewhere. */
  readonly description: string;
}

/**
 * Recognises the layout of `given`, a folder or one IDX file. In this order:
 * IDX files (`train...`, `t10k...` or `test...`, or only images); `train_good` with `test_good` and `test_anomalous`;
 * `train` or `good` with `test/good` and `test/<defect>` (MVTec: `train/good`); folders of classes, one of them named
 * good, normal, healthy, notumor, uninfected or ok; else all images are good ones.
 * @param options.groupBy regular expression of the patient in names, see `groupByName`. `seed` chooses the good test
 * images among folders of classes.
 * @throws TrainerError when there are no images, or the pattern does not fit.
 */
export async function openSource(
  given: string,
  options: { readonly groupBy?: string | undefined; readonly seed?: number },
): Promise<Sources> {
  const found = await recognise(given);
  const all = [...found.train, ...found.good, ...found.poor];
  if (found.train.length === 0)
    throw new TrainerError(
      all.length === 0
        ? `${given} is empty: expected good images in it (JPEG, PNG, TIFF, WebP, GIF, DICOM or IDX files). Put at least ${FEWEST} there, ${ADVISED} for a good model.`
        : `${given} holds no good images to train on (${found.description}). Put them into ${path.join(given, 'train')}.`,
    );
  const grouped = options.groupBy === undefined ? all : groupByName(all, options.groupBy);
  const train = grouped.slice(0, found.train.length);
  const good = grouped.slice(train.length, train.length + found.good.length) as LabelledSample[];
  const poor = grouped.slice(train.length + good.length) as LabelledSample[];
  const outside = await describeOutside(given, all);
  const description = outside === null ? found.description : `${found.description} ${outside}`;
  const sources = { train, good, poor, description };
  if (!found.goodTestMissing) return sources;
  return keepForTest(sources, options.seed ?? 1);
}
