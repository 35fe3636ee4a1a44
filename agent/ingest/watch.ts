/** Events of the file system: hints that something happened, for speed only. */
import { type FSWatcher, watch } from 'node:fs';
import path from 'node:path';
import { nameOf, pathTo } from './names.ts';

export interface WatchOptions {
  /** The watched folder. */
  readonly folder: string;
  /** Something happened at this name. */
  readonly onName: (name: string) => void;
  /** The watched folder itself may have come or gone. */
  readonly onSelf: () => void;
}

export interface Watches {
  /**
   * Listens to one folder within the watched one (empty: itself) from now on; again for one that is listened to is
   * nothing. Whoever reads the folder after that misses no file: it is in the reading or in an event.
   */
  add(name: string): void;
  /** Why events may be missing, such as ENOSPC: no watches left; null when they should all come. */
  readonly failure: string | null;
  /** Forgets a failure, since what failed is tried again by the next reading. */
  forgetFailure(): void;
  close(): void;
}

/** What a folder that vanished or cannot be read gives. Reading it says the same, and better. */
const OF_THE_FOLDER = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG']);

/**
 * Listens to nothing yet. Node's own `fs.watch` on each folder, so that the number of files costs nothing (chokidar,
 * and its `recursive`, look at every file at the start: 2 s and 300 MB for 100,000).
 */
export function openWatches({ folder, onName, onSelf }: WatchOptions): Watches {
  const watchers = new Map<string, FSWatcher>();
  let failure: string | null = null;

  const drop = (name: string) => {
    for (const [watched, watcher] of watchers)
      if (watched === name || watched.startsWith(`${name}/`)) {
        watcher.close();
        watchers.delete(watched);
      }
  };

  const failed = (error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    if (!OF_THE_FOLDER.has(code)) failure = code;
  };

  const hear = (within: string, event: string, entry: Buffer | null) => {
    if (entry === null) return onSelf();
    // What happens to a folder itself it says under its own name, as if it lay within itself: reading it tells what is so.
    if (nameOf(entry) === path.basename(within === '' ? folder : within)) {
      if (within === '') return onSelf();
      if (event === 'rename') drop(within);
      return onName(within);
    }
    const name = within === '' ? nameOf(entry) : `${within}/${nameOf(entry)}`;
    // Another one may stand there now: it is read, and then listened to.
    if (event === 'rename' && watchers.has(name)) drop(name);
    onName(name);
  };

  return {
    add(name) {
      if (watchers.has(name)) return;
      try {
        const watcher = watch(pathTo(folder, name), { encoding: 'buffer' }, (event, entry) =>
          hear(name, event, entry),
        );
        watcher.on('error', (error) => {
          failed(error);
          watcher.close();
          if (watchers.get(name) === watcher) watchers.delete(name);
        });
        watchers.set(name, watcher);
      } catch (error) {
        failed(error);
      }
    },
    get failure() {
      return failure;
    },
    forgetFailure() {
      failure = null;
    },
    close() {
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
