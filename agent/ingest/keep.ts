/** Keeps the right folder watched: one that vanishes, is mounted, or made anew is another one under the same name. */
import { type BigIntStats, constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { openWatch, type Watch, type WatchOptions } from './watch.ts';

export interface WatchKeeper {
  /**
   * Watches the folder that stands there now, anew when it is another one or when watching had failed.
   * Calls must not overlap. @returns why there is nothing to watch, such as ENOENT; null when there is.
   */
  ensure(): Promise<string | null>;
  /** Why events may be missing, such as ENOSPC; null when they should all come. */
  readonly failure: string | null;
  close(): Promise<void>;
}

/** @param options `onError` is called after `failure` has changed. */
export function keepWatch(options: WatchOptions): WatchKeeper {
  let watch: { readonly identity: string; readonly handle: Watch } | null = null;
  let failure: string | null = null;
  const close = async () => {
    const closing = watch;
    watch = null;
    failure = null;
    await closing?.handle.close();
  };
  return {
    async ensure() {
      try {
        const identity = await identityOf(options.folder);
        if (watch?.identity === identity && failure === null) return null;
        await close();
        const onError = (error: NodeJS.ErrnoException) => {
          failure = error.code ?? 'unknown';
          options.onError(error);
        };
        watch = { identity, handle: await openWatch({ ...options, onError }) };
        return null;
      } catch (error) {
        await close();
        return (error as NodeJS.ErrnoException).code ?? 'unknown';
      }
    },
    get failure() {
      return failure;
    },
    close,
  };
}

async function identityOf(folder: string): Promise<string> {
  const stats: BigIntStats = await stat(folder, { bigint: true });
  if (!stats.isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
  await access(folder, constants.R_OK | constants.X_OK);
  return `${stats.dev}:${stats.ino}`;
}
