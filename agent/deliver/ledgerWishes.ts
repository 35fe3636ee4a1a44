/** Hears that somebody else wrote into the ledger: captures are to be judged again (`agent retry`, `agent rescore`). */
import { type Connection, reading } from './transaction.ts';

export interface LedgerWishes {
  /** Whether another process has written since this was asked last, and captures wait to be judged again. */
  areNew(): boolean;
}

export function ledgerWishes(connection: Connection): LedgerWishes {
  const { database } = connection;
  // Changes with every commit of another connection: https://sqlite.org/pragma.html#pragma_data_version
  const version = database.prepare('PRAGMA data_version');
  const any = database.prepare('SELECT EXISTS (SELECT 1 FROM again) AS some');
  let seen = version.get()?.data_version;
  return {
    areNew() {
      try {
        return reading(connection, 'read wishes', () => {
          const now = version.get()?.data_version;
          if (now === seen) return false;
          const some = any.get()?.some === 1;
          seen = now;
          return some;
        });
      } catch {
        return false; // a ledger that fails is told of where a verdict cannot be recorded
      }
    },
  };
}
