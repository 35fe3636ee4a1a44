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
  readonly stop: AbortSignal;
}

export interface Commits {
  /**
   * Resolves once the verdict is on disk, for which it is tried again and again. null: it is recorded already, the ledger
   * does not take its values (`ledger-failing` says so), or the agent was stopped before it could be.
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
      await settle(waiting.splice(0, MOST_TOGETHER), options);
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

/** One that cannot be recorded, however often it is tried, takes none of the others with it. */
async function settle(together: readonly Waiting[], options: CommitOptions): Promise<void> {
  const entries = together.map(({ entry }) => entry);
  try {
    const verdicts = await answered(() => options.ledger.record(entries), options);
    for (const [i, { resolve }] of together.entries()) resolve(verdicts?.[i] ?? null);
  } catch (error) {
    if (together.length > 1) {
      for (const one of together) await settle([one], options);
      return;
    }
    const [{ resolve, reject }] = together as [Waiting];
    if (!(error instanceof LedgerError)) return reject(error);
    options.onCondition(error.alert, error.message); // stays: its file is looked at again with the folder
    resolve(null);
  }
}

/**
 * What the ledger answers, asked again and again until it can. null: its answer, or stopped before.
 * @throws LedgerError when it does not take the values, for which asking again does not help.
 */
export async function answered<T>(
  ask: () => T | null,
  options: Pick<CommitOptions, 'onCondition' | 'stop'>,
): Promise<T | null> {
  const raised = new Set<LedgerError['alert']>();
  for (;;) {
    try {
      const answer = ask();
      for (const alert of raised) options.onCondition(alert, null);
      return answer;
    } catch (error) {
      if (!(error instanceof LedgerError) || error.refused) throw error;
      raised.add(error.alert);
      options.onCondition(error.alert, error.message);
    }
    if (options.stop.aborted) return null;
    await delay(RETRY, undefined, { signal: options.stop }).catch(() => {});
  }
}
