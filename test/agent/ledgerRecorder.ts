/**
 * A process that records captures c0, c1, ... in a loop until it is killed: `ledgerRecorder.ts STATE FIRST [die]`.
 * Prints `recorded NAME SEQ ID` after each, and every third is acknowledged and printed as `acknowledged SEQ`.
 * With `die` it kills itself within the transaction of the first.
 */
import { writeSync } from 'node:fs';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

const [state, first, die] = process.argv.slice(2);
const ledger = await openLedger(state!);
for (let i = Number(first); ; i++) {
  const of = capture(`c${i}`);
  const verdict = recordOne(ledger, of, null, (place) => {
    if (die === 'die') process.kill(process.pid, 'SIGKILL');
    return verdictOn(of)(place);
  });
  if (verdict === null) continue;
  writeSync(1, `recorded ${of.name} ${verdict.seq} ${verdict.id}\n`);
  if (i % 3 === 0) {
    ledger.outbox.acknowledge([verdict.seq]);
    writeSync(1, `acknowledged ${verdict.seq}\n`);
  }
}
