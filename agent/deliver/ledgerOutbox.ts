/** The outbox within the ledger: verdicts that no broker has acknowledged yet. */
import { type Connection, transaction } from './transaction.ts';

export interface Waiting {
  readonly seq: number;
  /** The verdict as JSON. */
  readonly payload: string;
}

/** Numbers that may never arrive, from `first` to `last` inclusive: `verdicts` of them, null where nobody can tell. */
export interface Gap {
  readonly first: number;
  readonly last: number;
  readonly verdicts: number | null;
}

export interface LedgerOutbox {
  /** Up to `limit` waiting verdicts with a number above `seq`, in order. */
  after(seq: number, limit: number): Waiting[];
  /** The highest number that waits; 0 when none does. */
  newest(): number;
  /** The broker has taken these: they leave the outbox, and their records say when. Unknown numbers are ignored. */
  acknowledge(seqs: readonly number[]): void;
  /** Verdicts waiting, and their bytes. */
  size(): { readonly verdicts: number; readonly bytes: number };
  /**
   * When more than `bytes` wait, drops the oldest until nine tenths of that are left, so that a long outage makes few
   * gaps, and writes the gap down. The newest is always kept. Null when nothing was dropped.
   */
  trim(bytes: number): Gap | null;
  /** Every gap so far. */
  gaps(): Gap[];
}

export function ledgerOutbox(connection: Connection): LedgerOutbox {
  const { database } = connection;
  const after = database.prepare(
    'SELECT seq, payload FROM outbox JOIN payloads USING (seq) WHERE seq > ? ORDER BY seq LIMIT ?',
  );
  const newest = database.prepare('SELECT coalesce(max(seq), 0) AS seq FROM outbox');
  const remove = database.prepare('DELETE FROM outbox WHERE seq = ? RETURNING bytes');
  const mark = database.prepare('UPDATE verdicts SET acknowledged_ms = ? WHERE seq = ?');
  const total = database.prepare('SELECT verdicts, bytes FROM outbox_total');
  const oldest = database.prepare('SELECT seq, bytes FROM outbox ORDER BY seq');
  const addGap = database.prepare(
    "INSERT INTO gaps (first, last, verdicts, reason, dropped_ms) VALUES (?, ?, ?, 'outbox-bytes', ?)",
  );
  const gaps = database.prepare('SELECT first, last, verdicts FROM gaps ORDER BY rowid');
  const size = () => ({ ...(total.get() as { verdicts: number; bytes: number }) });

  return {
    after: (seq, limit) => after.all(seq, limit) as unknown as Waiting[],
    newest: () => (newest.get() as { seq: number }).seq,
    acknowledge(seqs) {
      const now = Date.now();
      transaction(connection, 'acknowledge', () => {
        for (const seq of seqs) if (remove.get(seq) !== undefined) mark.run(now, seq);
      });
    },
    size,
    trim(limit) {
      const { verdicts, bytes } = size();
      if (bytes <= limit) return null;
      const dropped: number[] = [];
      let left = bytes;
      for (const row of oldest.iterate() as Iterable<{ seq: number; bytes: number }>) {
        if (left <= 0.9 * limit || dropped.length === verdicts - 1) break;
        dropped.push(row.seq);
        left -= row.bytes;
      }
      if (dropped.length === 0) return null;
      const gap = { first: dropped[0]!, last: dropped.at(-1)!, verdicts: dropped.length };
      transaction(connection, 'drop', () => {
        for (const seq of dropped) remove.get(seq);
        addGap.run(gap.first, gap.last, gap.verdicts, Date.now());
      });
      return gap;
    },
    gaps: () => (gaps.all() as unknown as Gap[]).map((gap) => ({ ...gap })),
  };
}
