/** What the ledger keeps and what it lets go: never the fact that a file was judged, and nothing without a word. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { settingsFor, startAgent, startBroker, temporaryFolder } from './brokerFixture.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

const NEVER = Number.NEGATIVE_INFINITY;
const NO_LIMIT = Number.POSITIVE_INFINITY;
const numbers = (count: number, first = 1) => Array.from({ length: count }, (_, i) => first + i);

/** A ledger with verdicts 1 to `count`; every tenth waits for the broker. */
async function filled(state: string, count: number) {
  const ledger = await openLedger(state);
  const add = (seqs: readonly number[]) => {
    ledger.record(
      seqs.map((seq) => {
        const of = capture(`c${seq}`);
        return { capture: of, contentSha256: null, makeVerdict: verdictOn(of, 2000) };
      }),
    );
    ledger.outbox.acknowledge(seqs.filter((seq) => seq % 10 !== 0));
  };
  add(numbers(count));
  const prune = (limits: { bytes: number; before: number }) => {
    let pruned = 0;
    for (let some = 1; some > 0; pruned += some) some = ledger.retention.prune(limits);
    return pruned;
  };
  return { ledger, add, prune };
}

test('verdicts that are too old lose their message, and are known all the same', async (t) => {
  const { ledger, prune } = await filled(temporaryFolder(t), 500);
  t.after(() => ledger.close());
  assert.equal(prune({ bytes: NO_LIMIT, before: NEVER }), 0);
  assert.equal(prune({ bytes: NO_LIMIT, before: Date.now() + 1 }), 450);
  for (const seq of numbers(500)) assert.equal(ledger.isRecorded(capture(`c${seq}`)), true);
  const waiting = ledger.outbox.after(0, 1000);
  assert.deepEqual(
    waiting.map(({ seq, payload }) => [seq, JSON.parse(payload).seq]),
    numbers(50).map((i) => [10 * i, 10 * i]),
    'what waits is whole',
  );
  assert.equal(ledger.counts().pass, 500);
  assert.equal(recordOne(ledger, capture('new'), null, verdictOn(capture('new')))?.seq, 501);
});

test('a ledger that is kept below its bytes stops growing', async (t) => {
  const state = temporaryFolder(t);
  const { ledger, add, prune } = await filled(state, 500);
  t.after(() => ledger.close());
  const limit = 1.5 * ledger.retention.bytes();
  const sizes = numbers(6).map((round) => {
    const seqs = numbers(200, 301 + 200 * round);
    add(seqs);
    ledger.outbox.acknowledge(seqs);
    prune({ bytes: limit, before: NEVER });
    assert.ok(ledger.retention.bytes() <= limit);
    return statSync(join(state, 'ledger.sqlite')).size;
  });
  assert.ok(sizes.at(-1)! <= 1.5 * limit, `${sizes} for ${limit}`);
});

test('what waited for too long is dropped from the oldest on, and the newest never', async (t) => {
  const { ledger } = await filled(temporaryFolder(t), 50);
  t.after(() => ledger.close());
  assert.deepEqual(ledger.outbox.trim({ bytes: NO_LIMIT, before: NEVER }), []);
  const [gap] = ledger.outbox.trim({ bytes: NO_LIMIT, before: Date.now() + 1 });
  assert.deepEqual([gap?.first, gap?.last, gap?.verdicts, gap?.reason], [10, 40, 4, 'outbox-age']);
  assert.deepEqual(
    ledger.outbox.after(0, 100).map(({ seq }) => seq),
    [50],
  );
});

test('a gap is announced until a broker has taken it, once then, and as the published schema says', async (t) => {
  const state = temporaryFolder(t);
  let deaf = true;
  const broker = await startBroker(t, {
    authorizePublish: (_, packet, done) => {
      if (packet.topic.endsWith('/gap') && deaf)
        broker.received.push({ ...packet, what: 'unheard' } as never);
      else done();
      broker.check();
    },
  });
  await broker.stop();
  const settings = settingsFor(broker.url, { 'outbox.bytes': '20000' });
  const first = await startAgent(t, settings, { state, broker });
  first.record(40, 1000);
  const gaps = first.ledger.gaps.unannounced().map(({ gap }) => gap);
  assert.ok(gaps.length > 0);
  await broker.start();
  await broker.until(() => broker.received.filter((m) => m.what === 'unheard').length >= gaps.length);
  await first.stop();
  deaf = false;
  const second = await startAgent(t, settings, { state, broker });
  const announced = () => broker.received.filter((m) => m.what === 'gap').map((m) => JSON.parse(m.payload));
  await broker.until(() => announced().length === gaps.length);
  assert.deepEqual(announced(), gaps);
  const schema = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../config/schemas/gap.schema.json'), 'utf8'),
  );
  const valid = new Ajv2020({ formats: { 'date-time': true } }).compile(schema);
  for (const gap of gaps) assert.ok(valid(gap), JSON.stringify(valid.errors));
  await second.stop();
  await startAgent(t, settings, { state, broker });
  await broker.until(() => broker.received.filter((m) => m.what === 'info').length >= 3);
  assert.equal(announced().length, gaps.length);
});
