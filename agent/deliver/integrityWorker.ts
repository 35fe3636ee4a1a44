/** The thread of integrity.ts: checks the file that it is given and says what is wrong, or null. */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { isDamage } from './transaction.ts';

parentPort?.postMessage(damageOf(workerData as string));

function damageOf(path: string): string | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    const [said] = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {});
    return said === 'ok' ? null : String(said);
  } catch (error) {
    return isDamage(error) ? (error as Error).message : null;
  } finally {
    database?.close();
  }
}
