/** A few images at once: libvips has threads of its own, and this many keep them fed while memory stays flat. */
import { InterruptedError } from '../error.ts';

const AT_ONCE = 4;

export interface Progress {
  readonly signal: AbortSignal;
  /** After every image. */
  readonly onImage: () => void;
}

/**
 * Results in the order of `items`.
 * @throws InterruptedError when `signal` is aborted meanwhile; `doing` tells in it what was interrupted.
 */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  { signal, onImage, doing }: Progress & { readonly doing: string },
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      if (signal.aborted) throw new InterruptedError(`Interrupted while ${doing}.`);
      const index = next++;
      results[index] = await work(items[index]!);
      onImage();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
