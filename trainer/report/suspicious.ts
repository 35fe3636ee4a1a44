/** The most unusual of the images that were given as good, for a look. */
import type { Scorer } from '../../agent/inspect/score.ts';
import type { LoadedImage } from '../data/load.ts';
import type { mostSuspicious } from '../suspicious.ts';
import { counted } from './numbers.ts';
import type { ScoredGroup } from './pictures.ts';

/** `images`: all that calibrate; `scorer` redraws them once more, as reconstructions of all would fill the memory. */
export async function suspiciousGroup(
  suspicious: ReturnType<typeof mostSuspicious>,
  images: readonly LoadedImage[],
  scorer: Scorer,
): Promise<ScoredGroup> {
  const pixelsOf = new Map(images.map(({ name, pixels }) => [name, pixels]));
  const scored: ScoredGroup['images'][number][] = [];
  for (const image of suspicious) {
    const pixels = pixelsOf.get(image.name)!;
    const { reconstruction } = await scorer.score(pixels, 1);
    scored.push({ ...image, pixels, scores: { ...image.scores, reconstruction } });
  }
  return {
    title: `For a look: the ${counted(suspicious.length, 'most unusual good image')}`,
    note: 'Of the images that were given as good, as a model sees them that did not learn from them. Some good images always are the most unusual. If one of these is poor, take it out of the folder and fit again: poor images among the good ones teach that poor is good.',
    images: scored,
  };
}
