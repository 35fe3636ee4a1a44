/** One agent per state folder, by a lock that the kernel releases when its holder dies, however it dies. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** The state folder cannot be used as it is. The message says what to do about it. */
export class StateFolderError extends Error {
  override readonly name = 'StateFolderError';
}

export interface Lock {
  release(): void;
}

/** How long a predecessor may take to die, milliseconds. */
const PATIENCE = 10_000;

/** Primary result codes for "somebody else holds it": https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

/**
 * Locks the state folder. Waits a while for a predecessor that is just dying.
 * The lock is SQLite's own (fcntl on Linux) on an empty database of its own, so that readers of the ledger are not shut out.
 * @throws StateFolderError when another agent keeps the folder, or the lock file cannot be made.
 */
export async function lockStateFolder(folder: string, patience = PATIENCE): Promise<Lock> {
  const path = join(folder, 'agent.lock');
  const giveUp = performance.now() + patience;
  for (;;) {
    const lock = tryLock(path);
    if (lock !== null) return lock;
    if (performance.now() >= giveUp)
      throw new StateFolderError(
        `Another agent uses the state folder ${folder}. Stop it, or give this one a state.path of its own.`,
      );
    await delay(100);
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
