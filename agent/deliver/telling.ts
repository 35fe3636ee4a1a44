/** Tells of a ledger that cannot be read, and when it can again. Whoever asks tries again, or does without. */
import { LedgerError } from './transaction.ts';

export type OnLedger = (code: LedgerError['alert'], message: string | null) => void;

/** Returns a way to ask the ledger; it throws what the ledger throws. */
export function telling(onCondition: OnLedger): <T>(ask: () => T) => T {
  let raised: LedgerError['alert'] | null = null;
  return (ask) => {
    try {
      const answer = ask();
      if (raised !== null) onCondition(raised, null);
      raised = null;
      return answer;
    } catch (error) {
      if (error instanceof LedgerError) {
        raised = error.alert;
        onCondition(error.alert, error.message);
      }
      throw error;
    }
  };
}
