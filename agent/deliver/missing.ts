/** Numbers that were given and of which the ledger holds no verdict: a subscriber would wait for them in vain. */
import type { DatabaseSync } from 'node:sqlite';
import { addGap } from './ledgerGaps.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

/** So many gaps are announced at once; the nearest ones become one, as verdicts within a gap may come. */
const MOST_GAPS = 16;

/** Ranges of numbers up to `last`, which are in no verdict and not as a whole in a gap, in order. */
export function missingNumbers(database: DatabaseSync, last: number): Range[] {
  const rows = database.prepare(
    `SELECT before + 1 AS first, seq - 1 AS last FROM
       (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before
        FROM (SELECT seq FROM verdicts WHERE seq <= ?1 UNION ALL SELECT ?1 + 1))
     WHERE seq > before + 1
       AND NOT EXISTS (SELECT 1 FROM gaps WHERE gaps.first <= before + 1 AND gaps.last >= seq - 1)
     ORDER BY seq`,
  );
  return rows.all(last) as unknown as Range[];
}

/** Writes gaps down for these numbers, within a transaction of the caller. */
export function announceMissing(database: DatabaseSync, missing: readonly Range[]): void {
  for (const range of merged(missing))
    addGap(database, { ...range, verdicts: null, reason: 'ledger-rebuilt' });
}

/** At most `MOST_GAPS`, by what lies between them. */
function merged(ranges: readonly Range[]): Range[] {
  const distance = (i: number) => ranges[i]!.first - ranges[i - 1]!.last;
  const cuts = ranges
    .map((_, i) => i)
    .slice(1)
    .sort((a, b) => distance(b) - distance(a))
    .slice(0, MOST_GAPS - 1)
    .sort((a, b) => a - b);
  const ends = ranges.length === 0 ? [] : [...cuts, ranges.length];
  return ends.map((end, i) => ({ first: ranges[cuts[i - 1] ?? 0]!.first, last: ranges[end - 1]!.last }));
}
