/** Whether the ledger's file is sound, asked at every start: a disk may give back something else than was written. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export interface Integrity {
  /** What is wrong, in SQLite's words; null: nothing was found. */
  readonly damage: string | null;
  /** False: `quick_check` took longer than it may, and the rest is unknown. */
  readonly whole: boolean;
}

/**
 * Runs `PRAGMA quick_check` beside this thread, and then `integrity_check`, which compares indexes with their tables, too;
 * an absent file is sound. Not everything is damage: what cannot be opened at all is left to whoever opens it next.
 * @param patience milliseconds for each: of each GiB that the system holds in memory the first takes about 2 s and the
 * second 12 s. Somebody may wait for the start, so the second is left when it takes longer.
 */
export async function checkIntegrity(
  path: string,
  patience: { readonly quick: number; readonly full: number },
): Promise<Integrity> {
  if (!existsSync(path)) return { damage: null, whole: true };
  const worker = new Worker(new URL('./integrityWorker.ts', import.meta.url), { workerData: path });
  const { promise, resolve, reject } = Promise.withResolvers<Integrity>();
  let quick = false;
  const give = () => resolve({ damage: null, whole: quick });
  let timer = setTimeout(give, patience.quick);
  worker.on('message', (damage: string | null) => {
    if (quick || damage !== null) resolve({ damage, whole: true });
    quick = true;
    clearTimeout(timer);
    timer = setTimeout(give, patience.full);
  });
  worker.on('error', reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    void worker.terminate();
  }
}
