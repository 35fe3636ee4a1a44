/** One write transaction on the ledger: everything or nothing, on disk when it returns. */
import type { DatabaseSync } from 'node:sqlite';
import type { Alert } from '../../config/topics.ts';
import type { FaultPoint } from '../faultPoints.ts';

/** An open ledger as its parts use it. */
export interface Connection {
  readonly database: DatabaseSync;
  readonly faultPoint: FaultPoint;
  /** Told of whatever reading or writing finds damaged, before it throws. */
  readonly onDamage?: (error: LedgerError) => void;
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
  /** What was to be written is nothing that the ledger takes: trying again does not help, leaving it out does. */
  readonly refused: boolean;
  constructor(alert: LedgerError['alert'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.alert = alert;
    this.damaged = isDamage(options?.cause);
    this.refused = !this.damaged && isRefusal(options?.cause);
  }
}

/** A row is not what was written into it, though SQLite can read it. */
export class RottenRowError extends Error {
  override readonly name = 'RottenRowError';
}

/** Primary result codes: https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;
/**
 * Extended ones, foreign key, primary key, unique and rowid: whoever writes has looked before, so that what he found and
 * what now stands in the way cannot both be true: an index does not agree with its table.
 */
const CONTRADICTIONS: readonly number[] = [787, 1555, 2067, 2579];

/**
 * Runs `body` between BEGIN IMMEDIATE and COMMIT; rolled back when it throws.
 * @throws LedgerError when SQLite cannot write; whatever else `body` throws.
 */
export function transaction<T>(connection: Connection, transition: Transition, body: () => T): T {
  const { database, faultPoint } = connection;
  let result: T;
  try {
    database.exec('BEGIN IMMEDIATE');
    result = body();
    faultPoint(`${transition}:uncommitted`);
    database.exec('COMMIT');
  } catch (cause) {
    rollBack(database);
    throw asLedgerError(connection, TRANSITIONS[transition], cause);
  }
  faultPoint(`${transition}:committed`);
  return result;
}

/**
 * Runs `body`, which only reads.
 * @throws LedgerError when SQLite cannot read; whatever else `body` throws.
 */
export function reading<T>(connection: Connection, operation: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw asLedgerError(connection, operation, cause);
  }
}

/** Whether the content of the file is wrong, rather than that it cannot be read or written now. */
export function isDamage(error: unknown): boolean {
  const code = primaryCode(error);
  return (
    code === SQLITE_CORRUPT ||
    code === SQLITE_NOTADB ||
    CONTRADICTIONS.includes(codeOf(error) ?? 0) ||
    error instanceof RottenRowError
  );
}

/** Whether SQLite, or its binding, does not take a value: too large a number, none where there must be one. */
function isRefusal(error: unknown): boolean {
  const code = primaryCode(error);
  if (code !== null) return code === SQLITE_CONSTRAINT || code === SQLITE_TOOBIG;
  return isBindingError(error);
}

function isBindingError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_INVALID_ARG_') || code === 'ERR_OUT_OF_RANGE';
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

/** SQLite's extended result code; null: it is no error of SQLite. */
function codeOf(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : null;
}

function primaryCode(error: unknown): number | null {
  const code = codeOf(error);
  return code === null ? null : code & 0xff;
}

function asLedgerError({ onDamage }: Connection, operation: string, cause: unknown): unknown {
  if (codeOf(cause) === null && !isDamage(cause) && !isRefusal(cause)) return cause;
  const error = new LedgerError(
    primaryCode(cause) === SQLITE_FULL ? 'disk-full' : 'ledger-failing',
    `Cannot ${operation}: ${wordsOf(cause as Error)}`,
    { cause },
  );
  if (error.damaged) onDamage?.(error);
  return error;
}

/** What is wrong and what to do. */
function wordsOf(cause: Error): string {
  const { message } = cause;
  const code = primaryCode(cause);
  if (code === SQLITE_FULL)
    return 'no space left in the state folder. Make space; nothing is lost meanwhile.';
  if (isDamage(cause))
    return `the ledger is damaged (${message}). Restart the agent: it sets the ledger aside and makes a new one.`;
  if (isRefusal(cause))
    return `the ledger does not take its values (${message}). All others are recorded; please report this.`;
  const told = `${message} (SQLite ${codeOf(cause)}).`;
  return code === SQLITE_BUSY || code === SQLITE_LOCKED
    ? `${told} Another process holds the ledger: end it, or wait for its end; nothing is lost meanwhile.`
    : `${told} Check the disk that holds the state folder.`;
}
