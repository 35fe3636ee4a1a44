/** Reads a folder as a whole: what stands in it is the truth, whatever events came or did not come. */
import type { Dir, Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { nameOf, pathTo } from './names.ts';

/** Names considered at the same time; bounds memory, since the next are read only when these were looked at. */
const BATCH = 64;

export interface SweepOptions {
  /** The watched folder. */
  readonly folder: string;
  /** Where to begin, within the folder; empty: the folder itself. */
  readonly from: string;
  readonly ignored: (name: string) => boolean;
  /** Called with each folder before it is read. */
  readonly onFolder: (name: string) => void;
  /** Most folders from the watched one down to a file. */
  readonly depth: number;
  /** Called with each folder that lies deeper, or whose path is longer than the system allows, and is not read. */
  readonly onTooDeep: (name: string) => void;
  /**
   * Called for everything that is no folder, and for folders too when `wantsFolder` says so.
   * @returns whether it was a folder after all: some file systems do not say so in their listings.
   */
  readonly onName: (name: string) => Promise<boolean>;
  readonly wantsFolder: (name: string) => boolean;
  /** Checked between batches: ends the sweep early. */
  readonly stopped: () => boolean;
}

export interface Swept {
  /** Names handed to `onName`. */
  readonly names: number;
  /** Why the folder where it began cannot be read, such as ENOENT; null when it could. */
  readonly missing: string | null;
  /** Why one of its subfolders cannot be read, other than that it vanished; null when all could. */
  readonly unreadable: string | null;
}

/** Streams through the folder and its subfolders; links to folders are not followed. Never rejects for the disk. */
export async function sweep(options: SweepOptions): Promise<Swept> {
  const waiting: string[] = [];
  let names = 0;
  let unreadable: string | null = null;
  const enter = (name: string) => {
    if (name.split('/').length <= options.depth) waiting.push(name);
    else options.onTooDeep(name);
  };
  if (options.from === '') waiting.push('');
  else enter(options.from);
  for (let at = waiting.pop(); at !== undefined && !options.stopped(); at = waiting.pop()) {
    try {
      options.onFolder(at);
      for await (const batch of batches(await openFolder(options.folder, at))) {
        const looks = batch.map(async (entry) => {
          const name = at === '' ? nameOf(entry.name) : `${at}/${nameOf(entry.name)}`;
          if (options.ignored(name)) return;
          if (entry.isDirectory()) enter(name);
          if (entry.isDirectory() && !options.wantsFolder(name)) return;
          names++;
          if ((await options.onName(name)) && !entry.isDirectory()) enter(name);
        });
        await Promise.all(looks);
        if (options.stopped()) break;
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      if (code === 'ENAMETOOLONG') {
        options.onTooDeep(at); // within the depth that is wanted, but not within what the system reads
        continue;
      }
      if (at === options.from) return { names, missing: code, unreadable };
      if (code !== 'ENOENT' && code !== 'ENOTDIR') unreadable = code;
    }
  }
  return { names, missing: null, unreadable };
}

/** With names as bytes. */
function openFolder(folder: string, name: string): Promise<Dir> {
  // The types know opendir's option, but not that its entries then have names of that kind.
  const options = { bufferSize: 256, encoding: 'buffer' as BufferEncoding };
  return opendir(pathTo(folder, name), options);
}

async function* batches(folder: Dir) {
  let batch: Dirent<Buffer>[] = [];
  for await (const entry of folder as AsyncIterable<unknown> as AsyncIterable<Dirent<Buffer>>) {
    batch.push(entry);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}
