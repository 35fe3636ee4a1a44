/** The bytes of a capture, with a reason code for everything that may be wrong with its file. */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { type Limits, UnscorableError } from './inspection.ts';
import { isShortage } from './shortage.ts';

export interface Content {
  readonly bytes: Uint8Array;
  /** Hex. */
  readonly sha256: string;
  /** Of the file, as `versionAt` gives it; null: no file of its own. */
  readonly version: string | null;
}

/**
 * Reads a regular file of at most `limits.bytes`. Not in another thread: four changes of thread take longer than to read a
 * capture that was just written.
 * @throws UnscorableError; the error of the operating system where that is short of descriptors or memory.
 */
export async function readContent(file: string | Buffer, limits: Limits): Promise<Content> {
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor, { bigint: true });
    if (!stats.isFile()) throw new UnscorableError('not-a-file', 'A folder, socket or device, not a file.');
    const size = Number(stats.size);
    if (size > limits.bytes) throw tooLarge(size, limits);
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, filled);
      if (count === 0) break; // shrank meanwhile
      filled += count;
    }
    return contentOf(bytes.subarray(0, filled), versionOf(stats));
  } catch (error) {
    if (error instanceof UnscorableError || isShortage(error)) throw error;
    throw await readFailure(file, error as NodeJS.ErrnoException);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Content that is at hand already. @throws UnscorableError beyond `limits.bytes`. */
export function givenContent(bytes: Uint8Array, limits: Limits): Content {
  if (bytes.length > limits.bytes) throw tooLarge(bytes.length, limits);
  return contentOf(bytes, null);
}

/** Which version of which file stands there; null: none that can be asked. */
export async function versionAt(file: string | Buffer): Promise<string | null> {
  return stat(file, { bigint: true }).then(versionOf, () => null);
}

function contentOf(bytes: Uint8Array, version: string | null): Content {
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex'), version };
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

const tooLarge = (size: number, limits: Limits): UnscorableError =>
  new UnscorableError('too-large', `The file has ${size} bytes; limits.bytes allows ${limits.bytes}.`);

async function readFailure(file: string | Buffer, cause: NodeJS.ErrnoException): Promise<UnscorableError> {
  if (cause.code === 'ENOENT') {
    const link = await lstat(file).then(
      (s) => s.isSymbolicLink(),
      () => false,
    );
    return link
      ? new UnscorableError('dangling-link', 'A symbolic link leads nowhere.', { cause })
      : new UnscorableError('vanished', 'The file disappeared before it could be read.', { cause });
  }
  if (cause.code === 'ENXIO')
    return new UnscorableError('not-a-file', 'A socket or device, not a file.', { cause });
  return new UnscorableError(
    'unreadable',
    `Reading the file failed (${cause.code}). Check the permissions.`,
    { cause },
  );
}
