/** Which waiting verdict is sent next: what is recorded now before the backlog, and the backlog in between, in order. */
import type { LedgerOutbox, Waiting } from './ledgerOutbox.ts';

/** So many new verdicts go before one of the backlog, while both wait. */
const NEW_PER_OLD = 3;

export interface SendOrder {
  /** Begins anew: everything that waits now is backlog. */
  begin(): void;
  /** The next that was not given since `begin`; null when there is none. */
  next(): Waiting | null;
}

/**
 * Somebody waits for the verdict on the capture just made, nobody for one of an hour ago. Backlog is what waited at
 * `begin`, and what was recorded since faster than the broker takes it: once more than `behind` new ones wait, all but
 * the newest are backlog too.
 * @throws LedgerError, from both methods.
 */
export function sendOrder(ledger: Pick<LedgerOutbox, 'after' | 'newest'>, behind: number): SendOrder {
  /** Backlog: above `old`, up to `boundary`. New: above `recent`. */
  let old = 0;
  let boundary = 0;
  let recent = 0;
  let newInRow = 0;
  return {
    begin() {
      old = 0;
      boundary = Math.max(recent, ledger.newest()); // none may wait
      recent = boundary;
    },
    next() {
      const newest = ledger.newest();
      if (newest - recent > behind) {
        recent = newest - 1;
        boundary = recent;
      }
      const [fresh] = newest > recent ? ledger.after(recent, 1) : [];
      const [oldest] = old < boundary ? ledger.after(old, 1) : [];
      const backlog = oldest !== undefined && oldest.seq <= boundary ? oldest : undefined;
      if (backlog === undefined) old = boundary;
      if (fresh !== undefined && (backlog === undefined || newInRow < NEW_PER_OLD)) {
        newInRow++;
        recent = fresh.seq;
        return fresh;
      }
      newInRow = 0;
      if (backlog === undefined) return null;
      old = backlog.seq;
      return backlog;
    },
  };
}
