/** A bar that tells how long it will still take. */
import { type Console, duration } from '../console.ts';

/** Enough to know the speed, in images. */
const SOON = 10;

/** @returns what to call after every image, and at the end. */
export function timedBar(
  console: Console,
  title: string,
  total: number,
): { readonly onImage: () => void; readonly end: () => void } {
  const bar = console.bar(title, total);
  const start = performance.now();
  let done = 0;
  return {
    onImage() {
      done++;
      const left = ((performance.now() - start) / 1000 / done) * (total - done);
      bar.step(1, done < SOON ? '' : `${duration(left)} left`);
    },
    end: () => bar.end(),
  };
}
