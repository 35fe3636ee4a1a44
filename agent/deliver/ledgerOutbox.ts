/** The outbox within the ledger: verdicts that no broker has acknowledged yet. */
import type { Gap, GapReason } from '../../config/topics.ts';
import { addGap } from './ledgerGaps.ts';
import { type Connection, RottenRowError, reading, transaction } from './transaction.ts';

export interface Waiting {
  readonly seq: number;
  /** The verdict as JSON. */
  readonly payload: string;
}

/** What may wait, at most. */
export interface OutboxLimits {
  readonly bytes: number;
  /** Milliseconds since 1970: what was recorded before is too old. */
  readonly before: number;
}

export interface LedgerOutbox {
  /** Up to `limit` waiting verdicts with a number above `seq`, in order. @throws LedgerError, as all of these. */
  after(seq: number, limit: number): Waiting[];
  /** The highest number that waits; 0 when none does. */
  newest(): number;
  /** The broker has taken these: they leave the outbox, and their records say when. Unknown numbers are ignored. */
  acknowledge(seqs: readonly number[]): void;
  /** Verdicts waiting, and their bytes. */
  size(): { readonly verdicts: number; readonly bytes: number };
  /**
   * Drops what is too old, and when more than `bytes` wait, the oldest until nine tenths of that are left, so that a
   * long outage makes few gaps. The newest is always kept. Writes down and returns the gaps.
   */
  trim(limits: OutboxLimits): Gap[];
}

interface Oldest {
  readonly seq: number;
  readonly bytes: number;
  readonly recorded_ms: number;
}

export function ledgerOutbox(connection: Connection): LedgerOutbox {
  const { database } = connection;
  const after = database.prepare(
    `SELECT seq, payload, id FROM outbox LEFT JOIN payloads USING (seq) LEFT JOIN verdicts USING (seq)
     WHERE seq > ? ORDER BY seq LIMIT ?`,
  );
  const newest = database.prepare('SELECT coalesce(max(seq), 0) AS seq FROM outbox');
  const remove = database.prepare('DELETE FROM outbox WHERE seq = ? RETURNING bytes');
  const mark = database.prepare('UPDATE verdicts SET acknowledged_ms = ? WHERE seq = ?');
  const total = database.prepare('SELECT verdicts, bytes FROM outbox_total');
  const oldest = database.prepare(
    'SELECT seq, bytes, recorded_ms FROM outbox JOIN verdicts USING (seq) ORDER BY seq',
  );
  const size = (): ReturnType<LedgerOutbox['size']> =>
    reading(connection, 'count what waits', () => ({
      ...(total.get() as { verdicts: number; bytes: number }),
    }));

  return {
    after: (seq, limit) =>
      reading(connection, 'read what waits', () =>
        (after.all(seq, limit) as unknown as (Waiting & { id: string })[]).map(asRecorded),
      ),
    newest: () => reading(connection, 'read what waits', () => (newest.get() as { seq: number }).seq),
    acknowledge(seqs) {
      const now = Date.now();
      transaction(connection, 'acknowledge', () => {
        for (const seq of seqs) if (remove.get(seq) !== undefined) mark.run(now, seq);
      });
    },
    size,
    trim(limits) {
      const byAge = drop('outbox-age', ({ recorded_ms }) => recorded_ms < limits.before);
      if (size().bytes <= limits.bytes) return byAge;
      let left = size().bytes;
      const bySize = drop('outbox-bytes', ({ bytes }) => {
        if (left <= 0.9 * limits.bytes) return false;
        left -= bytes;
        return true;
      });
      return [...byAge, ...bySize];
    },
  };

  /** Drops the oldest for as long as `tooMuch`, never the newest. */
  function drop(reason: GapReason, tooMuch: (row: Oldest) => boolean): Gap[] {
    const { verdicts } = size();
    const dropped: number[] = [];
    reading(connection, 'read the oldest that waits', () => {
      for (const row of oldest.iterate() as Iterable<Oldest & Record<string, unknown>>) {
        if (dropped.length >= verdicts - 1 || !tooMuch(row)) break;
        dropped.push(row.seq);
      }
    });
    const [first] = dropped;
    const last = dropped.at(-1);
    if (first === undefined || last === undefined) return [];
    return transaction(connection, 'drop', () => {
      for (const seq of dropped) remove.get(seq);
      return [addGap(database, { first, last, verdicts: dropped.length, reason })];
    });
  }
}

/** Bits that turned within a row are nothing that SQLite sees: what is sent is what was recorded, or it is damage. */
function asRecorded({ seq, payload, id }: Waiting & { readonly id: string }): Waiting {
  if (!isPayloadOf(payload, seq, id))
    throw new RottenRowError(`the message of verdict ${seq} is not the one that was recorded`);
  return { seq, payload };
}

/** Whether this is the message of the verdict with this number and id. */
export function isPayloadOf(payload: unknown, seq: number, id: unknown): boolean {
  try {
    const said = JSON.parse(String(payload)) as { id?: unknown; seq?: unknown } | null;
    return said?.seq === seq && said.id === id;
  } catch {
    return false;
  }
}
