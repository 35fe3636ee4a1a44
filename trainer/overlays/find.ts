/** Finds what a device burns into its pictures, and what of a bundle depends on it. */
import type { Box } from '../../agent/inspect/foreground.ts';
import type { Inspector } from '../../agent/inspect/inspect.ts';
import { regionAsText } from '../../agent/inspect/mask.ts';
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { Console } from '../console.ts';
import type { LoadedImage } from '../data/load.ts';
import type { Sample } from '../data/sample.ts';
import { mapAtOnce } from '../evaluation/at-once.ts';
import { timedBar } from '../evaluation/progress.ts';
import { textLines } from '../evaluation/properties/text.ts';
import { workingPicture } from '../evaluation/properties.ts';
import { randomFor, shuffled } from '../random.ts';
import { type Dependence, measureChange } from './change.ts';
import { findPlaces } from './places.ts';
import { describeOverlay } from './tell.ts';

export interface Overlay {
  /** As `--mask` takes it. */
  readonly mask: string;
  /** Images with text there, of those looked at. */
  readonly images: number;
  readonly looked: number;
  /** What would change without it, most first; null: could not be measured, as the input is no plain resize. */
  readonly depends: readonly Dependence[] | null;
}

/** Enough to see what is in most images, few enough to take a second: Ctrl-C, which ends training, need not end this. */
const LOOKED_AT = 60;

/**
 * Text at one place in at least 30 of 100 images, said on `console` as it is found. It is only told: the bundle is what
 * it is.
 */
export async function findOverlays(
  images: readonly LoadedImage[],
  { scorer, bundle: { manifest } }: Pick<Inspector, 'scorer' | 'bundle'>,
  seed: number,
  console: Console,
): Promise<Overlay[]> {
  const { mask } = manifest.preprocessing;
  const some = shuffled(images, randomFor(seed, 'overlays')).slice(0, LOOKED_AT);
  const bar = timedBar(console, 'looking for burned-in text', some.length);
  const lines = await mapAtOnce(some, ({ sample }) => linesIn(sample, mask), {
    ...{ signal: new AbortController().signal, onImage: bar.onImage, doing: 'looking for burned-in text' },
  }).finally(bar.end);
  const overlays: Overlay[] = [];
  for (const { region, images: count } of findPlaces(lines)) {
    const depends = await measureChange(some, region, scorer, manifest);
    const overlay = { mask: regionAsText(region), images: count, looked: some.length, depends };
    console.say(`overlay: ${describeOverlay(overlay)}`);
    overlays.push(overlay);
  }
  return overlays;
}

/** As shares of width and height; none of a file that is gone by now. */
async function linesIn(sample: Sample, mask: Preprocessing['mask']): Promise<Box[]> {
  const bytes = await sample.read().catch((error: NodeJS.ErrnoException) => {
    if (error.code === undefined) throw error;
    return null;
  });
  if (bytes === null) return [];
  const { grey } = await workingPicture(bytes, mask);
  const { width, height } = grey;
  return textLines(grey).map(({ left, top, right, bottom }) => ({
    ...{ left: left / width, top: top / height },
    ...{ right: (right + 1) / width, bottom: (bottom + 1) / height },
  }));
}
