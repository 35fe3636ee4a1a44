import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { connectAsync } from 'mqtt';
import { startEmbeddedBroker } from '../../agent/deliver/embedded.ts';
import type { Reported } from '../../config/topics.ts';
import { INFO, settingsFor, startAgent, startBroker } from './brokerFixture.ts';

const ajv = new Ajv2020({ formats: { uuid: true, 'date-time': true } });
const schemas = new Map<string, ValidateFunction>();
/** Fails unless `payload` is valid against the published JSON Schema. */
function assertValid(name: string, payload: unknown): void {
  const file = join(import.meta.dirname, `../../config/schemas/${name}.schema.json`);
  const validate = schemas.get(name) ?? ajv.compile(JSON.parse(readFileSync(file, 'utf8')));
  schemas.set(name, validate);
  assert.ok(validate(payload), `${name}: ${ajv.errorsText(validate.errors)}`);
}

const REPORTED: Reported = {
  schema: 'plumbline/reported/1',
  id: 'd1',
  outcome: 'applied',
  reason: null,
  calibrationReview: 0.05,
  note: null,
  source: 'mqtt',
  threshold: INFO.threshold,
  at: '2026-01-02T03:04:05.678Z',
};

test('everything said is retained as it should be and valid against the published schemas', async (t) => {
  const broker = await startBroker(t);
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  await broker.until(() => ['health', 'state', 'info'].every((what) => broker.last(what) !== undefined));
  assert.equal(broker.last('state').state, 'starting');
  agent.publishing.ready();
  agent.publishing.raise('disk-full');
  agent.publishing.report(REPORTED);
  const [verdict] = agent.record(1);
  await broker.until(() => broker.verdicts().length === 1 && broker.last('config/reported') !== undefined);
  assert.deepEqual(broker.last('info'), INFO);
  assert.deepEqual(broker.last('config/reported'), REPORTED);
  assert.deepEqual(broker.last('verdict'), verdict);
  for (const { what, topic, retain, payload } of broker.received) {
    assertValid(what === 'config/reported' ? 'reported' : what, JSON.parse(payload));
    assert.equal(retain, what !== 'verdict', what);
    assert.equal(topic, `plumbline/v1/site/camera-1/${what}`);
  }
});

test('state goes from starting to ready, to alert while a condition lasts, and to stopping at the end', async (t) => {
  const broker = await startBroker(t);
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  await broker.until(() => broker.last('state') !== undefined);
  const { publishing } = agent;
  publishing.ready();
  publishing.raise('watch-missing');
  publishing.raise('watch-missing');
  publishing.raise('disk-full', 'Only 12 bytes left.');
  publishing.clear('watch-missing');
  publishing.clear('disk-full');
  publishing.clear('disk-full');
  await agent.stop();
  const states = broker.received.filter((m) => m.what === 'state').map((m) => JSON.parse(m.payload));
  assert.deepEqual(
    states.map((s) => [s.state, s.alerts.map((a: { code: string; message: string }) => [a.code, a.message])]),
    [
      ['starting', []],
      ['ready', []],
      ['alert', [['watch-missing', 'The watched folder is missing or unreadable.']]],
      [
        'alert',
        [
          ['watch-missing', 'The watched folder is missing or unreadable.'],
          ['disk-full', 'Only 12 bytes left.'],
        ],
      ],
      ['alert', [['disk-full', 'Only 12 bytes left.']]],
      ['ready', []],
      ['stopping', []],
    ],
    'no repeats, and no last will after a clean stop',
  );
});

test('a connection that breaks makes the broker say lost; the new one says all of it again', async (t) => {
  const broker = await startBroker(t);
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  agent.publishing.ready();
  agent.publishing.report(REPORTED);
  let connections = 0;
  broker.aedes!.on('clientReady', (client) => {
    if (++connections === 1) broker.aedes!.once('subscribe', () => setImmediate(() => client.conn.destroy()));
  });
  await broker.until(() => broker.received.some((m) => m.what === 'state' && /"lost"/.test(m.payload)));
  const lost = broker.received.findIndex((m) => /"lost"/.test(m.payload));
  assertValid('state', JSON.parse(broker.received[lost]!.payload));
  assert.equal(broker.received[lost]!.retain, true);
  const after = () => broker.received.slice(lost + 1).map((m) => m.what);
  await broker.until(() =>
    ['state', 'info', 'config/reported', 'health'].every((what) => after().includes(what)),
  );
  assert.equal(broker.last('state').state, 'ready');
});

test('health comes again at its interval, with what the ledger counts', async (t) => {
  const broker = await startBroker(t);
  const agent = await startAgent(t, settingsFor(broker.url, { 'health.interval': '0.05' }), { broker });
  agent.record(3);
  await broker.until(() => broker.last('health')?.outbox === 0 && broker.last('health').verdicts.pass === 3);
  assert.equal(broker.last('health').lastVerdictAt, '2026-01-02T03:04:06.789Z');
});

test('a retained desired message is heard after every connection', async (t) => {
  const broker = await startBroker(t);
  const operator = await connectAsync(broker.url);
  t.after(() => operator.endAsync(true));
  const topic = 'plumbline/v1/site/camera-1/config/desired';
  await operator.publishAsync(topic, '{"id":"d1"}', { qos: 1, retain: true });
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  await broker.until(() => agent.desired.length === 1);
  for (const client of Object.values(
    (broker.aedes as unknown as { clients: Record<string, { id: string; close(): void }> }).clients,
  ))
    if (client.id.startsWith('plumbline-')) client.close();
  await broker.until(() => agent.desired.length === 2);
  await operator.publishAsync(topic, '{"id":"d2"}', { qos: 1 });
  await broker.until(() => agent.desired.length === 3);
  assert.deepEqual(agent.desired, ['{"id":"d1"}', '{"id":"d1"}', '{"id":"d2"}']);
});

test('without a broker the embedded one serves, on loopback, until the agent stops', async (t) => {
  const settings = settingsFor('', { 'mqtt.embeddedPort': '0' });
  const agent = await startAgent(t, settings);
  const url = agent.publishing.embeddedUrl!;
  assert.match(url, /^mqtt:\/\/127\.0\.0\.1:\d+$/);
  const dashboard = await connectAsync(url);
  t.after(() => dashboard.endAsync(true));
  const words: string[] = [];
  const stopping = new Promise<void>((resolve) => {
    dashboard.on('message', (topic, payload) => {
      if (topic.endsWith('verdict')) words.push(JSON.parse(payload.toString()).id);
      if (topic.endsWith('state') && payload.includes('"stopping"')) resolve();
    });
  });
  await dashboard.subscribeAsync('plumbline/v1/#', { qos: 1 });
  const recorded = agent.record(30);
  await agent.stop();
  await stopping;
  assert.deepEqual(
    words,
    recorded.map((v) => v.id),
  );
  await assert.rejects(connectAsync(url, { reconnectPeriod: 0 }), /ECONNREFUSED/);
});

test('a taken port of the embedded broker is named with the settings that help', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await assert.rejects(
    startEmbeddedBroker(port),
    new RegExp(`Port ${port} on 127.0.0.1 is in use.*mqtt.url.*mqtt.embeddedPort`),
  );
});
