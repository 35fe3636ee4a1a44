/** Files that cannot be reached for a while, as on a card that is out: one capture before, meanwhile and afterwards. */
import type { DatabaseSync } from 'node:sqlite';
import type { Capture } from '../capture.ts';

export interface LedgerUnreachable {
  /** Whether it cannot be reached, and what it holds was judged while it could: that verdict stays. */
  isJudged(capture: Capture): boolean;
  /** Within a transaction: a capture that could not be reached becomes this one, which can. False: there is none. */
  reach(capture: Capture): boolean;
}

/** Where no version of the file could be told, its size is 0. */
const SAME_VERSION = '(size = ?2 AND modified_ns = ?3';

export function ledgerUnreachable(database: DatabaseSync): LedgerUnreachable {
  const judged = database.prepare(
    `SELECT 1 FROM captures WHERE name = ?1 AND kind = 'file' AND ${SAME_VERSION} OR ?2 = 0) LIMIT 1`,
  );
  const become = database.prepare(
    `UPDATE captures SET size = ?2, modified_ns = ?3, kind = 'file'
     WHERE capture = (SELECT max(capture) FROM captures
                      WHERE name = ?1 AND kind IN ('unreadable', 'dangling-link') AND ${SAME_VERSION} OR size = 0))`,
  );
  return {
    isJudged: ({ name, size, modifiedNanoseconds, kind }) =>
      (kind === 'unreadable' || kind === 'dangling-link') &&
      judged.get(name, size, modifiedNanoseconds) !== undefined,
    reach: ({ name, size, modifiedNanoseconds, kind, frame = 1 }) =>
      kind === 'file' && frame === 1 && become.run(name, size, modifiedNanoseconds).changes > 0,
  };
}
