/** Burned-in text in words, for the command line and the report alike. */
import type { Overlay } from './find.ts';

/** More names than this tell nothing more. */
const NAMED = 5;

/** What was found, what depends on it, and what to do. */
export function describeOverlay({ mask, images, looked, depends }: Overlay): string {
  const where = `Text is burned in at ${mask} (left, top, width, height) in ${images} of ${looked} images looked at.`;
  return `${where} ${dependence(depends)} If it is no part of what is to be judged, fit again with --mask ${mask}.`;
}

function dependence(depends: Overlay['depends']): string {
  if (depends === null) return 'What depends on it could not be measured, as images are cropped or padded.';
  if (depends.length === 0) return 'Nothing that is measured depends on it by much.';
  const named = depends.slice(0, NAMED).map(({ of, name, change }) => {
    const times = change < 100 ? change.toFixed(1) : 'over 100';
    return `${of === 'voice' ? 'the voice ' : ''}${name} (${times})`;
  });
  return `Without it these would change, by so many standard deviations of good images: ${named.join(', ')}.`;
}
