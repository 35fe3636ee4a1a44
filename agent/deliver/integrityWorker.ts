/** The thread of integrity.ts: checks the file that it is given, quickly and then as a whole, and says of each what is wrong, or null. */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { isDamage } from './transaction.ts';

for (const check of ['quick_check', 'integrity_check'] as const)
  parentPort?.postMessage(damageOf(workerData as string, check));

function damageOf(path: string, check: 'quick_check' | 'integrity_check'): string | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    const [said] = Object.values(database.prepare(`PRAGMA ${check}(1)`).get() ?? {});
    return said === 'ok' ? null : String(said);
  } catch (error) {
    return isDamage(error) ? (error as Error).message : null;
  } finally {
    database?.close();
  }
}
