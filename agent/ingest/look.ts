/** One look at one name: what stands there, which version, and whether it is complete. */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Capture, modificationTime, sameVersion } from '../capture.ts';
import { isShortage } from '../inspect/shortage.ts';
import { pathTo } from './names.ts';
import { readiness } from './ready.ts';

export type Look =
  /** Nothing to judge: vanished, a folder or link to one, a socket without the name of an image. */
  | { readonly state: 'nothing'; readonly folder: boolean }
  /** This version needs no verdict any more. */
  | { readonly state: 'known' }
  /** Complete by its own format, or of a kind that cannot grow. */
  | { readonly state: 'complete'; readonly capture: Capture; readonly folder: boolean }
  /** To be judged once it has stood still. */
  | { readonly state: 'unsettled'; readonly capture: Capture }
  /** This process is short of descriptors or memory; says nothing about the file. */
  | { readonly state: 'again'; readonly code: string };

const IMAGE_NAME = /\.(jpe?g|png|tiff?|webp|bmp|gif|dcm)$/i;
const AGAIN = new Set(['EAGAIN', 'EINTR']);

/** Whether a name ends like that of an image; only matters for what is no file. */
export function isImageName(name: string): boolean {
  return IMAGE_NAME.test(name);
}

/**
 * The capture that stands at a name now, settled or not; null when there is none. Waits while descriptors run short.
 * @param expected a version that was seen whole there: if it is this one, its content is not read again.
 */
export async function captureAt(
  folder: string,
  name: string,
  expected: Capture | null = null,
): Promise<Capture | null> {
  for (;;) {
    const seen = await look(folder, name, () => false, expected);
    if (seen.state !== 'again') return 'capture' in seen ? seen.capture : null;
    await delay(50);
  }
}

/**
 * Looks once. Opens the file only when `isKnown` does not know its version, and never one that is no regular file.
 * @param name within the folder, `/` between its parts.
 * @param complete a version that an earlier look found complete: its content is not read again.
 */
export async function look(
  folder: string,
  name: string,
  isKnown: (capture: Capture) => boolean,
  complete: Capture | null,
): Promise<Look> {
  const file = pathTo(folder, name);
  const known = (capture: Capture): Look | null => (isKnown(capture) ? { state: 'known' } : null);
  let link: BigIntStats;
  let target: BigIntStats;
  try {
    link = await lstat(file, { bigint: true });
  } catch (error) {
    const code = codeOf(error);
    if (isOurs(error)) return { state: 'again', code };
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'nothing', folder: false };
    const capture = { name, size: 0, modifiedNanoseconds: 0n, kind: 'unreadable' } as const;
    return known(capture) ?? { state: 'unsettled', capture };
  }
  try {
    target = link.isSymbolicLink() ? await stat(file, { bigint: true }) : link;
  } catch (error) {
    const code = codeOf(error);
    if (isOurs(error)) return { state: 'again', code };
    const kind = code === 'EACCES' || code === 'EPERM' ? 'unreadable' : 'dangling-link';
    const capture = { name, size: 0, modifiedNanoseconds: modificationTime(link.mtimeNs), kind } as const;
    return known(capture) ?? { state: 'unsettled', capture };
  }
  if (!target.isFile()) {
    const isFolder = target.isDirectory() && !link.isSymbolicLink();
    const capture = { name, size: 0, modifiedNanoseconds: 0n, kind: 'not-a-file' } as const;
    if (!isImageName(name) || isKnown(capture)) return { state: 'nothing', folder: isFolder };
    return { state: 'complete', capture, folder: isFolder };
  }
  const capture = versionOf(name, target);
  if (complete !== null && sameVersion(capture, complete))
    return known(capture) ?? { state: 'complete', capture, folder: false };
  return known(capture) ?? (await lookInside(file, capture, known));
}

/** Opens and asks the format. A file that changed while it was looked at is unsettled. */
async function lookInside(
  file: string | Buffer,
  capture: Capture,
  known: (capture: Capture) => Look | null,
): Promise<Look> {
  let handle: FileHandle | undefined;
  try {
    // O_NONBLOCK: a named pipe that took the file's place must not make this wait for a writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const ready = await readiness(handle, capture.size);
    const after = versionOf(capture.name, await handle.stat({ bigint: true }));
    const changed = after.size !== capture.size || after.modifiedNanoseconds !== capture.modifiedNanoseconds;
    if (ready === 'complete' && !changed) return { state: 'complete', capture, folder: false };
    return { state: 'unsettled', capture: after };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return { state: 'nothing', folder: false };
    if (isOurs(error)) return { state: 'again', code };
    const unreadable = { ...capture, kind: 'unreadable' } as const;
    return known(unreadable) ?? { state: 'unsettled', capture: unreadable };
  } finally {
    await handle?.close();
  }
}

function versionOf(name: string, stats: BigIntStats): Capture {
  return {
    name,
    size: Math.min(Number(stats.size), Number.MAX_SAFE_INTEGER), // a sparse file may claim more, which the ledger cannot hold
    modifiedNanoseconds: modificationTime(stats.mtimeNs),
    kind: 'file',
    stamp: `${stats.ino}/${stats.ctimeNs}`,
  };
}

/** Whether it is worth another try, whatever stands there. */
function isOurs(error: unknown): boolean {
  return isShortage(error) || AGAIN.has(codeOf(error));
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
