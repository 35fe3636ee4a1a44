/** The ledger: what was captured, judged, and delivered. One SQLite file; what it returned from is on disk. */
import { closeSync, openSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '../../config/folder.ts';
import { type FaultPoint, noFault } from '../faultPoints.ts';
import { type LedgerOutbox, ledgerOutbox } from './ledgerOutbox.ts';
import { type LedgerRecords, ledgerRecords } from './ledgerRecords.ts';
import { type LedgerThresholds, ledgerThresholds } from './ledgerThresholds.ts';
import { type LockOptions, lockStateFolder, StateFolderError } from './lock.ts';
import { migrate } from './schema.ts';
import { syncFile } from './sync.ts';
import type { Connection } from './transaction.ts';

export interface Ledger extends LedgerRecords {
  readonly outbox: LedgerOutbox;
  readonly thresholds: LedgerThresholds;
  /** Writes the log back into the one file and releases the state folder. */
  close(): void;
}

export interface LedgerOptions extends LockOptions {
  readonly faultPoint?: FaultPoint;
}

/** The ledger's file within the state folder. */
export const LEDGER_FILE = 'ledger.sqlite';

/**
 * Opens the ledger in `stateFolder`, which is made when it is missing, and keeps other agents out of it.
 * @param options how to wait for another agent on the same folder to end.
 * @throws StateFolderError when another agent uses the folder, or the ledger is of a newer agent.
 */
export async function openLedger(stateFolder: string, options: LedgerOptions = {}): Promise<Ledger> {
  const { faultPoint = noFault } = options;
  try {
    await makeFolder(stateFolder, 0o700);
    syncFile(dirname(resolve(stateFolder)));
  } catch (cause) {
    throw new StateFolderError(
      `State folder ${stateFolder} cannot be made: ${(cause as Error).message}. Check state.path and its permissions.`,
      { cause },
    );
  }
  const lock = await lockStateFolder(stateFolder, options);
  try {
    const connection = connect(join(stateFolder, LEDGER_FILE), faultPoint);
    const close = () => {
      connection.database.close();
      lock.release();
    };
    return {
      ...ledgerRecords(connection),
      outbox: ledgerOutbox(connection),
      thresholds: ledgerThresholds(connection),
      close,
    };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}

function connect(path: string, faultPoint: FaultPoint): Connection {
  let database: DatabaseSync | undefined;
  try {
    // File names stand in it: for this user's eyes only. SQLite gives its -wal and -shm the same mode.
    closeSync(openSync(path, 'a', 0o600));
    database = new DatabaseSync(path, { timeout: 5000 });
    // FULL: a commit is on the platter before it returns, in WAL mode too (https://sqlite.org/pragma.html#pragma_synchronous).
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864',
    );
    migrate({ database, faultPoint }, path);
    return { database, faultPoint };
  } catch (cause) {
    database?.close();
    if (cause instanceof StateFolderError) throw cause;
    throw new StateFolderError(
      `Ledger ${path} cannot be opened: ${(cause as Error).message}. Check its disk and permissions; a damaged ledger can be moved away, its captures are then judged again with the same ids.`,
      { cause },
    );
  }
}
