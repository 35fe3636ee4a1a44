/** Captures and the verdicts on them, within the ledger. */
import type { DatabaseSync } from 'node:sqlite';
import type { UnscorableReason, Verdict, VerdictWord } from '../../config/verdict.ts';
import { type Capture, captureOfFrame, frameOf } from '../capture.ts';
import type { HighWater } from './highWater.ts';
import { ledgerUnreachable } from './ledgerUnreachable.ts';
import { type Connection, reading, transaction } from './transaction.ts';

/** What the ledger gives a new verdict. */
export interface Place {
  readonly seq: number;
  /** 1 for the first verdict on a capture. */
  readonly revision: number;
  /** Id of the verdict on the same capture that this one replaces. */
  readonly supersedes: string | null;
}

export interface Entry {
  readonly capture: Capture;
  /** SHA-256 of the content, hex; null when nothing was read. */
  readonly contentSha256: string | null;
  /** Its verdict is to say what may pass by itself: see `PASSING`. Default: false. */
  readonly passing?: boolean;
  /** How many captures its file holds; null: this one is the last that can be judged. Default: 1. */
  readonly frames?: number | null;
  /** Called inside the transaction. */
  readonly makeVerdict: (place: Place) => Verdict;
}

export interface LedgerRecords {
  /**
   * Whether there is nothing to do about this file, which stands in the folder: each of its captures has a verdict,
   * nobody asked for another, the verdict does not say what has passed by now (that it was gone, or could not be read), and
   * the file was not changed in any way since.
   * @throws LedgerError, as all that only read.
   */
  isRecorded(file: Capture): boolean;
  /**
   * The first capture of the file with which something is to do, as far as is known how many it holds; null: none.
   */
  unrecorded(file: Capture): Capture | null;
  /** The next one behind `capture`, in a file that holds `frames` of them. */
  following(capture: Capture, frames: number): Capture | null;
  /**
   * Writes capture, verdict and outbox row of each entry, in order, in one transaction: all or none, on disk when it
   * returns. null: there is nothing to do about that capture, it turned out to hold what it held, or its file holds no
   * such frame; `makeVerdict` is not called. `seq` counts up by one, without gaps.
   * @throws LedgerError when the disk is full or failing; nothing was written then.
   */
  record(entries: readonly Entry[]): (Verdict | null)[];
  /** Verdicts by word since the ledger began. */
  counts(): Record<VerdictWord, number>;
  /** `scoredAt` of the newest verdict. */
  lastVerdictAt(): string | null;
}

/**
 * What was said to be gone or unreadable and stands there, as after a folder was unmounted and mounted, is judged anew.
 * Where that says such a thing again the verdict before stays: a folder that comes and goes shall not fill the ledger.
 */
export const PASSING: readonly UnscorableReason[] = [
  'vanished',
  'changed-while-reading',
  'unreadable',
  'dangling-link',
];

const LAST_SEQ = `
  SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'verdicts'), 0),
             coalesce((SELECT max(seq) FROM verdicts), 0)) AS seq`;

/** The highest number that the ledger gave, or passed over; 0: none. */
export const lastSeq = (database: DatabaseSync): number =>
  (database.prepare(LAST_SEQ).get() as { seq: number }).seq;

/** Within a transaction of the caller: the next verdict gets the number after `seq`. */
export function skipTo(database: DatabaseSync, seq: number): void {
  database.prepare("DELETE FROM sqlite_sequence WHERE name = 'verdicts'").run();
  database.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('verdicts', ?)").run(seq);
}

interface Known {
  readonly capture: number;
  /** Of the first capture of its file. */
  readonly frames: number;
  readonly sha256: string | null;
  /** Whether somebody asked for another verdict, whatever it holds. */
  readonly asked: 0 | 1;
  /** Whether its verdict says what has passed by now. */
  readonly passed: 0 | 1;
  /** `asked`, or `passed`, or its file was changed in some way since it was judged. */
  readonly wanted: 0 | 1;
}

interface Newest {
  readonly id: string;
  readonly revision: number;
}

export function ledgerRecords(connection: Connection, highWater: Pick<HighWater, 'note'>): LedgerRecords {
  const { database } = connection;
  const find = database.prepare(
    `SELECT capture, frame, frames, sha256, asked, passed, asked OR passed OR changed AS wanted
     FROM (SELECT *, coalesce(stamp <> ?5, 0) AS changed,
             EXISTS (SELECT 1 FROM again WHERE again.capture = captures.capture) AS asked,
             kind = 'file' AND coalesce((SELECT reason IN (${PASSING.map((reason) => `'${reason}'`).join(', ')}) FROM verdicts
               WHERE verdicts.capture = captures.capture ORDER BY revision DESC LIMIT 1), 0) AS passed
           FROM captures WHERE name = ?1 AND size = ?2 AND modified_ns = ?3 AND kind = ?4 AND frame BETWEEN ?6 AND ?7)
     ORDER BY frame`,
  );
  // Asked about every file at every reading of the folder, and hence without the newest verdict on each frame.
  const undisputed = database.prepare(
    `SELECT count(*) AS done FROM captures
     WHERE name = ?1 AND size = ?2 AND modified_ns = ?3 AND kind = ?4 AND frame BETWEEN 2 AND ?6
       AND coalesce(stamp = ?5, 1) AND NOT EXISTS (SELECT 1 FROM again WHERE again.capture = captures.capture)`,
  );
  const unreachable = ledgerUnreachable(database);
  const newestOf = database.prepare(
    'SELECT id, revision FROM verdicts WHERE capture = ? ORDER BY revision DESC LIMIT 1',
  );
  const addCapture = database.prepare(
    `INSERT INTO captures (name, size, modified_ns, kind, stamp, frame, frames, sha256)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const ofFile = 'name = ? AND size = ? AND modified_ns = ? AND kind = ?';
  const setFrames = database.prepare(
    `UPDATE captures SET frames = ? WHERE ${ofFile} AND frame = 1 AND frames IS NOT ?`,
  );
  const forgetWishes = database.prepare(
    `DELETE FROM again WHERE capture IN (SELECT capture FROM captures WHERE ${ofFile} AND frame > ?)`,
  );
  const setContent = database.prepare('UPDATE captures SET sha256 = ?, stamp = ? WHERE capture = ?');
  const confirm = database.prepare(`UPDATE captures SET stamp = ? WHERE ${ofFile} AND sha256 IS ?`);
  const answer = database.prepare('DELETE FROM again WHERE capture = ?');
  const last = database.prepare(LAST_SEQ);
  const addVerdict = database.prepare(
    `INSERT INTO verdicts (seq, capture, revision, id, ref, word, reason, score, model, scored_at, recorded_ms, sha256)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const addPayload = database.prepare('INSERT INTO payloads (seq, payload) VALUES (?, ?)');
  const addToOutbox = database.prepare('INSERT INTO outbox (seq, bytes) VALUES (?, ?)');
  const tally = database.prepare(
    'INSERT INTO tallies (word, verdicts) VALUES (?, 1) ON CONFLICT DO UPDATE SET verdicts = verdicts + 1',
  );
  const tallies = database.prepare('SELECT word, verdicts FROM tallies');
  const latest = database.prepare('SELECT scored_at FROM verdicts ORDER BY seq DESC LIMIT 1');

  const fileOf = ({ name, size, modifiedNanoseconds, kind }: Capture) =>
    [name, size, modifiedNanoseconds, kind] as const;
  const stampOf = ({ stamp }: Capture) => stamp ?? null;
  const known = (capture: Capture) => {
    const frame = frameOf(capture);
    return find.get(...fileOf(capture), stampOf(capture), frame, frame) as Known | undefined;
  };
  const following = (capture: Capture, frames: number): Capture | null => {
    let frame = frameOf(capture) + 1;
    for (const row of find.iterate(...fileOf(capture), stampOf(capture), frame, frames)) {
      if ((row.frame as number) > frame || row.wanted === 1) break;
      frame++;
    }
    return frame <= frames ? captureOfFrame(capture, frame) : null;
  };
  const unrecorded = (file: Capture): Capture | null => {
    const first = known(file);
    if (first === undefined && unreachable.isJudged(file)) return null;
    if (first?.wanted !== 0) return file;
    const { frames } = first;
    if (frames === 1) return null;
    const { done } = undisputed.get(...fileOf(file), stampOf(file), frames) as { done: number };
    // Of those whose verdict may have passed, it is the last: see `frames` of an entry.
    const whole = done === frames - 1 && known(captureOfFrame(file, frames))?.wanted === 0;
    return whole ? null : following(file, frames);
  };

  const write = ({
    capture,
    contentSha256,
    passing = false,
    makeVerdict,
    frames = 1,
  }: Entry): Verdict | null => {
    const before = known(capture);
    if (before?.wanted === 0) return null;
    const [file, frame, stamp] = [fileOf(capture), frameOf(capture), stampOf(capture)];
    // Changed in some way since it was judged: where it holds what it held, or cannot be read now, that verdict stays, and
    // those on the other frames.
    if (before?.asked === 0 && passing) return null;
    if (before?.asked === 0 && before.passed === 0 && before.sha256 === contentSha256) {
      confirm.run(stamp, ...file, contentSha256);
      return null;
    }
    const captures = frames ?? frame;
    if (frame > 1 || before !== undefined) {
      const { changes } = setFrames.run(captures, ...file, captures);
      // Another bundle may find fewer captures in a file than the one before.
      if (changes > 0 && frames !== null) forgetWishes.run(...file, captures);
    }
    if (frame > captures) return null;
    const number =
      before?.capture ??
      addCapture.run(...file, stamp, frame, frame === 1 ? captures : null, contentSha256).lastInsertRowid;
    if (before !== undefined) {
      setContent.run(contentSha256, stamp, number);
      answer.run(number);
    }
    const replaced = (newestOf.get(number) as Newest | undefined) ?? unreachable.before(capture);
    const verdict = makeVerdict({
      seq: (last.get() as { seq: number }).seq + 1,
      revision: (replaced?.revision ?? 0) + 1,
      supersedes: replaced?.id ?? null,
    });
    const { seq, revision, id, image, verdict: word, reason, score, model, scoredAt } = verdict;
    const json = JSON.stringify(verdict);
    addVerdict.run(
      seq,
      number,
      revision,
      id,
      image.ref,
      word,
      reason,
      score,
      model.digest,
      scoredAt,
      Date.now(),
      contentSha256,
    );
    addPayload.run(seq, json);
    addToOutbox.run(seq, Buffer.byteLength(json));
    tally.run(word);
    return verdict;
  };
  return {
    isRecorded: (file) => reading(connection, 'look for a capture', () => unrecorded(file) === null),
    unrecorded: (file) => reading(connection, 'look for a capture', () => unrecorded(file)),
    following: (capture, frames) =>
      reading(connection, 'look for a capture', () => following(capture, frames)),
    record(entries) {
      const verdicts = transaction(connection, 'record', () => entries.map(write));
      const newest = verdicts.findLast((verdict) => verdict !== null);
      if (newest) highWater.note(newest.seq);
      return verdicts;
    },
    counts() {
      const counts = { pass: 0, review: 0, unscorable: 0 };
      const rows = reading(connection, 'count verdicts', () => tallies.all());
      for (const row of rows as { word: VerdictWord; verdicts: number }[]) counts[row.word] = row.verdicts;
      return counts;
    },
    lastVerdictAt() {
      const row = reading(connection, 'read the newest verdict', () => latest.get());
      return (row?.scored_at as string | undefined) ?? null;
    },
  };
}
