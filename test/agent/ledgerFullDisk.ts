/**
 * Records on a file system of `BYTES` until it is full, makes space, and goes on: `ledgerFullDisk.ts STATE`.
 * Prints as JSON what happened. Its parent mounts the file system, or limits the size of files.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { LedgerError } from '../../agent/deliver/transaction.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

const state = process.argv[2]!;
const ballast = join(state, 'ballast');
writeFileSync(ballast, Buffer.alloc(600_000));
const ledger = await openLedger(state);
let recorded = 0;
let failure: unknown;
while (failure === undefined && recorded < 5000)
  try {
    const of = capture(`c${recorded}`);
    recordOne(ledger, of, null, verdictOn(of, 1000));
    recorded++;
  } catch (error) {
    failure = error;
  }
const failed = capture(`c${recorded}`);
const leftNothing = !ledger.isRecorded(failed) && ledger.outbox.size().verdicts === recorded;
rmSync(ballast);
let afterwards: number | string;
try {
  afterwards = recordOne(ledger, failed, null, verdictOn(failed, 1000))!.seq;
} catch (error) {
  afterwards = String(error);
}
ledger.close();
console.log(
  JSON.stringify({
    recorded,
    alert: failure instanceof LedgerError ? failure.alert : String(failure),
    message: (failure as Error).message,
    leftNothing,
    afterwards,
  }),
);
