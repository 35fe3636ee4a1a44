/** Images that a folder holds only by a symbolic link to somewhere else. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Sample } from './sample.ts';

/**
 * One sentence on the images among `samples` whose files lie outside of `folder`: links are followed, to files and to
 * folders, and a link that was forgotten there brings images that nobody meant. null when all lie within.
 */
export async function describeOutside(folder: string, samples: readonly Sample[]): Promise<string | null> {
  const root = await realpath(folder);
  const found = await Promise.all(samples.map((sample) => outside(root, sample)));
  const targets = found.filter((target) => target !== null);
  const first = found.findIndex((target) => target !== null);
  if (first === -1) return null;
  return `${targets.length} of ${samples.length} images lie outside of the folder and are used all the same, as links in it lead there (such as ${samples[first]!.name} to ${found[first]}).`;
}

/** Where the file of a sample lies when that is outside of `root`, else null; a dangling link is refused when it is read. */
async function outside(root: string, sample: Sample): Promise<string | null> {
  const real = sample.path === null ? null : await realpath(sample.path).catch(() => null);
  return real === null || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep) ? null : real;
}
