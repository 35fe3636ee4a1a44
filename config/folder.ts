/** Makes folders, and takes back those that stayed empty. */
import { mkdir, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes `folder` and whatever is missing above it, with `mode` as far as they are new; one that is there is kept.
 *
 * Not `mkdir(folder, {recursive: true})`: Node 24 takes ENOENT to mean that a parent is missing and tries the two of them
 * in turn for ever, at full load, where a parent that is there gives that answer, as everything in /proc does.
 * @returns the folders that it made, outermost first.
 * @throws what the file system says, ENOTDIR where a file is in the way.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<string[]> {
  if (await isFolder(folder)) return [];
  try {
    await mkdir(folder, { mode });
    return [folder];
  } catch (error) {
    const parent = path.dirname(path.resolve(folder));
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await isFolder(folder))) return []; // made by somebody else meanwhile
    if (code !== 'ENOENT' || parent === path.resolve(folder)) throw error;
    if (await isFolder(parent)) throw error;
    return [...(await makeFolder(parent, mode)), ...(await makeFolder(folder, mode))];
  }
}

/** Removes what `makeFolder` made, innermost first, as far as it is empty. */
export async function removeEmpty(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) {
    try {
      await rmdir(folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTEMPTY' || code === 'ENOENT') return;
      throw error;
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
