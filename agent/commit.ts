/** Verdicts that are ready at about the same time are committed together: a commit waits for the disk, however much it holds. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Alert } from '../config/topics.ts';
import type { Verdict } from '../config/verdict.ts';
import type { Entry, LedgerRecords } from './deliver/ledgerRecords.ts';
import { LedgerError } from './deliver/transaction.ts';

/** Most verdicts in one commit. */
export const MOST_TOGETHER = 8;
/** Longest wait for company, milliseconds. */
const LONGEST = 50;
/** How often a full disk or failing ledger is tried again, milliseconds. */
const RETRY = 1000;

export interface CommitOptions {
  readonly ledger: Pick<LedgerRecords, 'record'>;
  /** Whether another entry is on its way: only then is company waited for. */
  readonly expectsMore: () => boolean;
  readonly onCondition: (code: Alert, message: string | null) => void;
  /** The ledger is damaged: the agent has to start anew, which mends it. */
  readonly onDamage: (error: LedgerError) => void;
  readonly stop: AbortSignal;
}

export interface Commits {
  /**
   * Resolves once the verdict is on disk, for which it is tried again and again. null: it is recorded already, or the
   * agent was stopped before it could be.
   */
  add(entry: Entry): Promise<Verdict | null>;
}

interface Waiting {
  readonly entry: Entry;
  readonly resolve: (verdict: Verdict | null) => void;
  readonly reject: (error: unknown) => void;
}

export function openCommits(options: CommitOptions): Commits {
  const waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  let committing = false;

  const commit = async () => {
    clearTimeout(timer);
    timer = undefined;
    committing = true;
    while (waiting.length > 0) {
      const together = waiting.splice(0, MOST_TOGETHER);
      try {
        const verdicts = await record(
          together.map(({ entry }) => entry),
          options,
        );
        for (const [i, { resolve }] of together.entries()) resolve(verdicts[i] ?? null);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    committing = false;
  };

  return {
    add: (entry) =>
      new Promise((resolve, reject) => {
        waiting.push({ entry, resolve, reject });
        if (committing) return;
        if (waiting.length < MOST_TOGETHER && options.expectsMore())
          timer ??= setTimeout(() => void commit(), LONGEST);
        else void commit();
      }),
  };
}

/** Empty: stopped before it was possible. */
async function record(entries: readonly Entry[], options: CommitOptions): Promise<(Verdict | null)[]> {
  const verdicts = await answered(() => {
    const made = options.ledger.record(entries);
    options.onCondition('ledger-failing', null);
    options.onCondition('disk-full', null);
    return made;
  }, options);
  return verdicts ?? [];
}

/** What the ledger answers, asked again and again until it can. null: its answer, or stopped before. */
export async function answered<T>(
  ask: () => T | null,
  options: Pick<CommitOptions, 'onCondition' | 'onDamage' | 'stop'>,
): Promise<T | null> {
  for (;;) {
    try {
      return ask();
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      options.onCondition(error.alert, error.message);
      if (error.damaged) options.onDamage(error);
    }
    if (options.stop.aborted) return null;
    await delay(RETRY, undefined, { signal: options.stop }).catch(() => {});
  }
}
