/** Names that are safe to publish: keyed hashes, the key of which never leaves this PC. */
import { createHmac, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { VerdictWord } from '../../config/verdict.ts';
import type { Capture } from '../capture.ts';
import { StateFolderError } from './lock.ts';
import { syncFile } from './sync.ts';

const KEY_BYTES = 32;

/**
 * The site key: 32 random bytes in `<stateFolder>/site.key`, made at the first start, readable by this user alone.
 * Never overwritten: with another key the same captures would get other ids.
 * @throws StateFolderError when the file is damaged or cannot be written.
 */
export function siteKey(stateFolder: string): Buffer {
  const path = join(stateFolder, 'site.key');
  try {
    let key = readKey(path);
    if (key === null) {
      makeKey(stateFolder, path);
      key = readKey(path)!;
    }
    if (key.length === KEY_BYTES) return key;
    throw new Error(`it holds ${key.length} bytes, expected ${KEY_BYTES}`);
  } catch (cause) {
    throw new StateFolderError(
      `Site key ${path} cannot be used: ${(cause as Error).message}. Restore it from a backup; without it, captures and images get new ids and refs.`,
      { cause },
    );
  }
}

/**
 * The same, for who only reads: none is made.
 * @throws StateFolderError when there is none.
 */
export function existingSiteKey(stateFolder: string): Buffer {
  if (!hasSiteKey(stateFolder))
    throw new StateFolderError(
      `There is no site key in ${stateFolder}. Name the state folder of an agent that has run, or restore site.key from a backup.`,
    );
  return siteKey(stateFolder);
}

export function hasSiteKey(stateFolder: string): boolean {
  return existsSync(join(stateFolder, 'site.key'));
}

/**
 * `image.ref`: first 128 bits of HMAC-SHA-256 over the name within the watched folder, 32 hex digits. The frames of one
 * file share it.
 */
export function imageRef(key: Buffer, name: string): string {
  return createHmac('sha256', key).update(`ref\0${name}`).digest('hex').slice(0, 32);
}

/** What a verdict says: an id never stands for another. */
export interface Said {
  /** From 1. */
  readonly revision: number;
  readonly verdict: VerdictWord;
  readonly reason: string | null;
  readonly score: number | null;
  /** Digest of the bundle. */
  readonly model: string;
}

/**
 * A UUID that follows from the capture and what is said of it: when the ledger was lost and a capture is judged again, it
 * gets the same id if the verdict is the same, and another if threshold or model have changed. Version 8 layout of
 * RFC 9562, section 5.8, over HMAC-SHA-256.
 */
export function verdictId(key: Buffer, device: string, capture: Capture, said: Said): string {
  const { name, size, modifiedNanoseconds, kind, frame } = capture;
  const { revision, verdict, reason, score, model } = said;
  const identity = JSON.stringify([
    ...[device, name, size, modifiedNanoseconds.toString(), kind],
    ...[revision, verdict, reason, score, model],
    ...(frame === undefined ? [] : [frame]),
  ]);
  const bytes = createHmac('sha256', key).update(`id\0${identity}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join('-');
}

function readKey(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Whole or not at all, on disk when it returns. Linking, unlike renaming, never replaces a key that came first. */
function makeKey(folder: string, path: string): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, randomBytes(KEY_BYTES));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  linkSync(temporary, path);
  rmSync(temporary);
  syncFile(folder);
}
