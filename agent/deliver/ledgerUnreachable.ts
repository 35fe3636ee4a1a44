/** Files that cannot be reached for a while, as on a card that is out: one capture before, meanwhile and afterwards. */
import type { DatabaseSync } from 'node:sqlite';
import type { Capture } from '../capture.ts';

export interface LedgerUnreachable {
  /** Whether it cannot be reached, and what it holds was judged while it could: that verdict stays. */
  isJudged(capture: Capture): boolean;
  /** The verdict that said so of this one when it could not be reached; undefined: there is none, or it was answered. */
  before(capture: Capture): { readonly id: string; readonly revision: number } | undefined;
}

/** A size of 0 stands for a version that could not be told. */
export function ledgerUnreachable(database: DatabaseSync): LedgerUnreachable {
  const judged = database.prepare(
    `SELECT 1 FROM captures WHERE name = ?1 AND kind = 'file' AND (size = ?2 AND modified_ns = ?3 OR ?2 = 0) LIMIT 1`,
  );
  const before = database.prepare(
    `SELECT id, revision FROM verdicts JOIN captures USING (capture)
     WHERE name = ?1 AND kind IN ('unreadable', 'dangling-link') AND (size = ?2 AND modified_ns = ?3 OR size = 0)
       AND NOT EXISTS (SELECT 1 FROM verdicts AS later JOIN captures AS file USING (capture)
                       WHERE file.name = ?1 AND file.kind = 'file' AND later.seq > verdicts.seq)
     ORDER BY seq DESC LIMIT 1`,
  );
  return {
    isJudged: ({ name, size, modifiedNanoseconds, kind }) =>
      (kind === 'unreadable' || kind === 'dangling-link') &&
      judged.get(name, size, modifiedNanoseconds) !== undefined,
    before: ({ name, size, modifiedNanoseconds, kind, frame = 1 }) =>
      kind === 'file' && frame === 1
        ? (before.get(name, size, modifiedNanoseconds) as ReturnType<LedgerUnreachable['before']>)
        : undefined,
  };
}
