/** Threshold revisions and what led to them, within the ledger. */
import type { Threshold, ThresholdRule } from '../../config/threshold.ts';
import type { Reported } from '../../config/topics.ts';
import { type Connection, reading, transaction } from './transaction.ts';

export interface StoredThreshold {
  readonly threshold: Threshold;
  readonly source: Reported['source'];
  /** Digest of the bundle whose calibration scores gave the bounds. */
  readonly bundle: string;
}

/** How a `config/desired` was answered. */
export interface Answer {
  readonly id: string;
  readonly rule: ThresholdRule;
  readonly outcome: Reported['outcome'];
  readonly reason: string | null;
}

/** What one change writes, all in one transaction. */
export interface ThresholdChange {
  /** A new revision. */
  readonly revision?: StoredThreshold;
  readonly answer?: Answer;
  /** The rule that the settings now hold; null: none. */
  readonly settingsRule?: ThresholdRule | null;
}

export interface LedgerThresholds {
  /** The newest revision; null in a new ledger. @throws LedgerError */
  current(): StoredThreshold | null;
  /** The rule that the settings held when last looked at; undefined when never. @throws LedgerError */
  settingsRule(): ThresholdRule | null | undefined;
  /** The answer that was given to this id with this rule; null when it is new. @throws LedgerError */
  answered(id: string, rule: ThresholdRule): Pick<Answer, 'outcome' | 'reason'> | null;
  /** @throws LedgerError when the disk is full or failing; nothing was written then. */
  write(change: ThresholdChange): void;
}

/** So many answers are remembered, the newest. A retained `config/desired` repeats the last one only. */
const ANSWERS_KEPT = 1000;

export function ledgerThresholds(connection: Connection): LedgerThresholds {
  const { database } = connection;
  const newest = database.prepare('SELECT * FROM thresholds ORDER BY revision DESC LIMIT 1');
  const append = database.prepare(
    'INSERT INTO thresholds (revision, rule, upper, lower, source, bundle, applied_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const answer = database.prepare('SELECT outcome, reason FROM answers WHERE id = ? AND rule = ?');
  const addAnswer = database.prepare(
    'INSERT OR REPLACE INTO answers (id, rule, outcome, reason, answered_ms) VALUES (?, ?, ?, ?, ?)',
  );
  const forget = database.prepare('DELETE FROM answers WHERE rowid <= (SELECT max(rowid) FROM answers) - ?');
  const fact = database.prepare('SELECT value FROM facts WHERE key = ?');
  const setFact = database.prepare('INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)');

  return {
    current() {
      const row = reading(connection, 'read the threshold', () => newest.get());
      if (row === undefined) return null;
      return {
        threshold: {
          rule: JSON.parse(row.rule as string) as ThresholdRule,
          upper: row.upper as number,
          lower: row.lower as number | null,
          revision: row.revision as number,
        },
        source: row.source as Reported['source'],
        bundle: row.bundle as string,
      };
    },
    settingsRule() {
      const row = reading(connection, 'read the threshold of the settings', () =>
        fact.get('settings-rule'),
      ) as { value: string } | undefined;
      return row === undefined ? undefined : (JSON.parse(row.value) as ThresholdRule | null);
    },
    answered: (id, rule) =>
      (reading(connection, 'read earlier answers', () => answer.get(id, canonicalRule(rule))) as
        | Pick<Answer, 'outcome' | 'reason'>
        | undefined) ?? null,
    write: (change) =>
      transaction(connection, 'threshold', () => {
        const now = Date.now();
        if (change.revision !== undefined) {
          const { threshold: t, source, bundle } = change.revision;
          append.run(t.revision, canonicalRule(t.rule), t.upper, t.lower, source, bundle, now);
        }
        if (change.answer !== undefined) {
          const { id, rule, outcome, reason } = change.answer;
          addAnswer.run(id, canonicalRule(rule), outcome, reason, now);
          forget.run(ANSWERS_KEPT);
        }
        if (change.settingsRule !== undefined)
          setFact.run(
            'settings-rule',
            change.settingsRule === null ? 'null' : canonicalRule(change.settingsRule),
          );
      }),
  };
}

/** A rule as JSON with its keys in alphabetical order: equal rules give equal text. */
export function canonicalRule(rule: ThresholdRule): string {
  return JSON.stringify(Object.fromEntries(Object.entries(rule).sort(([a], [b]) => (a < b ? -1 : 1))));
}
