/** The ledger: what was captured, judged, and delivered. One SQLite file; what it returned from is on disk. */
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '../../config/folder.ts';
import { type FaultPoint, noFault } from '../faultPoints.ts';
import { type DamageNote, damageNote } from './damageNote.ts';
import { type HighWater, openHighWater } from './highWater.ts';
import { checkIntegrity } from './integrity.ts';
import { type LedgerGaps, ledgerGaps } from './ledgerGaps.ts';
import { type LedgerOutbox, ledgerOutbox } from './ledgerOutbox.ts';
import { type LedgerRecords, lastSeq, ledgerRecords, skipTo } from './ledgerRecords.ts';
import { type LedgerRetention, ledgerRetention } from './ledgerRetention.ts';
import { type LedgerThresholds, ledgerThresholds } from './ledgerThresholds.ts';
import { type LedgerWishes, ledgerWishes } from './ledgerWishes.ts';
import { type LockOptions, lockStateFolder, StateFolderError } from './lock.ts';
import { announceMissing, missingNumbers } from './missing.ts';
import { finishRebuild, type Rebuilt, rebuild } from './rebuild.ts';
import { migrate } from './schema.ts';
import { syncFile } from './sync.ts';
import { type Connection, isDamage, LedgerError, reading, transaction } from './transaction.ts';

export interface Ledger extends LedgerRecords {
  readonly outbox: LedgerOutbox;
  readonly gaps: LedgerGaps;
  readonly retention: LedgerRetention;
  readonly wishes: LedgerWishes;
  readonly thresholds: LedgerThresholds;
  readonly opening: Opening;
  /** Resolves when reading or writing finds it damaged: it has to be opened anew, which mends it. */
  readonly damaged: Promise<LedgerError>;
  /** How this ledger was last made anew because it was damaged; null: never. */
  readonly rebuilt: Rebuilt | null;
  /**
   * Throws when another file, or none, has taken the place of the opened one in the state folder: what is written to
   * the opened one is gone when it is closed. Says nothing while the state folder itself is away.
   * @throws StateFolderError
   */
  requireInPlace(): void;
  /** Writes the log back into the one file and releases the state folder. */
  close(): void;
}

/** What was found when it was opened. */
export interface Opening {
  /** It was damaged, and has just been made anew. */
  readonly rebuilt: boolean;
  /** False: the check of its integrity was not done in time, and was left. */
  readonly checked: boolean;
  /** It lacks the verdicts of these numbers, which were given: somebody deleted, emptied or restored it. null: none. */
  readonly missing: { readonly first: number; readonly last: number } | null;
}

export interface LedgerOptions extends LockOptions {
  readonly faultPoint?: FaultPoint;
}

/** Milliseconds that the checks of its integrity may take at a start; what they leave out is found when it is met, and noted. */
const CHECK_PATIENCE = { quick: 10_000, full: 500 } as const;
/** The ledger's file within the state folder. */
export const LEDGER_FILE = 'ledger.sqlite';

/**
 * Opens the ledger in `stateFolder`, which is made when it is missing, and keeps other agents out of it.
 * @param options how to wait for another agent on the same folder to end.
 * A damaged ledger is set aside and made anew.
 * @throws StateFolderError when another agent uses the folder, the ledger is of a newer agent, or the disk fails.
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
  const note = damageNote(stateFolder);
  const damaged = Promise.withResolvers<LedgerError>();
  const onDamage = (error: LedgerError) => {
    note.write((error.cause as Error).message);
    damaged.resolve(error);
  };
  try {
    const highWater = openHighWater(stateFolder);
    const { connection, ...found } = await openSound(stateFolder, note, highWater, { faultPoint, onDamage });
    const opening = { ...found, missing: passOver(connection, highWater) };
    const close = () => {
      connection.database.close();
      highWater.close();
      lock.release();
    };
    return {
      ...ledgerRecords(connection, highWater),
      outbox: ledgerOutbox(connection),
      gaps: ledgerGaps(connection),
      retention: ledgerRetention(connection),
      wishes: ledgerWishes(connection),
      thresholds: ledgerThresholds(connection),
      opening,
      damaged: damaged.promise,
      rebuilt: rebuiltOf(connection),
      requireInPlace: inPlace(stateFolder),
      close,
    };
  } catch (cause) {
    if (isDamage(cause)) note.write((cause as Error).message);
    lock.release();
    throw cause;
  }
}

type Hooks = Pick<Connection, 'faultPoint' | 'onDamage'>;

/** Opens what is sound, and first makes it so. */
async function openSound(
  folder: string,
  note: DamageNote,
  { reached }: HighWater,
  hooks: Hooks,
): Promise<Omit<Opening, 'missing'> & { readonly connection: Connection }> {
  const path = join(folder, LEDGER_FILE);
  try {
    let rebuilt = finishRebuild(folder, LEDGER_FILE);
    let { damage, whole } = await checkIntegrity(path, CHECK_PATIENCE);
    if (note.left !== null && existsSync(path)) damage ??= note.left; // what no check may see
    for (;;) {
      if (damage !== null) {
        rebuild(folder, LEDGER_FILE, damage, reached, hooks.faultPoint);
        rebuilt = whole = true;
      }
      try {
        const connection = connect(path, hooks);
        note.remove();
        return { connection, rebuilt, checked: whole };
      } catch (error) {
        const cause = error instanceof LedgerError ? error.cause : error;
        if (!isDamage(cause) || damage !== null) throw error;
        damage = (cause as Error).message; // what the check did not reach
      }
    }
  } catch (cause) {
    if (cause instanceof StateFolderError) throw cause;
    throw new StateFolderError(
      `Ledger ${path} cannot be opened: ${(cause as Error).message}. Check its disk, the space on it, and its permissions.`,
      { cause },
    );
  }
}

/** @throws StateFolderError, LedgerError, and what SQLite says. */
function connect(path: string, hooks: Hooks): Connection {
  // File names stand in it: for this user's eyes only. SQLite gives its -wal and -shm the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: 5000 });
  try {
    // FULL: a commit is on the platter before it returns, in WAL mode too (https://sqlite.org/pragma.html#pragma_synchronous).
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864',
    );
    const connection = { database, ...hooks };
    migrate(connection, path);
    return connection;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Numbers that were given and are not in the ledger are announced in gaps, and not given again.
 * @returns those that came after its last one.
 */
function passOver(connection: Connection, { reached }: HighWater): Opening['missing'] {
  const { database } = connection;
  const { last, missing } = reading(connection, 'look for numbers that it lacks', () => {
    const last = lastSeq(database);
    return { last, missing: missingNumbers(database, Math.max(last, reached)) };
  });
  if (missing.length > 0)
    transaction(connection, 'pass-over', () => {
      if (reached > last) skipTo(database, reached);
      announceMissing(database, missing);
    });
  return last < reached ? { first: last + 1, last: reached } : null;
}

function inPlace(folder: string): Ledger['requireInPlace'] {
  const files = [LEDGER_FILE, `${LEDGER_FILE}-wal`].map((name) => join(folder, name));
  const inodes = () => files.map((file) => statSync(file, { throwIfNoEntry: false })?.ino ?? 'none').join();
  const opened = inodes();
  const stands = () => {
    try {
      return inodes() === opened || !existsSync(folder);
    } catch {
      return true; // cannot be told now
    }
  };
  return () => {
    if (stands()) return;
    throw new StateFolderError(
      `Ledger ${files[0]}, or its log beside it, was deleted or replaced under the running agent. Start the agent again: captures without a verdict in the ledger that stands there now are judged again, under the same ids, and the verdicts that it lacks are announced as a gap.`,
    );
  };
}

function rebuiltOf(connection: Connection): Rebuilt | null {
  const row = reading(connection, 'read its past', () =>
    connection.database.prepare("SELECT value FROM facts WHERE key = 'rebuilt'").get(),
  );
  return row === undefined ? null : (JSON.parse(row.value as string) as Rebuilt);
}
