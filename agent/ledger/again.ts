/** Asks the agent to judge captures again: `agent retry` and `agent rescore`. Whoever asks again before the answer is answered once. */
import { type Capture, sameVersion } from '../capture.ts';
import { transaction } from '../deliver/transaction.ts';
import type { FaultPoint } from '../faultPoints.ts';
import { captureAt } from '../ingest/look.ts';
import type { LedgerReader } from './reader.ts';

/** Which captures: those whose newest verdict ... */
export type Wish =
  /** ... is unscorable, for this reason or any. */
  | { readonly cause: 'retry'; readonly reason: string | null }
  /** ... was recorded at that time (milliseconds since 1970) or later, by another model than this (digest). */
  | { readonly cause: 'rescore'; readonly since: number; readonly model: string };

export interface Asked {
  /** Captures that the agent will judge again. */
  readonly asked: readonly string[];
  /** Asked for before, and not judged since. */
  readonly waiting: number;
  /** The file is gone, or there is a newer version of it. */
  readonly gone: number;
}

type Candidate = Capture & { readonly capture: number; readonly again: boolean };

/**
 * Writes down what is wanted, in one transaction; the agent takes a wish out with the verdict that answers it, so that
 * one wish is one verdict however often either of them is killed.
 * @param folder the watched folder; only what still stands there can be judged again.
 * @param dry only says what would be asked.
 * @throws LedgerError
 */
export async function askAgain(
  { database }: LedgerReader,
  folder: string,
  wish: Wish,
  dry: boolean,
  faultPoint: FaultPoint,
): Promise<Asked> {
  const candidates = matching(database, wish);
  const standing: Candidate[] = [];
  /** By name: a file may hold many captures. */
  const files = new Map<string, Capture | null>();
  for (const candidate of candidates) {
    const { name } = candidate;
    if (!files.has(name)) files.set(name, await captureAt(folder, name));
    const now = files.get(name) ?? null;
    if (now !== null && sameVersion(now, candidate)) standing.push(candidate);
  }
  const fresh = standing.filter(({ again }) => !again);
  if (!dry && fresh.length > 0) {
    const ask = database.prepare('INSERT OR IGNORE INTO again (capture, cause, asked_ms) VALUES (?, ?, ?)');
    transaction({ database, faultPoint }, 'ask', () => {
      for (const { capture } of fresh) ask.run(capture, wish.cause, Date.now());
    });
  }
  return {
    asked: fresh.map(({ name }) => name),
    waiting: standing.length - fresh.length,
    gone: candidates.length - standing.length,
  };
}

const NEWEST = `
  SELECT captures.capture, name, size, modified_ns, kind,
    EXISTS (SELECT 1 FROM again WHERE again.capture = captures.capture) AS again
  FROM captures JOIN verdicts USING (capture)
  WHERE revision = (SELECT max(revision) FROM verdicts AS v WHERE v.capture = captures.capture)`;

function matching(database: LedgerReader['database'], wish: Wish): Candidate[] {
  const [condition, values] =
    wish.cause === 'retry'
      ? ["word = 'unscorable' AND (reason = ?1 OR ?1 IS NULL)", [wish.reason]]
      : ['recorded_ms >= ?1 AND model <> ?2', [wish.since, wish.model]];
  const rows = database.prepare(`${NEWEST} AND ${condition} ORDER BY seq`);
  rows.setReadBigInts(true); // modification times are beyond what a number holds
  return rows.all(...values).map((row) => ({
    capture: Number(row.capture),
    name: row.name as string,
    size: Number(row.size),
    modifiedNanoseconds: row.modified_ns as bigint,
    kind: row.kind as Capture['kind'],
    again: row.again === 1n,
  }));
}
