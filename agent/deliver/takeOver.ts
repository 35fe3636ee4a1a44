/** Reads a damaged ledger row by row, and writes down again what makes sense. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { isPayloadOf } from './ledgerOutbox.ts';
import { lastSeq, skipTo } from './ledgerRecords.ts';
import { type Row, salvage } from './salvage.ts';
import { isDamage } from './transaction.ts';

export interface TakenOver {
  readonly verdicts: number;
  readonly incomplete: readonly string[];
}

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

/** What tells captures apart stands in an index too, and is read there where the table is damaged. */
const CAPTURES_INDEX = {
  table: 'captures',
  key: 'capture',
  columns: ['capture', 'name', 'size', 'modified_ns', 'kind', 'frame'],
  index: 'sqlite_autoindex_captures_1',
};

/**
 * So many numbers beyond the highest one known are passed over where the ledger itself does not tell it: the note beside
 * it may lack those of the last moments before a power cut.
 */
const UNNOTED = 1000;

/** Primary result code: https://sqlite.org/rescode.html#constraint */
const SQLITE_CONSTRAINT = 19;

/**
 * Fills `target`, a new ledger, within its transaction. A capture whose verdict cannot be read is left out, so that it
 * is judged again. Whoever opens the new ledger announces the numbers up to its last one that are in no verdict.
 * @param source null: nothing can be read.
 * @param noted the highest number that was given, as it stands beside the ledger; 0: not known.
 */
export function takeOver(source: DatabaseSync | null, target: DatabaseSync, noted: number): TakenOver {
  const incomplete: string[] = [];
  const sequence = source === null ? null : sequenceOf(source);
  const highest = Math.max(sequence ?? 0, noted);
  for (const table of TABLES) {
    if (source !== null && copy(source, target, table, highest)) continue;
    incomplete.push(table.name);
    if (source !== null && table.name === 'captures') fromIndex(source, target, highest);
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
  if (incomplete.includes('captures')) completeCaptures(target);
  const known = Math.max(lastSeq(target), highest);
  const exact = sequence !== null || !incomplete.includes('verdicts');
  // Else where none can have been given: at the seconds since 1970, far more than there are verdicts.
  const last = exact ? known : noted > 0 ? known + UNNOTED : Math.max(known, Math.floor(Date.now() / 1000));
  skipTo(target, last);
  const { n } = target.prepare('SELECT count(*) AS n FROM verdicts').get() as { n: number };
  return { verdicts: n, incomplete };
}

/** The highest number that was given, in the ledger's own words; null: it cannot be read. */
function sequenceOf(source: DatabaseSync): number | null {
  try {
    const row = source.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'verdicts'").get();
    return row === undefined ? 0 : Number.isSafeInteger(row.seq) ? (row.seq as number) : null;
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}

/** @returns whether nothing is missing. */
function copy(
  source: DatabaseSync,
  target: DatabaseSync,
  { name, key, sensible = () => true }: Table,
  highest: number,
): boolean {
  const info = target.prepare(`SELECT name FROM pragma_table_info('${name}')`).all() as { name: string }[];
  const columns = info.map((column) => column.name);
  const add = target.prepare(`INSERT INTO ${name} (${columns}) VALUES (${columns.map(() => '?')})`);
  let whole = true;
  const read = salvage(source, { table: name, key, columns }, highest, (row) => {
    if (!sensible(row, target) || !added(() => add.run(...valuesOf(row, columns)))) whole = false;
  });
  return read && whole;
}

/** Adds the captures that only the index still tells of; `frames` and content follow from their verdicts. */
function fromIndex(source: DatabaseSync, target: DatabaseSync, highest: number): void {
  const { columns } = CAPTURES_INDEX;
  const add = target.prepare(
    `INSERT OR IGNORE INTO captures (${columns}) VALUES (${columns.map(() => '?')})`,
  );
  salvage(source, CAPTURES_INDEX, highest, (row) => void added(() => add.run(...valuesOf(row, columns))));
}

/**
 * A file of several frames gets one more than are known to be judged: the agent looks for it, and learns how many the
 * file holds.
 */
function completeCaptures(target: DatabaseSync): void {
  target.exec(`
    UPDATE captures SET
      sha256 = (SELECT sha256 FROM verdicts WHERE verdicts.capture = captures.capture ORDER BY revision DESC LIMIT 1)
    WHERE sha256 IS NULL;
    UPDATE captures SET frames = (
      SELECT iif(max(own.frame) > 1 OR max(payload ->> '$.image.frame') IS NOT NULL, max(own.frame) + 1, 1)
      FROM captures AS own JOIN verdicts USING (capture) LEFT JOIN payloads USING (seq)
      WHERE own.name = captures.name AND own.size = captures.size AND own.modified_ns = captures.modified_ns
        AND own.kind = captures.kind)
    WHERE frame = 1 AND frames IS NULL;
  `);
}

function valuesOf(row: Row, columns: readonly string[]): SQLInputValue[] {
  return columns.map((column) => row[column]!);
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

/** A payload belongs to its row: damage may have exchanged one for another. */
function isPayload(row: Row, target: DatabaseSync): boolean {
  const verdict = target.prepare('SELECT id FROM verdicts WHERE seq = ?').get(row.seq!);
  return verdict !== undefined && isPayloadOf(row.payload, Number(row.seq), verdict.id);
}

function isJson(value: unknown): boolean {
  try {
    JSON.parse(String(value));
    return true;
  } catch {
    return false;
  }
}
