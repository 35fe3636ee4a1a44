import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LedgerError } from '../../agent/deliver/transaction.ts';
import {
  settingsFor,
  startAgent,
  startBroker,
  type TestAgent,
  TestBroker,
  temporaryFolder,
} from './brokerFixture.ts';

/** Acknowledgements are written down a little after they came. */
async function untilWrittenDown(agent: TestAgent): Promise<void> {
  while (agent.ledger.outbox.size().verdicts > 0) await delay(5);
}

const distinct = (verdicts: readonly { id: string }[]) => [...new Set(verdicts.map((v) => v.id))];

test('verdicts recorded without a broker wait, and arrive in order once it is there', async (t) => {
  const broker = await startBroker(t);
  await broker.stop();
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  const recorded = agent.record(100);
  await broker.until(() => agent.lines.some((line) => line.includes('verdicts wait')));
  await broker.start();
  await broker.until(() => broker.verdicts().length === 100);
  assert.deepEqual(broker.verdicts(), recorded);
  await untilWrittenDown(agent);
});

test('a broker that goes away twice in the middle gets everything, repeats carrying the same id', async (t) => {
  const broker = await startBroker(t);
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  const recorded = agent.record(400);
  for (const seen of [60, 200]) {
    await broker.until(() => broker.verdicts().length >= seen);
    await broker.stop();
    await broker.start();
  }
  await broker.until(() => distinct(broker.verdicts()).length === 400);
  assert.deepEqual(
    distinct(broker.verdicts()),
    recorded.map((v) => v.id),
    'first arrivals are in order',
  );
  for (const verdict of broker.verdicts()) assert.deepEqual(verdict, recorded[verdict.seq - 1]);
  await untilWrittenDown(agent);
});

test('what was not acknowledged before a restart of the agent is sent after it', async (t) => {
  const state = temporaryFolder(t);
  const broker = await startBroker(t, {
    authorizePublish: (_, packet, done) => {
      if (!packet.topic.endsWith('verdict') || JSON.parse(packet.payload.toString()).seq <= 3) done();
    },
  });
  const first = await startAgent(t, settingsFor(broker.url), { state, broker });
  const recorded = first.record(10);
  await broker.until(() => broker.verdicts().length === 3);
  await first.stop();
  await broker.stop();
  const patient = new TestBroker();
  await patient.start();
  t.after(() => patient.stop());
  await startAgent(t, settingsFor(patient.url), { state, broker: patient });
  await patient.until(() => patient.verdicts().length === 7);
  assert.deepEqual(patient.verdicts(), recorded.slice(3));
});

test('never more than the window is in flight, and the next goes out as one is acknowledged', async (t) => {
  let outstanding = 0;
  let most = 0;
  const broker = await startBroker(t, {
    authorizePublish: (_, packet, done) => {
      if (!packet.topic.endsWith('verdict')) return done();
      most = Math.max(most, ++outstanding);
      setTimeout(() => {
        outstanding--;
        done();
      }, 5);
    },
  });
  await broker.stop();
  const agent = await startAgent(t, settingsFor(broker.url, { 'mqtt.window': '5' }), { broker });
  agent.record(40);
  await broker.start();
  await broker.until(() => broker.verdicts().length === 40);
  assert.equal(most, 5);
});

test('a broker that takes verdicts but never acknowledges gets a new connection, then everything again', async (t) => {
  let deaf = true;
  const broker = await startBroker(t, {
    authorizePublish: (_, packet, done) => {
      if (!deaf || !packet.topic.endsWith('verdict')) done();
    },
  });
  const connections: string[] = [];
  broker.aedes!.on('clientReady', (client) => connections.push(client.id));
  const agent = await startAgent(t, settingsFor(broker.url, { 'mqtt.acknowledge': '0.2' }), { broker });
  const recorded = agent.record(3);
  await broker.until(() => connections.length === 2);
  deaf = false;
  await broker.until(() => distinct(broker.verdicts()).length === 3);
  assert.deepEqual(
    distinct(broker.verdicts()),
    recorded.map((v) => v.id),
  );
  assert.ok(agent.lines.some((line) => line.includes('no acknowledgement within 0.2 s (mqtt.acknowledge)')));
});

test('a verdict that the broker refuses is kept, and delivered once it is permitted', async (t) => {
  let permitted = false;
  let refusals = 0;
  const broker = await startBroker(t, {
    authorizePublish: (_, packet, done) => {
      if (permitted || !packet.topic.endsWith('verdict')) return done();
      refusals++;
      done(new Error('not permitted')); // in MQTT 3.1.1 a broker can but close the connection
      broker.check();
    },
  });
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  const recorded = agent.record(2);
  await broker.until(() => refusals >= 3);
  assert.equal(agent.ledger.outbox.size().verdicts, 2);
  permitted = true;
  await broker.until(() => distinct(broker.verdicts()).length === 2);
  assert.deepEqual(distinct(broker.verdicts()).sort(), recorded.map((v) => v.id).sort());
});

for (const poisonous of [[3], [1, 2, 3]])
  test(`${poisonous.length} of 30 verdicts that end the connection whenever they are sent do not hold up the others, and state says so`, async (t) => {
    let permitted = false;
    const broker = await startBroker(t, {
      authorizePublish: (_, packet, done) => {
        const poison =
          packet.topic.endsWith('verdict') && poisonous.includes(JSON.parse(packet.payload.toString()).seq);
        done(poison && !permitted ? new Error('too much') : null);
      },
    });
    await broker.stop();
    const agent = await startAgent(t, settingsFor(broker.url), { broker });
    agent.publishing.ready();
    agent.recordAll(30);
    await broker.start();
    await broker.until(
      () =>
        distinct(broker.verdicts()).length === 30 - poisonous.length &&
        broker.last('state').state === 'alert',
    );
    assert.equal(broker.last('state').alerts[0].code, 'delivery-refused');
    assert.match(broker.last('state').alerts[0].message, /ends the connection each time/);
    permitted = true;
    await broker.until(
      () => distinct(broker.verdicts()).length === 30 && broker.last('state').state === 'ready',
    );
    await untilWrittenDown(agent);
  });

test('an outage beyond outbox.bytes drops the oldest and says which', async (t) => {
  const broker = await startBroker(t);
  await broker.stop();
  const agent = await startAgent(t, settingsFor(broker.url, { 'outbox.bytes': '20000' }), { broker });
  agent.record(40, 1000);
  const gaps = agent.ledger.gaps.unannounced().map(({ gap }) => gap);
  assert.ok(gaps.length > 0);
  const said = agent.lines
    .map((line) => JSON.parse(line))
    .filter((line) => /more waited for the broker/i.test(line.msg));
  assert.deepEqual(
    said.map(({ first, last, verdicts }) => ({ first, last, verdicts })),
    gaps.map(({ first, last, verdicts }) => ({ first, last, verdicts })),
  );
  const kept = 40 - gaps.at(-1)!.last;
  assert.ok(kept > 5);
  await broker.start();
  await broker.until(() => broker.verdicts().length === kept);
  assert.deepEqual(
    broker.verdicts().map((v) => v.seq),
    Array.from({ length: kept }, (_, i) => 40 - kept + 1 + i),
  );
});

test('a ledger that cannot be read is told of, tried again by one timer, and sent from once it can', async (t) => {
  const broker = await startBroker(t);
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  const { after } = agent.ledger.outbox;
  let asked = 0;
  // Really asked; its answer is what a disk that does not read gives.
  Object.assign(agent.ledger.outbox, {
    after() {
      asked++;
      throw new LedgerError('ledger-failing', 'Cannot read what waits: disk I/O error (SQLite 10).');
    },
  });
  await broker.until(() => broker.last('state') !== undefined);
  const recorded = agent.record(50); // each wakes the outbox
  const alert = () => JSON.stringify(broker.last('state')?.alerts);
  await broker.until(() => /disk I.O error/.test(alert()));
  assert.ok(asked >= 50);
  const told = () => agent.lines.filter((line) => line.includes('the outbox cannot be read')).length;
  assert.equal(told(), 1);
  const before = asked;
  await broker.until(() => told() === 2);
  assert.equal(asked, before + 1, 'one timer');
  const alerts = broker.received.filter(({ what, payload }) => what === 'state' && /disk I.O/.test(payload));
  assert.equal(alerts.length, 1, 'and said once');
  Object.assign(agent.ledger.outbox, { after });
  await broker.until(() => broker.verdicts().length === 50);
  assert.deepEqual(broker.verdicts(), recorded);
  await broker.until(() => alert() === '[]');
});
