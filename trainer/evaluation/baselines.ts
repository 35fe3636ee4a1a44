/** Trivial rules that a model must beat before it shows anything. Their directions were fixed before any image was seen. */
import { auroc } from '../statistics/auroc.ts';
import { nearestDistances } from './nearest.ts';
import type { Baseline, Properties, Reference, ScoredImage } from './types.ts';

/** More training images than this make the nearest one hardly nearer, and take long. */
const NEAREST_OF = 1500;

type Measure = (properties: Properties) => number;

/**
 * AUROC of each rule, and what it catches when it may call `alarms` of the good images, as many as the model calls. Of
 * rules that need training images null without `reference`. Both labels must be there.
 */
export function measureBaselines(
  images: readonly ScoredImage[],
  reference: Reference | null,
  alarms: number,
): readonly Baseline[] {
  const known = reference === null ? [] : [...reference.train, ...reference.calibration];
  const thumbnails = known.map(({ properties }) => properties.thumbnail);
  const distances = thumbnails.length === 0 ? null : distancesTo(thumbnails);
  const rules: [name: string, rule: string, measure: Measure | undefined][] = [
    ['File size', 'small files are poor', ({ bytes }) => -bytes],
    ['Mean grey', 'dark images are poor', ({ mean }) => -mean],
    ['Standard deviation of grey', 'flat images are poor', ({ deviation }) => -deviation],
    ['Central sharpness', 'blurred images are poor', ({ sharpness }) => -sharpness],
    ['Distance of mean grey', 'images brighter or darker than the training images are poor', distances?.mean],
    [
      'Distance of standard deviation',
      'images with more or less contrast than the training images are poor',
      distances?.deviation,
    ],
    ['Distance to the mean image', 'images unlike the mean training image are poor', distances?.meanImage],
  ];
  const label = (of: ScoredImage['label'], values: readonly number[]) =>
    values.filter((_, i) => images[i]!.label === of);
  const baseline = (name: string, rule: string, values: readonly number[] | null): Baseline => {
    if (values === null) return { name, rule, auroc: null, caught: null };
    const [good, poor] = [label('good', values), label('poor', values)];
    return { name, rule, auroc: auroc(good, poor), caught: caughtAt(alarms, good, poor) };
  };
  const some = evenly(thumbnails, NEAREST_OF);
  const of = some.length < thumbnails.length ? `${some.length} of the` : 'all';
  return [
    ...rules.map(([name, rule, measure]) =>
      baseline(
        name,
        rule,
        measure === undefined ? null : images.map(({ properties }) => measure(properties)),
      ),
    ),
    baseline(
      'Nearest training image',
      `images unlike ${of} training images are poor`,
      some.length === 0
        ? null
        : nearestDistances(
            images.map(({ properties }) => properties.thumbnail),
            some,
          ),
    ),
  ];
}

/**
 * Share of the poor values called when just `alarms` of the good ones are, largest first. Of equal values that not all
 * can be called each is called with the same chance, and the mean counts (the straight line between two points of the
 * ROC curve: Fawcett 2006, section 6): neither all of them nor none would be fair.
 */
export function caughtAt(alarms: number, good: readonly number[], poor: readonly number[]): number {
  const all = [...good.map((value) => ({ value, poor: 0 })), ...poor.map((value) => ({ value, poor: 1 }))];
  const falling = [...Map.groupBy(all, ({ value }) => value)].sort(([a], [b]) => b - a);
  let [left, caught] = [alarms, 0];
  for (const [, equal] of falling) {
    const poorHere = equal.reduce((sum, { poor }) => sum + poor, 0);
    const goodHere = equal.length - poorHere;
    if (goodHere > left) return (caught + (poorHere * left) / goodHere) / poor.length;
    left -= goodHere;
    caught += poorHere;
  }
  return caught / poor.length;
}

/** All on the grey thumbnails of 32 x 32. */
function distancesTo(training: readonly Uint8Array[]): Record<'mean' | 'deviation' | 'meanImage', Measure> {
  const moments = training.map(momentsOf);
  const average = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const mean = average(moments.map((m) => m.mean));
  const deviation = average(moments.map((m) => m.deviation));
  const image = new Float64Array(training[0]!.length);
  for (const pixels of training)
    for (let i = 0; i < image.length; i++) image[i]! += pixels[i]! / training.length;
  return {
    mean: ({ thumbnail }) => Math.abs(momentsOf(thumbnail).mean - mean),
    deviation: ({ thumbnail }) => Math.abs(momentsOf(thumbnail).deviation - deviation),
    meanImage: ({ thumbnail }) => thumbnail.reduce((sum, v, i) => sum + (v - image[i]!) ** 2, 0),
  };
}

function momentsOf(pixels: Uint8Array): { mean: number; deviation: number } {
  const mean = pixels.reduce((sum, v) => sum + v, 0) / pixels.length;
  const variance = pixels.reduce((sum, v) => sum + (v - mean) ** 2, 0) / pixels.length;
  return { mean, deviation: Math.sqrt(variance) };
}

function evenly<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]!);
}
