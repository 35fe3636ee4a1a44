/** Gaps within the ledger: numbers of verdicts that may never reach the broker, until it has taken the announcement. */
import type { DatabaseSync } from 'node:sqlite';
import type { Gap, GapReason } from '../../config/topics.ts';
import { type Connection, reading, transaction } from './transaction.ts';

export interface LedgerGaps {
  /** Gaps that no broker has acknowledged, oldest first; `number` counts up within the ledger. @throws LedgerError */
  unannounced(): { readonly number: number; readonly gap: Gap }[];
  /** The broker has taken the announcement. */
  announced(number: number): void;
}

interface Row {
  readonly number: number;
  readonly first: number;
  readonly last: number;
  readonly verdicts: number | null;
  readonly reason: GapReason;
  readonly at: number;
}

export function ledgerGaps(connection: Connection): LedgerGaps {
  const { database } = connection;
  const unannounced = database.prepare(
    `SELECT gap AS number, first, last, verdicts, reason, dropped_ms AS at FROM gaps
     WHERE announced_ms IS NULL ORDER BY gap`,
  );
  const mark = database.prepare('UPDATE gaps SET announced_ms = ? WHERE gap = ?');
  return {
    unannounced() {
      const rows = reading(connection, 'read gaps', () => unannounced.all());
      return (rows as unknown as Row[]).map(({ number, ...rest }) => ({ number, gap: gapOf(rest) }));
    },
    announced: (number) => transaction(connection, 'announce', () => void mark.run(Date.now(), number)),
  };
}

/** Writes a gap down, within a transaction of the caller. */
export function addGap(
  database: DatabaseSync,
  { first, last, verdicts, reason }: Pick<Gap, 'first' | 'last' | 'verdicts' | 'reason'>,
): Gap {
  const at = Date.now();
  database
    .prepare('INSERT INTO gaps (first, last, verdicts, reason, dropped_ms) VALUES (?, ?, ?, ?, ?)')
    .run(first, last, verdicts, reason, at);
  return gapOf({ first, last, verdicts, reason, at });
}

function gapOf({ at, ...rest }: Omit<Row, 'number'>): Gap {
  return { schema: 'plumbline/gap/1', ...rest, at: new Date(at).toISOString() };
}
