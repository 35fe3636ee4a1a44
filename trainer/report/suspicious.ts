/** The most unusual of the images that were given as good, for a look. */
import type { LoadedImage } from '../data/load.ts';
import type { mostSuspicious } from '../suspicious.ts';
import { counted } from './numbers.ts';
import type { ScoredGroup } from './pictures.ts';

/** `images`: all that calibrate. */
export function suspiciousGroup(
  suspicious: ReturnType<typeof mostSuspicious>,
  images: readonly LoadedImage[],
): ScoredGroup {
  const pixels = new Map(images.map(({ name, pixels }) => [name, pixels]));
  return {
    title: `For a look: the ${counted(suspicious.length, 'most unusual good image')}`,
    note: 'Of the images that were given as good, as a model sees them that did not learn from them. Some good images always are the most unusual. If one of these is poor, take it out of the folder and fit again: poor images among the good ones teach that poor is good.',
    images: suspicious.map((image) => ({ ...image, pixels: pixels.get(image.name)! })),
  };
}
