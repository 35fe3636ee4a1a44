/** A system clock that jumps, for one process tree: libfaketime. The monotonic clock and file times stay true. */
import { globSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface Clock {
  /** For the processes whose clock it is; empty where there is no libfaketime. */
  readonly environment: Record<string, string>;
  /** From within a second on their clock is so many seconds off. */
  jump(seconds: number): Promise<void>;
}

/** Null where libfaketime is not installed. On Debian: apt-get install libfaketime */
export async function openClock(folder: string): Promise<Clock | null> {
  const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1');
  if (library === undefined) return null;
  const file = path.join(folder, 'clock');
  const jump = async (seconds: number) => {
    await writeFile(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
    await rename(`${file}.new`, file);
  };
  await jump(0);
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    jump,
  };
}
