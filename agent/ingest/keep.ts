/** Keeps the right folder watched: one that vanishes, is mounted, or made anew is another one under the same name. */
import { type BigIntStats, constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { openWatches, type Watches, type WatchOptions } from './watch.ts';

export interface WatchKeeper {
  /**
   * Looks which folder stands there now; another one than before is listened to anew as it is read. Calls must not
   * overlap. @returns why there is nothing to watch, such as ENOENT; null when there is.
   */
  ensure(): Promise<string | null>;
  /** The file system that was mounted there is gone, and the folder beneath it shows instead. */
  readonly unmounted: boolean;
  /** To be called before a folder is read. */
  listen(name: string): void;
  /** Why events may be missing, such as ENOSPC; null when they should all come, or none are asked for. */
  readonly failure: string | null;
  close(): void;
}

/** @param events false: listen to nothing, for file systems that tell nothing. */
export function keepWatch(options: WatchOptions, events: boolean): WatchKeeper {
  let identity = '';
  let mounted = false;
  let unmounted = false;
  let watches: Watches | null = null;
  const close = () => {
    watches?.close();
    watches = null;
    identity = '';
  };
  return {
    async ensure() {
      try {
        const now = await look(options.folder);
        unmounted = mounted && !now.mounted;
        mounted ||= now.mounted;
        if (now.identity !== identity) close();
        identity = now.identity;
        if (events) watches ??= openWatches(options);
        watches?.forgetFailure();
        return null;
      } catch (error) {
        close();
        return (error as NodeJS.ErrnoException).code ?? 'unknown';
      }
    },
    get unmounted() {
      return unmounted;
    },
    listen: (name) => watches?.add(name),
    get failure() {
      return watches?.failure ?? null;
    },
    close,
  };
}

/** Which folder stands there, and whether it is where a file system is mounted. */
async function look(folder: string): Promise<{ identity: string; mounted: boolean }> {
  const stats: BigIntStats = await stat(folder, { bigint: true });
  if (!stats.isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
  await access(folder, constants.R_OK | constants.X_OK);
  const parent = await stat(path.dirname(await realpath(folder)), { bigint: true });
  return { identity: `${stats.dev}:${stats.ino}`, mounted: parent.dev !== stats.dev };
}
