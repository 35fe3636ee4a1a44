/** Training and calibration images, as warnings about the data need them. */
import type { Recipe } from '../config/recipe.ts';
import type { Calibration } from './calibrate.ts';
import type { Console } from './console.ts';
import type { Split } from './data/split.ts';
import { timedBar } from './evaluation/progress.ts';
import { referenceOf } from './evaluation/reference.ts';
import type { Reference } from './evaluation/types.ts';

/** What test images are compared with, to find leaks and shifts. */
export async function describeTraining(
  { train, validation, calibration }: Split,
  { images }: Calibration,
  { input }: Recipe,
  { stop }: { readonly stop: AbortSignal },
  console: Console,
): Promise<Reference> {
  const scores = new Map(images.map(({ name, score }) => [name, score]));
  const trained = train === calibration ? [] : [...train, ...validation];
  const count = trained.length + calibration.length;
  const bar = timedBar(console, 'describing training images', count);
  return referenceOf(
    {
      train: trained,
      calibration: calibration.map((image) => ({ ...image, score: scores.get(image.name) ?? null })),
    },
    input.mask,
    { signal: stop, onImage: bar.onImage },
  ).finally(bar.end);
}
