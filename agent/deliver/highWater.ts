/** The highest number that was given to a verdict, beside the ledger: so that a ledger that lost some is known as one. */
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StateFolderError } from './lock.ts';

const FILE = 'seq';
/** Digits of a number, so that each takes the place of the one before. */
const WIDTH = 16;

export interface HighWater {
  /** As it was left by the last agent; 0: none, or it cannot be read. */
  readonly reached: number;
  /**
   * A verdict with this number is in the ledger. Written at once, but not waited for: after a power cut it may be an
   * earlier one, which is no harm, as the ledger on disk is then the further of the two. It may fail, on a full disk.
   */
  note(seq: number): void;
  close(): void;
}

/** @throws StateFolderError when the file can be neither read nor made. */
export function openHighWater(stateFolder: string): HighWater {
  const path = join(stateFolder, FILE);
  let descriptor: number;
  let text: string;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    text = readFileSync(descriptor, 'latin1').trim();
  } catch (cause) {
    throw new StateFolderError(
      `${path} cannot be opened: ${(cause as Error).message}. Check state.path and its permissions.`,
      { cause },
    );
  }
  const left = /^\d{1,15}$/.test(text) ? Number(text) : 0; // no agent comes that far, and all of these are exact
  if (left === 0) ftruncateSync(descriptor); // what no number overwrites would make the next one unreadable
  let reached = left;
  return {
    reached: left,
    note(seq) {
      if (seq <= reached) return;
      try {
        writeSync(descriptor, `${seq}`.padStart(WIDTH), 0, 'latin1');
        reached = seq;
      } catch {}
    },
    close: () => closeSync(descriptor),
  };
}
