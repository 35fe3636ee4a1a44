import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { type SendOrder, sendOrder } from '../../agent/deliver/sendOrder.ts';
import { temporaryFolder } from './brokerFixture.ts';
import { capture, verdictOn } from './verdictFixture.ts';

async function open(t: TestContext) {
  const ledger = await openLedger(temporaryFolder(t));
  t.after(() => ledger.close());
  let recorded = 0;
  const record = (count: number) =>
    ledger.record(
      Array.from({ length: count }, () => {
        const of = capture(`c${recorded++}`);
        return { capture: of, contentSha256: null, makeVerdict: verdictOn(of) };
      }),
    );
  return { outbox: ledger.outbox, record };
}

const rest = (order: SendOrder) => {
  const seqs: number[] = [];
  for (let row = order.next(); row !== null; row = order.next()) seqs.push(row.seq);
  return seqs;
};

test('new verdicts go first, and one of the backlog after every three of them', async (t) => {
  const { outbox, record } = await open(t);
  record(3);
  const order = sendOrder(outbox, 20);
  order.begin();
  record(8);
  assert.deepEqual(rest(order), [4, 5, 6, 1, 7, 8, 9, 2, 10, 11, 3]);
  assert.equal(order.next(), null);
  record(1);
  assert.deepEqual(rest(order), [12]);
});

test('the backlog goes on however many new ones come', async (t) => {
  const { outbox, record } = await open(t);
  record(4);
  const order = sendOrder(outbox, 20);
  order.begin();
  const given: (number | undefined)[] = [];
  for (let i = 0; i < 16; i++) {
    record(1);
    given.push(order.next()?.seq);
  }
  assert.deepEqual(
    given.filter((seq) => seq !== undefined && seq <= 4),
    [1, 2, 3, 4],
  );
});

test('what came faster than it was taken is backlog: the newest first, the others in order', async (t) => {
  const { outbox, record } = await open(t);
  const order = sendOrder(outbox, 4);
  order.begin();
  record(10);
  assert.deepEqual(rest(order), [10, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('begun anew it gives again what is still there, in order, and passes over what is gone', async (t) => {
  const { outbox, record } = await open(t);
  record(6);
  const order = sendOrder(outbox, 4);
  order.begin();
  assert.deepEqual(rest(order), [1, 2, 3, 4, 5, 6]);
  outbox.acknowledge([2, 6]);
  order.begin();
  assert.deepEqual(rest(order), [1, 3, 4, 5]);
  outbox.acknowledge([1, 3, 4, 5]);
  order.begin();
  assert.equal(order.next(), null);
  record(2);
  assert.deepEqual(rest(order), [7, 8]);
});
