/** In which order images were captured, as far as their files tell. */
import type { Evaluation } from './types.ts';

export interface Dated {
  readonly name: string;
  /** Milliseconds since 1970; null: not known. */
  readonly captured: number | null;
  readonly modified: number | null;
}

/** Copying, unpacking or downloading gives this many files a second at least; what took longer was captured so. */
const COPIED_PER_SECOND = 1;
/** And a copy of any size may take this long, in seconds. */
const COPY_SECONDS = 600;

/**
 * Place of each image from 0: by the time of capture when every file has one, else by the time of modification when
 * these lie further apart than a copy would leave them, else by name (numbers within names by value).
 */
export function orderOf(images: readonly Dated[]): { order: number[]; orderedBy: Evaluation['orderedBy'] } {
  const byName = new Intl.Collator('en', { numeric: true });
  const names = (a: Dated, b: Dated) => byName.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);
  const places = (compare: (a: Dated, b: Dated) => number) => {
    const order = new Array<number>(images.length);
    const sorted = [...images.keys()].sort((a, b) => compare(images[a]!, images[b]!));
    for (const [place, index] of sorted.entries()) order[index] = place;
    return order;
  };
  if (images.length > 0 && images.every(({ captured }) => captured !== null))
    return { order: places((a, b) => a.captured! - b.captured! || names(a, b)), orderedBy: 'capture' };
  if (modificationTells(images))
    return { order: places((a, b) => a.modified! - b.modified! || names(a, b)), orderedBy: 'modification' };
  return { order: places(names), orderedBy: 'name' };
}

function modificationTells(images: readonly Dated[]): boolean {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { modified } of images) {
    if (modified === null) return false;
    first = Math.min(first, modified);
    last = Math.max(last, modified);
  }
  return (last - first) / 1000 > Math.max(COPY_SECONDS, images.length / COPIED_PER_SECOND);
}
