/** The ledger as others may read it, while the agent runs or when it does not: nothing is written, nobody waits. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Verdict, VerdictWord } from '../../config/verdict.ts';
import { type Capture, instantOf } from '../capture.ts';
import { LEDGER_FILE } from '../deliver/ledger.ts';
import { StateFolderError } from '../deliver/lock.ts';
import { pragma, SCHEMA_VERSION } from '../deliver/schema.ts';

export const DELIVERIES = ['waiting', 'acknowledged', 'dropped'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/** One verdict and the capture that it is on. Times are ISO 8601, UTC. */
export interface LedgerRow {
  readonly seq: number;
  readonly path: string;
  /** Of a file of several; null: its only one, as far as is known. */
  readonly frame: number | null;
  readonly verdict: VerdictWord;
  readonly reason: string | null;
  readonly score: number | null;
  readonly delivery: Delivery;
  readonly capturedAt: string;
  readonly scoredAt: string;
  readonly recordedAt: string;
  readonly acknowledgedAt: string | null;
  readonly revision: number;
  readonly id: string;
  readonly ref: string;
  readonly bytes: number;
  readonly kind: Capture['kind'];
  readonly sha256: string | null;
  readonly model: string;
  /** Somebody wants this capture judged again. */
  readonly again: boolean;
}

export interface Filter {
  /** Of the file within the watched folder, or a pattern with * and ?. */
  readonly path?: string | undefined;
  readonly ref?: string | undefined;
  readonly id?: string | undefined;
  readonly seq?: number | undefined;
  readonly verdict?: string | undefined;
  readonly reason?: string | undefined;
  readonly delivery?: string | undefined;
  /** Recorded at or after, and before; milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export interface LedgerReader {
  readonly database: DatabaseSync;
  /** Verdicts in order of `seq`, or the newest first. */
  rows(filter: Filter, order: 'oldest' | 'newest'): Iterable<LedgerRow>;
  /** The message as it was published; null: pruned. */
  message(seq: number): Verdict | null;
  /** Digest of the bundle that the agent was started with last; null: of none so far. */
  lastBundle(): string | null;
  close(): void;
}

/** @throws StateFolderError when there is no ledger, or one that this agent cannot read as it is. */
export function openLedgerReader(stateFolder: string, access: 'read' | 'write' = 'read'): LedgerReader {
  const path = join(stateFolder, LEDGER_FILE);
  if (!existsSync(path))
    throw new StateFolderError(
      `There is no ledger ${path}. Name the state folder of the agent (--state), or its settings file (--config).`,
    );
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: access === 'read', timeout: 5000 });
    const version = pragma(database, 'user_version');
    if (version !== SCHEMA_VERSION)
      throw new Error(`it has schema version ${version}, and this agent reads ${SCHEMA_VERSION}`);
    return readerOf(database);
  } catch (cause) {
    database?.close();
    throw new StateFolderError(
      `Ledger ${path} cannot be read: ${(cause as Error).message}. Start the agent once: it migrates an older ledger, and sets a damaged one aside.`,
      { cause },
    );
  }
}

const ROWS = `
  SELECT seq, name AS path, CASE WHEN frame > 1 OR frames > 1 THEN frame END AS frame, word AS verdict, reason, score,
    CASE WHEN acknowledged_ms IS NOT NULL THEN 'acknowledged'
      WHEN EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = verdicts.seq) THEN 'waiting'
      ELSE 'dropped' END AS delivery,
    modified_ns, scored_at AS scoredAt, recorded_ms, acknowledged_ms, revision, id, ref, size AS bytes, kind, verdicts.sha256, model,
    EXISTS (SELECT 1 FROM again WHERE again.capture = captures.capture) AS again
  FROM verdicts JOIN captures USING (capture)`;

const CONDITIONS: Readonly<Record<keyof Filter, string>> = {
  path: '(path = ? OR path GLOB ?)',
  ref: 'ref = ?',
  id: 'id = ?',
  seq: 'seq = ?',
  verdict: 'verdict = ?',
  reason: 'reason = ?',
  delivery: 'delivery = ?',
  since: 'recorded_ms >= ?',
  until: 'recorded_ms < ?',
};

function readerOf(database: DatabaseSync): LedgerReader {
  const payload = database.prepare('SELECT payload FROM payloads WHERE seq = ?');
  // A start with another bundle derives the threshold anew: see agent/control/thresholds.ts.
  const lastBundle = database.prepare('SELECT bundle FROM thresholds ORDER BY revision DESC LIMIT 1');
  return {
    database,
    *rows(filter, order) {
      const given = Object.entries(filter).filter(([, value]) => value !== undefined) as [
        keyof Filter,
        SQLInputValue,
      ][];
      const where = given.map(([key]) => CONDITIONS[key]).join(' AND ') || 'true';
      const statement = database.prepare(
        `SELECT * FROM (${ROWS}) WHERE ${where} ORDER BY seq ${order === 'oldest' ? 'ASC' : 'DESC'}`,
      );
      statement.setReadBigInts(true); // modification times are beyond what a number holds
      const values = given.flatMap(([key, value]) => (key === 'path' ? [value, value] : [value]));
      for (const row of statement.iterate(...values)) yield asRow(row);
    },
    message(seq) {
      const row = payload.get(seq);
      return row === undefined ? null : (JSON.parse(row.payload as string) as Verdict);
    },
    lastBundle: () => (lastBundle.get() as { bundle: string } | undefined)?.bundle ?? null,
    close: () => database.close(),
  };
}

function asRow(row: Record<string, unknown>): LedgerRow {
  const instant = (milliseconds: unknown) => new Date(Number(milliseconds)).toISOString();
  return {
    seq: Number(row.seq),
    path: row.path as string,
    frame: row.frame === null ? null : Number(row.frame),
    verdict: row.verdict as VerdictWord,
    reason: row.reason as string | null,
    score: row.score as number | null,
    delivery: row.delivery as Delivery,
    capturedAt: instantOf(row.modified_ns as bigint),
    scoredAt: row.scoredAt as string,
    recordedAt: instant(row.recorded_ms),
    acknowledgedAt: row.acknowledged_ms === null ? null : instant(row.acknowledged_ms),
    revision: Number(row.revision),
    id: row.id as string,
    ref: row.ref as string,
    bytes: Number(row.bytes),
    kind: row.kind as Capture['kind'],
    sha256: row.sha256 as string | null,
    model: row.model as string,
    again: row.again === 1n,
  };
}
