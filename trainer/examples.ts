/** The poor examples of a run: read, kept out of the test, and recorded. */
import type { Manifest } from '../config/bundle.ts';
import type { Recipe } from '../config/recipe.ts';
import { tellExamples } from './announce.ts';
import type { Console } from './console.ts';
import { readExamples, withoutExamples } from './data/examples.ts';
import type { Gathered } from './data/gather.ts';
import type { LoadedImage } from './data/load.ts';
import { timedBar } from './evaluation/progress.ts';
import type { UsedExamples, Weighting } from './metrics.ts';

export interface TakenExamples {
  readonly images: readonly LoadedImage[];
  /** The labelled images that are left. */
  readonly labelled: Pick<Gathered, 'tuning' | 'test'>;
  readonly told: Omit<UsedExamples, keyof Weighting>;
}

/** null when none are given. @throws TrainerError as `readExamples` does. */
export async function takeExamples(
  { examples: folder, stop }: { readonly examples: string | null; readonly stop: AbortSignal },
  good: readonly LoadedImage[],
  labelled: Pick<Gathered, 'tuning' | 'test'>,
  recipe: Recipe,
  console: Console,
): Promise<TakenExamples | null> {
  if (folder === null) return null;
  const examples = await readExamples(folder, good, recipe, { signal: stop, onImage: () => {} });
  const bar = timedBar(
    console,
    'looking for examples among test images',
    labelled.tuning.length + labelled.test.length,
  );
  const { leftOut, ...left } = await withoutExamples(labelled, examples, {
    signal: stop,
    onImage: bar.onImage,
  }).finally(bar.end);
  const { images, ...rest } = examples;
  const told = { folder, images: images.length, ...rest, leftOut };
  tellExamples(console, told);
  return { images, labelled: left, told };
}

/** For the manifest. */
export function examplesOf({
  images,
  digest,
  weights,
}: UsedExamples): NonNullable<Manifest['provenance']['examples']> {
  return {
    ...{ images, digest },
    weights: Object.fromEntries(weights.map(({ voice, weight }) => [voice, weight])),
  };
}
