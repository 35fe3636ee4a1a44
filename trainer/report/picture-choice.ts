/** Which images the report shows. */
import type { EvaluationMetrics } from '../metrics.ts';
import { counted } from './numbers.ts';

export interface ChosenImage {
  readonly name: string;
  /** null: it is read by its name. */
  readonly path: string | null;
  /** null: it was scored by a model that did not see it, and the bundle's own may give another score. */
  readonly score: number | null;
}

export interface PictureChoice {
  readonly title: string;
  /** What to know of these images, under the title. */
  readonly note?: string;
  readonly images: readonly ChosenImage[];
}

const WORST = 10;
/** More kinds of anomaly than this are not shown one by one: the largest are. */
const MOST_KINDS = 8;

/**
 * Calibration images at the ends and in the middle; the ten most unusual good test images; the ten least unusual poor
 * ones; of each kind of anomaly the most unusual, the middle and the least, each image once. `known`: whether a
 * calibration image can be read.
 */
export function choosePictures(
  { calibration, evaluation }: EvaluationMetrics,
  known: (name: string) => boolean,
): PictureChoice[] {
  const { lower, upper } = calibration.threshold;
  // How far outside the bounds: what is called, and what is nearly called, comes first with one bound and with two.
  const margin = ({ score }: { readonly score: number }) =>
    lower === null ? score - upper : Math.max(score - upper, lower - score);
  const images = (evaluation?.images ?? []).toSorted((a, b) => margin(b) - margin(a));
  const good = images.filter(({ label }) => label === 'good');
  const poor = images.filter(({ label }) => label === 'poor');
  const [most, least] =
    lower === null ? ['highest', 'lowest'] : ['most unusual (to either side)', 'least unusual'];
  const worst = poor.slice(-WORST).reverse();
  const typical = middleAndEnds(calibration.images.filter(({ name }) => known(name)));
  const choices: PictureChoice[] = [
    {
      title: 'Good images that set the threshold: lowest, middle and highest score',
      ...(typical.some(outOfFold) && {
        note: 'Chosen by the scores of models that had not seen them, which set the threshold; drawn with those of the bundle, which learned from all.',
      }),
      images: typical.map((image) => ({
        ...{ name: image.name, path: null },
        score: outOfFold(image) ? null : image.score,
      })),
    },
    {
      title: `Worst of the good: ${counted(Math.min(WORST, good.length), 'good test image')} with the ${most} scores`,
      images: good.slice(0, WORST),
    },
    {
      title: `Worst of the poor: ${counted(worst.length, 'poor test image')} with the ${least} scores`,
      images: worst,
    },
    ...kindChoices(poor.filter((image) => !worst.includes(image))),
  ];
  return choices.filter((choice) => choice.images.length > 0);
}

/** Voices are calibrated fold by fold. */
const outOfFold = ({ voices }: EvaluationMetrics['calibration']['images'][number]): boolean =>
  voices !== undefined;

function kindChoices(poor: readonly (ChosenImage & { readonly kind: string })[]): PictureChoice[] {
  const kinds = [...Map.groupBy(poor, ({ kind }) => kind)].sort(([, a], [, b]) => b.length - a.length);
  return kinds.slice(0, MOST_KINDS).map(([kind, images]) => ({
    title:
      kind === 'poor'
        ? 'Others labelled poor: most unusual, middle and least unusual'
        : `Of the kind ${kind}: most unusual, middle and least unusual of the others`,
    images: middleAndEnds(images),
  }));
}

/** First, middle and last, each once. */
function middleAndEnds<T>(items: readonly T[]): T[] {
  const places = new Set(items.length === 0 ? [] : [0, items.length >> 1, items.length - 1]);
  return [...places].map((i) => items[i]!);
}
