/** Removes from the ledger what is no longer needed, and never the fact that a file was judged. */
import { type Connection, reading, transaction } from './transaction.ts';

export interface RetentionLimits {
  /** Most bytes of the ledger, free pages not counted. */
  readonly bytes: number;
  /** Milliseconds since 1970: what was recorded before is too old. */
  readonly before: number;
}

export interface LedgerRetention {
  /**
   * Removes the payloads of the oldest verdicts that do not wait: those that are too old, and beyond `bytes` so many
   * that nine tenths of that are left. Capture, id, word, score and times of each stay.
   * @returns payloads removed, at most `BATCH`; 0: nothing is left to do, or nothing more can be removed.
   */
  prune(limits: RetentionLimits): number;
  /** Bytes in use; the file may be larger, its free pages are used again. */
  bytes(): number;
}

/** So many at a time, since nothing else happens meanwhile. */
const BATCH = 200;

export function ledgerRetention(connection: Connection): LedgerRetention {
  const { database } = connection;
  const used = database.prepare(
    `SELECT (page_count - freelist_count) * page_size AS bytes
     FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
  );
  const oldest = database.prepare(
    `SELECT payloads.seq AS seq, length(payload) AS bytes, recorded_ms
     FROM payloads CROSS JOIN verdicts USING (seq)
     WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = payloads.seq) ORDER BY payloads.seq`,
  );
  const remove = database.prepare('DELETE FROM payloads WHERE seq = ?');
  const bytes = () => reading(connection, 'read its size', () => (used.get() as { bytes: number }).bytes);
  /** Being above the limit lasts until nine tenths are reached. */
  let shrinking = false;
  return {
    bytes,
    prune(limits) {
      const inUse = bytes();
      if (inUse > limits.bytes) shrinking = true;
      if (inUse <= 0.9 * limits.bytes) shrinking = false;
      let excess = shrinking ? inUse - 0.9 * limits.bytes : 0;
      const old: number[] = [];
      type Row = { seq: number; bytes: number; recorded_ms: number };
      reading(connection, 'read the oldest verdicts', () => {
        for (const row of oldest.iterate() as Iterable<Row & Record<string, unknown>>) {
          if (old.length >= BATCH || (row.recorded_ms >= limits.before && excess <= 0)) break;
          old.push(row.seq);
          excess -= row.bytes;
        }
      });
      if (old.length === 0) return 0;
      transaction(connection, 'prune', () => {
        for (const seq of old) remove.run(seq);
      });
      return old.length;
    },
  };
}
