/** One agent per state folder, by a lock that the kernel releases when its holder dies, however it dies. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

/** The state folder cannot be used as it is. The message says what to do about it. */
export class StateFolderError extends Error {
  override readonly name = 'StateFolderError';
}

export interface Lock {
  release(): void;
}

/** Who has the lock, by its own account. */
const holder = z.object({ pid: z.int(), since: z.iso.datetime() });
export type Holder = z.infer<typeof holder>;

export interface LockOptions {
  /** How long to wait for a predecessor to die, milliseconds. */
  readonly patience?: number;
  /** Called once, at once, when there is somebody to wait for; null: it does not say who it is. */
  readonly onWait?: (holder: Holder | null, patience: number) => void;
  /** Ends the waiting. */
  readonly stop?: AbortSignal;
}

const PATIENCE = 10_000;

/** Primary result codes for "somebody else holds it": https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

/**
 * Locks the state folder. Waits a while for a predecessor that is just dying.
 * The lock is SQLite's own (fcntl on Linux) on an empty database of its own, so that readers of the ledger are not shut out.
 * @throws StateFolderError when another agent keeps the folder, or the lock file cannot be made.
 */
export async function lockStateFolder(folder: string, options: LockOptions = {}): Promise<Lock> {
  const { patience = PATIENCE, onWait, stop } = options;
  const path = join(folder, 'agent.lock');
  const note = join(folder, 'agent.pid');
  const giveUp = performance.now() + patience;
  for (let tries = 0; ; tries++) {
    const lock = tryLock(path);
    if (lock !== null) {
      sign(note);
      return lock;
    }
    const keeper = readHolder(note);
    if (performance.now() >= giveUp || stop?.aborted) throw new StateFolderError(inUse(folder, keeper));
    if (tries === 0) onWait?.(keeper, patience);
    await delay(100, undefined, stop === undefined ? {} : { signal: stop }).catch(() => {});
  }
}

function inUse(folder: string, keeper: Holder | null): string {
  const who = keeper === null ? '' : ` (process ${keeper.pid}, since ${keeper.since})`;
  return `Another agent${who} uses the state folder ${folder}. Stop it, or give this one a state.path of its own.`;
}

/** Says who has the lock. Only words for whoever waits: it may fail, on a full disk as well. */
function sign(note: string): void {
  try {
    writeFileSync(note, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }), {
      mode: 0o600,
    });
  } catch {}
}

function readHolder(note: string): Holder | null {
  try {
    return holder.parse(JSON.parse(readFileSync(note, 'utf8')));
  } catch {
    return null;
  }
}

function tryLock(path: string): Lock | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    const held = database;
    return { release: () => held.close() };
  } catch (cause) {
    database?.close();
    if (cause instanceof Error && 'errcode' in cause && (Number(cause.errcode) & 0xff) === SQLITE_BUSY)
      return null;
    throw new StateFolderError(
      `${path} cannot be locked: ${(cause as Error).message}. The state folder must be writable, on a local disk.`,
      { cause },
    );
  }
}
