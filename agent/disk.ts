/** Space in the state folder. */
import { statfs } from 'node:fs/promises';

export interface DiskProbe {
  /** Bytes free when last asked. */
  readonly free: number;
  /** Milliseconds for which the file system has owed an answer; null when it owes none. */
  readonly asking: number | null;
  /** Asks anew: what is wrong in words, or null when at least `wanted` bytes are free. */
  shortage(wanted: number): Promise<string | null>;
}

/** @throws what the file system says when `folder` is not there. */
export async function openDiskProbe(folder: string): Promise<DiskProbe> {
  let free = await freeBytes(folder);
  /** When each question that waits was asked, oldest first. */
  const asked = new Set<{ readonly at: number }>();
  return {
    get free() {
      return free;
    },
    get asking() {
      const [oldest] = asked;
      return oldest === undefined ? null : performance.now() - oldest.at;
    },
    async shortage(wanted) {
      const question = { at: performance.now() };
      asked.add(question);
      try {
        free = await freeBytes(folder);
      } catch (error) {
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        return `The state folder cannot be asked for its space (${code}). Is it there, and mounted? Captures wait meanwhile.`;
      } finally {
        asked.delete(question);
      }
      return shortageOf(free, wanted);
    },
  };
}

/** Too little space, in words; null when there is enough. */
export function shortageOf(free: number, wanted: number): string | null {
  if (free >= wanted) return null;
  return `The state folder has ${mebibytes(free)} free, and limits.disk wants ${mebibytes(wanted)}. Make space, or lower limits.disk; captures wait meanwhile.`;
}

/** Bytes that this user may still write. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
