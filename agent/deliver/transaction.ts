/** One write transaction on the ledger: everything or nothing, on disk when it returns. */
import type { DatabaseSync } from 'node:sqlite';
import type { Alert } from '../../config/topics.ts';

/** The ledger could not be read or written and stands as before. Stop scoring, raise `alert`, try again later. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  readonly alert: Extract<Alert, 'disk-full' | 'ledger-failing'>;
  constructor(alert: 'disk-full' | 'ledger-failing', message: string, options?: ErrorOptions) {
    super(message, options);
    this.alert = alert;
  }
}

/** Primary result code for "no space left": https://sqlite.org/rescode.html#full */
const SQLITE_FULL = 13;

/**
 * Runs `body` between BEGIN IMMEDIATE and COMMIT; rolled back when it throws.
 * @throws LedgerError when SQLite cannot write; whatever else `body` throws.
 */
export function transaction<T>(database: DatabaseSync, operation: string, body: () => T): T {
  try {
    database.exec('BEGIN IMMEDIATE');
    const result = body();
    database.exec('COMMIT');
    return result;
  } catch (cause) {
    rollBack(database);
    throw asLedgerError(operation, cause);
  }
}

/**
 * Runs `body`, which only reads.
 * @throws LedgerError when SQLite cannot read; whatever else `body` throws.
 */
export function reading<T>(operation: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw asLedgerError(operation, cause);
  }
}

/** Some failures (disk full among them) make SQLite roll back by itself: https://sqlite.org/lang_transaction.html */
function rollBack(database: DatabaseSync): void {
  if (!database.isOpen || !database.isTransaction) return;
  try {
    database.exec('ROLLBACK');
  } catch {
    // The failure that brought us here is the one to report; BEGIN fails again if this one lasts.
  }
}

function asLedgerError(operation: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !('errcode' in cause) || typeof cause.errcode !== 'number') return cause;
  const full = (cause.errcode & 0xff) === SQLITE_FULL;
  return new LedgerError(
    full ? 'disk-full' : 'ledger-failing',
    full
      ? `Cannot ${operation}: no space left in the state folder. Make space; nothing is lost meanwhile.`
      : `Cannot ${operation}: ${cause.message} (SQLite ${cause.errcode}). Check the disk that holds the state folder.`,
    { cause },
  );
}
