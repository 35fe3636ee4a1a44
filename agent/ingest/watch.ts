/** Events of the file system: hints that something happened, for speed only. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { watch as watchTree } from 'chokidar';

export interface WatchOptions {
  /** The watched folder. */
  readonly folder: string;
  readonly ignored: (name: string) => boolean;
  /** Something happened at this name. */
  readonly onName: (name: string) => void;
  /** A folder appeared, or the watched folder itself came or went (empty name). */
  readonly onFolder: (name: string) => void;
  /** Events are lost from here on, in whole or in part, such as ENOSPC: no watches left. */
  readonly onError: (error: NodeJS.ErrnoException) => void;
}

export interface Watch {
  close(): Promise<void>;
}

/**
 * Resolves when all folders are watched. Chokidar is told of folders only (it would hold a record of every file, 23 MB
 * for 30,000, and stat them all), and its unthrottled `raw` events say what happened within them: its `change` events
 * come at most every 50 ms, and its `add` of an empty file waits for 10 ms. Rejects when there is no such folder.
 */
export async function openWatch(options: WatchOptions): Promise<Watch> {
  const folder = await realpath(options.folder); // may itself be a link, and links are not followed below
  const nameOf = (file: string): string | null => {
    const name = path.relative(folder, file).split(path.sep).join('/');
    return name === '..' || name.startsWith('../') || options.ignored(name) ? null : name;
  };
  const watcher = watchTree(folder, {
    ignoreInitial: true,
    followSymlinks: false,
    atomic: false,
    ignored: (file, stats) => nameOf(file) === null || (stats !== undefined && !stats.isDirectory()),
  });
  const onFolder = (file: string) => {
    const name = nameOf(file);
    if (name !== null) options.onFolder(name);
  };
  watcher.on('addDir', onFolder);
  watcher.on('unlinkDir', (file) => {
    if (nameOf(file) === '') options.onFolder('');
  });
  watcher.on('raw', (_event, entry, details) => {
    const { watchedPath } = details as { readonly watchedPath?: string };
    if (entry === null || watchedPath === undefined) return;
    // A watched folder that is deleted says so under its own name; another one may stand there already.
    if (entry === path.basename(watchedPath)) onFolder(watchedPath);
    const name = nameOf(path.join(watchedPath, entry));
    if (name === '') options.onFolder('');
    else if (name !== null) options.onName(name);
  });
  watcher.on('error', (error) => options.onError(error as NodeJS.ErrnoException));
  await new Promise<void>((resolve) => watcher.once('ready', resolve));
  return { close: () => watcher.close() };
}
