/** Which files are no images that a device could score, on the terminal. */
import type { Console } from '../console.ts';
import type { RefusedImage } from './load.ts';

/** More of them are only counted. */
const SHOWN = 20;

/** @param where all of them are named, such as `metrics.json will name them all`. */
export function tellRefused(console: Console, refused: readonly RefusedImage[], where: string): void {
  for (const { name, reason, message } of refused.slice(0, SHOWN))
    console.say(`  refused ${JSON.stringify(name).slice(1, -1)}: ${reason}, ${message}`);
  if (refused.length > SHOWN) console.say(`  and ${refused.length - SHOWN} more; ${where}`);
}
