/** Reads a damaged ledger row by row, and writes down again what makes sense. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { addGap } from './ledgerGaps.ts';
import { lastSeq, skipTo } from './ledgerRecords.ts';
import { isDamage } from './transaction.ts';

export interface TakenOver {
  readonly verdicts: number;
  readonly incomplete: readonly string[];
}

type Row = Record<string, SQLInputValue>;

interface Table {
  readonly name: string;
  readonly key: string;
  /** Whether a row that was read can be one that was written; constraints of the table hold besides. */
  readonly sensible?: (row: Row, target: DatabaseSync) => boolean;
}

/** In this order: each refers to those before it. Outbox and totals follow from the rest. */
const TABLES: readonly Table[] = [
  { name: 'captures', key: 'capture' },
  { name: 'verdicts', key: 'seq' },
  { name: 'payloads', key: 'seq', sensible: isPayload },
  { name: 'gaps', key: 'gap' },
  { name: 'again', key: 'capture' },
  { name: 'thresholds', key: 'revision', sensible: (row) => isJson(row.rule) },
  { name: 'answers', key: 'rowid' },
  { name: 'facts', key: 'rowid', sensible: (row) => isJson(row.value) },
];

/** Primary result code: https://sqlite.org/rescode.html#constraint */
const SQLITE_CONSTRAINT = 19;

/**
 * Fills `target`, a new ledger, within its transaction. A capture whose verdict cannot be read is left out, so that it
 * is judged again.
 * @param source null: nothing can be read.
 */
export function takeOver(source: DatabaseSync | null, target: DatabaseSync): TakenOver {
  const incomplete: string[] = [];
  /** Verdicts up to here were read without a failure. */
  let lastWhole = 0;
  for (const table of TABLES) {
    const { whole, last } = source === null ? { whole: false, last: 0 } : copy(source, target, table);
    if (!whole) incomplete.push(table.name);
    if (table.name === 'verdicts') lastWhole = Number(last);
  }
  target.exec(`
    CREATE TEMP VIEW unsent AS SELECT seq FROM verdicts WHERE acknowledged_ms IS NULL
      AND NOT EXISTS (SELECT 1 FROM gaps WHERE seq BETWEEN first AND last AND reason <> 'ledger-rebuilt');
    DELETE FROM verdicts WHERE seq IN unsent AND seq NOT IN (SELECT seq FROM payloads);
    DELETE FROM again WHERE capture NOT IN (SELECT capture FROM verdicts);
    DELETE FROM captures WHERE capture NOT IN (SELECT capture FROM verdicts);
    INSERT INTO outbox SELECT seq, length(CAST(payload AS BLOB)) FROM unsent JOIN payloads USING (seq);
    INSERT INTO tallies SELECT word, count(*) FROM verdicts GROUP BY word;
  `);
  if (incomplete.includes('verdicts')) jump(target, lastWhole + 1);
  const { n } = target.prepare('SELECT count(*) AS n FROM verdicts').get() as { n: number };
  return { verdicts: n, incomplete };
}

/** Copies from the beginning up to a failure, then from the end back to there. */
function copy(
  source: DatabaseSync,
  target: DatabaseSync,
  { name, key, sensible = () => true }: Table,
): { whole: boolean; last: bigint } {
  const columns = target.prepare(`SELECT name FROM pragma_table_info('${name}')`).all() as { name: string }[];
  const names = columns.map((column) => column.name);
  const add = target.prepare(`INSERT INTO ${name} (${names}) VALUES (${names.map(() => '?')})`);
  let last = 0n;
  let whole = true;
  const read = (order: 'ASC' | 'DESC', take: (row: Row & { key: bigint }) => boolean) => {
    try {
      const rows = source.prepare(`SELECT ${key} AS key, ${names} FROM ${name} ORDER BY ${key} ${order}`);
      rows.setReadBigInts(true); // modification times are beyond what a number holds
      for (const row of rows.iterate()) if (!take(row as Row & { key: bigint })) break;
      return true;
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  };
  const write = (row: Row) => {
    if (sensible(row, target) && added(() => add.run(...names.map((column) => row[column]!)))) return;
    whole = false;
  };
  const forward = read('ASC', (row) => {
    write(row);
    last = row.key;
    return true;
  });
  if (forward) return { whole, last };
  read('DESC', (row) => {
    if (row.key <= last) return false;
    write(row);
    return true;
  });
  return { whole: false, last };
}

function added(add: () => unknown): boolean {
  try {
    add();
    return true;
  } catch (error) {
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_CONSTRAINT) return false;
    throw error;
  }
}

/**
 * Numbers go on where no number can have been given: at the seconds since 1970, far more than there are verdicts. Those
 * in between are announced as a gap.
 */
function jump(target: DatabaseSync, first: number): void {
  const last = Math.max(lastSeq(target), Math.floor(Date.now() / 1000));
  skipTo(target, last);
  addGap(target, { first, last, verdicts: null, reason: 'ledger-rebuilt' });
}

/** A payload belongs to its row: damage may have exchanged one for another. */
function isPayload(row: Row, target: DatabaseSync): boolean {
  if (!isJson(row.payload)) return false;
  const { id, seq } = JSON.parse(row.payload as string) as { id?: unknown; seq?: unknown };
  const verdict = target.prepare('SELECT id FROM verdicts WHERE seq = ?').get(row.seq!);
  return verdict?.id === id && Number(row.seq) === seq;
}

function isJson(value: unknown): boolean {
  try {
    JSON.parse(String(value));
    return true;
  } catch {
    return false;
  }
}
