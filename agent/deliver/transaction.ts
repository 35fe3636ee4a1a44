/** One write transaction on the ledger: everything or nothing, on disk when it returns. */
import type { DatabaseSync } from 'node:sqlite';
import type { Alert } from '../../config/topics.ts';
import type { FaultPoint } from '../faultPoints.ts';

/** An open ledger as its parts use it. */
export interface Connection {
  readonly database: DatabaseSync;
  readonly faultPoint: FaultPoint;
}

/** Every way in which the ledger changes, each one transaction: "Cannot ... " when it fails. */
export const TRANSITIONS = {
  record: 'record a verdict',
  acknowledge: 'write down acknowledgements',
  drop: 'drop the oldest waiting verdicts',
  announce: 'write down that a gap was announced',
  prune: 'prune the oldest verdicts',
  ask: 'ask for captures to be judged again',
  threshold: 'write down a threshold',
  migrate: 'migrate the ledger',
  'take-over': 'take over what a damaged ledger holds',
  'pass-over': 'pass over numbers that the ledger lacks',
} as const;

export type Transition = keyof typeof TRANSITIONS;

/** The ledger could not be read or written and stands as before. Stop scoring, raise `alert`, try again later. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  readonly alert: Extract<Alert, 'disk-full' | 'ledger-failing'>;
  /** The content of the ledger is wrong: trying again does not help, opening it anew does. */
  readonly damaged: boolean;
  constructor(alert: LedgerError['alert'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.alert = alert;
    this.damaged = isDamage(options?.cause);
  }
}

/** Primary result codes: https://sqlite.org/rescode.html */
const SQLITE_FULL = 13;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Runs `body` between BEGIN IMMEDIATE and COMMIT; rolled back when it throws.
 * @throws LedgerError when SQLite cannot write; whatever else `body` throws.
 */
export function transaction<T>(
  { database, faultPoint }: Connection,
  transition: Transition,
  body: () => T,
): T {
  let result: T;
  try {
    database.exec('BEGIN IMMEDIATE');
    result = body();
    faultPoint(`${transition}:uncommitted`);
    database.exec('COMMIT');
  } catch (cause) {
    rollBack(database);
    throw asLedgerError(TRANSITIONS[transition], cause);
  }
  faultPoint(`${transition}:committed`);
  return result;
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

/** Whether SQLite says that the content of the file is wrong, rather than that it cannot be read or written now. */
export function isDamage(error: unknown): boolean {
  const code = primaryCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
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

function primaryCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

function asLedgerError(operation: string, cause: unknown): unknown {
  const code = primaryCode(cause);
  if (code === null) return cause;
  const { message, errcode } = cause as Error & { errcode: number };
  const words =
    code === SQLITE_FULL
      ? 'no space left in the state folder. Make space; nothing is lost meanwhile.'
      : isDamage(cause)
        ? `the ledger is damaged (${message}). Restart the agent: it sets the ledger aside and makes a new one.`
        : `${message} (SQLite ${errcode}). Check the disk that holds the state folder.`;
  return new LedgerError(
    code === SQLITE_FULL ? 'disk-full' : 'ledger-failing',
    `Cannot ${operation}: ${words}`,
    { cause },
  );
}
