/** The ledger: what was captured, judged, and delivered. One SQLite file; what it returned from is on disk. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '../../config/folder.ts';
import type { Verdict, VerdictWord } from '../../config/verdict.ts';
import type { Capture } from '../capture.ts';
import { type LedgerOutbox, ledgerOutbox } from './ledgerOutbox.ts';
import { type LedgerThresholds, ledgerThresholds } from './ledgerThresholds.ts';
import { type LockOptions, lockStateFolder, StateFolderError } from './lock.ts';
import { migrate } from './schema.ts';
import { transaction } from './transaction.ts';

export interface Entry {
  readonly capture: Capture;
  /** SHA-256 of the content, hex; null when nothing was read. */
  readonly contentSha256: string | null;
  /** Called inside the transaction with the number that the record gets. */
  readonly makeVerdict: (seq: number) => Verdict;
}

export interface Ledger {
  isRecorded(capture: Capture): boolean;
  /**
   * Writes capture, verdict and outbox row in one transaction, on disk when it returns. A capture that has a record
   * keeps it: that one is returned and `makeVerdict` is not called. `seq` counts up by one, without gaps.
   * @throws LedgerError when the disk is full or failing; nothing was written then.
   */
  record(capture: Capture, contentSha256: string | null, makeVerdict: (seq: number) => Verdict): Verdict;
  /** The same for several captures in one transaction, in order: all or none. */
  recordAll(entries: readonly Entry[]): Verdict[];
  /** Verdicts by word since the ledger began. */
  counts(): Record<VerdictWord, number>;
  /** `scoredAt` of the newest record. */
  lastVerdictAt(): string | null;
  readonly outbox: LedgerOutbox;
  readonly thresholds: LedgerThresholds;
  /** Writes the log back into the one file and releases the state folder. */
  close(): void;
}

/**
 * Opens the ledger in `stateFolder`, which is made when it is missing, and keeps other agents out of it.
 * @param waiting how to wait for another agent on the same folder to end.
 * @throws StateFolderError when another agent uses the folder, or the ledger is of a newer agent, or damaged.
 */
export async function openLedger(stateFolder: string, waiting: LockOptions = {}): Promise<Ledger> {
  try {
    await makeFolder(stateFolder, 0o700);
  } catch (cause) {
    throw new StateFolderError(
      `State folder ${stateFolder} cannot be made: ${(cause as Error).message}. Check state.path and its permissions.`,
      { cause },
    );
  }
  const lock = await lockStateFolder(stateFolder, waiting);
  try {
    const database = openDatabase(join(stateFolder, 'ledger.sqlite'));
    const close = () => {
      database.close();
      lock.release();
    };
    return {
      ...records(database),
      outbox: ledgerOutbox(database),
      thresholds: ledgerThresholds(database),
      close,
    };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}

function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // File names stand in it: for this user's eyes only. SQLite gives its -wal and -shm the same mode.
    closeSync(openSync(path, 'a', 0o600));
    database = new DatabaseSync(path, { timeout: 5000 });
    // FULL: a commit is on the platter before it returns, in WAL mode too (https://sqlite.org/pragma.html#pragma_synchronous).
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864',
    );
    migrate(database, path);
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof StateFolderError) throw cause;
    throw new StateFolderError(
      `Ledger ${path} cannot be opened: ${(cause as Error).message}. Check its disk and permissions; a damaged ledger can be moved away, its captures are then judged again with the same ids.`,
      { cause },
    );
  }
}

function records(
  database: DatabaseSync,
): Pick<Ledger, 'isRecorded' | 'record' | 'recordAll' | 'counts' | 'lastVerdictAt'> {
  const found = database.prepare(
    'SELECT seq FROM captures WHERE name = ? AND size = ? AND modified_ns = ? AND kind = ?',
  );
  const payload = database.prepare('SELECT payload FROM verdicts WHERE seq = ?');
  const addCapture = database.prepare(
    'INSERT INTO captures (name, size, modified_ns, kind, sha256) VALUES (?, ?, ?, ?, ?)',
  );
  const addVerdict = database.prepare(
    'INSERT INTO verdicts (seq, id, ref, word, payload, recorded_ms) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const addToOutbox = database.prepare('INSERT INTO outbox (seq, bytes) VALUES (?, ?)');
  const tally = database.prepare(
    'INSERT INTO tallies (word, verdicts) VALUES (?, 1) ON CONFLICT DO UPDATE SET verdicts = verdicts + 1',
  );
  const tallies = database.prepare('SELECT word, verdicts FROM tallies');
  const newest = database.prepare('SELECT payload FROM verdicts ORDER BY seq DESC LIMIT 1');

  const seqOf = ({ name, size, modifiedNanoseconds, kind }: Capture) =>
    (found.get(name, size, modifiedNanoseconds, kind) as { seq: number } | undefined)?.seq;
  const stored = (row: unknown) => JSON.parse((row as { payload: string }).payload) as Verdict;

  const write = ({ capture, contentSha256, makeVerdict }: Entry): Verdict => {
    const existing = seqOf(capture);
    if (existing !== undefined) return stored(payload.get(existing));
    const { name, size, modifiedNanoseconds, kind } = capture;
    const seq = Number(addCapture.run(name, size, modifiedNanoseconds, kind, contentSha256).lastInsertRowid);
    const verdict = makeVerdict(seq);
    const json = JSON.stringify(verdict);
    addVerdict.run(seq, verdict.id, verdict.image.ref, verdict.verdict, json, Date.now());
    addToOutbox.run(seq, Buffer.byteLength(json));
    tally.run(verdict.verdict);
    return verdict;
  };
  const recordAll = (entries: readonly Entry[]) =>
    transaction(database, 'record a verdict', () => entries.map(write));

  return {
    isRecorded: (capture) => seqOf(capture) !== undefined,
    record: (capture, contentSha256, makeVerdict) => recordAll([{ capture, contentSha256, makeVerdict }])[0]!,
    recordAll,
    counts() {
      const counts = { pass: 0, review: 0, unscorable: 0 };
      for (const row of tallies.all() as { word: VerdictWord; verdicts: number }[])
        counts[row.word] = row.verdicts;
      return counts;
    },
    lastVerdictAt() {
      const row = newest.get();
      return row === undefined ? null : stored(row).scoredAt;
    },
  };
}
