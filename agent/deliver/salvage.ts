/** Reads what can be read of a table in a damaged file: around each damaged page, by ever smaller ranges of keys. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { isDamage } from './transaction.ts';

export type Row = Record<string, SQLInputValue>;

export interface Salvaged {
  readonly table: string;
  /** Integer primary key, or `rowid`. */
  readonly key: string;
  readonly columns: readonly string[];
  /** Index that holds all of these columns, to be read instead of the table. */
  readonly index?: string;
}

/** So many ranges that cannot be read as a whole are divided; what is then still unread is given up. */
const MOST_DIVIDED = 4000;
/** What SQLite holds as a key. */
const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

/**
 * Calls `take` with every row that can be read, each once, integers as BigInt.
 * @param highest where the last rows cannot be read, keys are looked for up to here.
 * @returns whether nothing stood in the way.
 */
export function salvage(
  source: DatabaseSync,
  { table, key, columns, index }: Salvaged,
  highest: number,
  take: (row: Row) => void,
): boolean {
  const from = index === undefined ? table : `${table} INDEXED BY ${index}`;
  const read = (order: 'ASC' | 'DESC', after: bigint, before: bigint, seen: (key: bigint) => void) => {
    try {
      const rows = source.prepare(
        `SELECT ${key} AS key, ${columns} FROM ${from} WHERE ${key} > ? AND ${key} < ? ORDER BY ${key} ${order}`,
      );
      rows.setReadBigInts(true); // modification times are beyond what a number holds
      for (const row of rows.iterate(after, before)) {
        take(row as Row);
        seen(row.key as bigint);
      }
      return true;
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  };
  const ranges: [after: bigint, before: bigint][] = [[LEAST, MOST]];
  let divided = 0;
  let whole = true;
  for (const [after, before] of ranges) {
    let [low, high] = [after, before];
    if (read('ASC', low, high, (at) => (low = at))) continue;
    whole = false;
    if (read('DESC', low, high, (at) => (high = at))) continue;
    if (low === LEAST) low = 0n;
    if (high === MOST) high = BigInt(highest) + 1n;
    if (high - low <= 2n || ++divided > MOST_DIVIDED) continue;
    const middle = (low + high) / 2n;
    ranges.push([low, middle + 1n], [middle, high]);
  }
  return whole;
}
