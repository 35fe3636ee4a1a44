/** Finds the images of a folder: files, or records of IDX files. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { TrainerError } from '../error.ts';
import { idxSamples, isIdxName } from './idx.ts';
import type { Sample } from './sample.ts';

export interface FoundFile {
  readonly path: string;
  /** Relative to the folder searched, with `/` on every system. */
  readonly name: string;
}

/**
 * Every file within `folder`, sorted by name; links are followed, hidden files and folders left out.
 * Folders in `except` are not entered.
 * @throws TrainerError when the folder is missing or is none.
 */
export async function findFiles(folder: string, except: readonly string[] = []): Promise<FoundFile[]> {
  await requireFolder(folder);
  const entered = new Set<string>();
  for (const one of except) entered.add(await realpath(one));
  const files: FoundFile[] = [];
  const enter = async (directory: string, prefix: string): Promise<void> => {
    const real = await realpath(directory);
    if (entered.has(real)) return; // a link in a circle, or one of `except`
    entered.add(real);
    for (const entry of await namesIn(directory)) {
      const child = path.join(directory, entry);
      const name = prefix + entry;
      if (await isFolder(child)) await enter(child, `${name}/`);
      else files.push({ path: child, name });
    }
  };
  await enter(folder, '');
  return files;
}

/**
 * The images of a folder (`except` is left out) or of one IDX file, named relative to what was given. Where a folder
 * holds IDX files of images directly, these are its images, and nothing else is.
 * @throws TrainerError when there is no such folder or file, or an IDX file is damaged.
 */
export async function samplesIn(given: string, except: readonly string[] = []): Promise<Sample[]> {
  if (isIdxName(given) && !(await isFolder(given))) return idxSamples(given);
  await requireFolder(given);
  const idx = await idxFilesIn(given);
  if (idx.length > 0) return (await Promise.all(idx.map((file) => idxSamples(file)))).flat();
  return (await findFiles(given, except)).map(fileSample);
}

/** IDX files of images directly in `folder`, sorted. */
export async function idxFilesIn(folder: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter(isIdxName);
  return names.map((name) => path.join(folder, name));
}

/**
 * What lies directly in `folder`, sorted, without hidden files.
 * @throws TrainerError when the folder cannot be read.
 */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new TrainerError(
      `The folder ${folder} cannot be read (${cause.code}). Allow it to be read, or give another folder of images.`,
      { cause },
    );
  });
  return names.filter((name) => !name.startsWith('.')).sort();
}

export function fileSample(file: FoundFile): Sample {
  return { name: file.name, path: file.path, group: null, read: () => readFile(file.path) };
}

/** @throws TrainerError when `folder` is missing or is none. */
export async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new TrainerError(`The folder ${folder} ${why}. Give a folder of images.`, { cause });
  });
  if (!found.isDirectory()) throw new TrainerError(`${folder} is a file; expected a folder of images.`);
}

export const isFolder = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
