import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer } from 'node:tls';
import type { AuthenticateError } from 'aedes';
import { redacted, tryBroker, waitAfter } from '../../agent/deliver/broker.ts';
import { settingsFor, startAgent, startBroker, temporaryFolder } from './brokerFixture.ts';

test('a broker that refuses is tried again and says why; a password file is read anew; no secret is logged', async (t) => {
  const seen: string[] = [];
  const broker = await startBroker(t, {
    authenticate: (_, user, password, done) => {
      seen.push(`${user}:${password}`);
      const right = password?.toString() === 'right-secret';
      done(right ? null : (Object.assign(new Error('no'), { returnCode: 4 }) as AuthenticateError), right);
    },
  });
  const file = join(temporaryFolder(t), 'password');
  writeFileSync(file, 'wrong-secret\n');
  const settings = settingsFor(broker.url.replace('//', '//url-user:url-secret@'), {
    'mqtt.username': 'camera',
    'mqtt.passwordFile': file,
  });
  const agent = await startAgent(t, settings, { broker });
  const [verdict] = agent.record(1);
  await broker.until(() => agent.lines.filter((l) => l.includes('Bad username or password')).length >= 3);
  assert.equal(agent.publishing.connected(), false);
  writeFileSync(file, 'right-secret\n');
  await broker.until(() => broker.verdicts().length === 1);
  assert.deepEqual(broker.verdicts(), [verdict]);
  assert.ok(seen.includes('camera:wrong-secret') && seen.includes('camera:right-secret'), seen.join());
  const log = agent.lines.join('');
  assert.doesNotMatch(log, /secret|url-user|camera"/);
  const warned = agent.lines.filter((l) => l.includes('Bad username') && JSON.parse(l).level >= 40);
  assert.equal(warned.length, 1, 'the same reason is warned of once');
});

test('a password that cannot be sent is said to be one', async (t) => {
  const broker = await startBroker(t); // speaks MQTT 3.1.1, in which a password needs a user name
  const file = join(temporaryFolder(t), 'password');
  writeFileSync(file, 'lonely-secret');
  const agent = await startAgent(t, settingsFor(broker.url, { 'mqtt.passwordFile': file }), { broker });
  await broker.until(() => agent.lines.some((l) => l.includes('Username is required to use password')));
});

test('user name and password within the URL serve when the settings name none', async (t) => {
  const seen: string[] = [];
  const broker = await startBroker(t, {
    authenticate: (_, user, password, done) => {
      seen.push(`${user}:${password}`);
      done(null, true);
    },
  });
  await startAgent(t, settingsFor(broker.url.replace('//', '//us%40er:p%3Aw@')), { broker });
  await broker.until(() => broker.last('state') !== undefined);
  assert.ok(seen.includes('us@er:p:w'), seen.join());
});

test('a missing password file is said, and the verdicts wait', async (t) => {
  const broker = await startBroker(t);
  const file = join(temporaryFolder(t), 'password');
  const settings = settingsFor(broker.url, { 'mqtt.username': 'camera', 'mqtt.passwordFile': file });
  const agent = await startAgent(t, settings, { broker });
  agent.record(1);
  await broker.until(() => agent.lines.some((l) => l.includes('mqtt.passwordFile cannot be read (ENOENT)')));
  writeFileSync(file, 'x');
  await broker.until(() => broker.verdicts().length === 1);
});

test('a broker without MQTT 5 is spoken to in 3.1.1, and that is said', async (t) => {
  const broker = await startBroker(t);
  const versions: number[] = [];
  broker.aedes!.on('clientReady', (client) => {
    versions.push((client as unknown as { version: number }).version);
  });
  const agent = await startAgent(t, settingsFor(broker.url), { broker });
  await broker.until(() => broker.last('state') !== undefined);
  assert.deepEqual(versions, [4]);
  assert.ok(agent.lines.some((l) => l.includes('does not speak MQTT 5')));
});

test('over TLS the certificate must be signed by mqtt.ca', async (t) => {
  const folder = temporaryFolder(t);
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  if (made.status !== 0) return t.skip('needs openssl to make a certificate');
  const broker = await startBroker(t);
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
    socket.on('error', () => {});
    broker.aedes!.handle(socket);
  });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const wary = await startAgent(t, settingsFor(url, { device: 'wary' }), { broker });
  await broker.until(() => wary.lines.some((l) => l.includes('self-signed certificate')));
  assert.equal(broker.received.length, 0);
  await startAgent(t, settingsFor(url, { 'mqtt.ca': cert }), { broker });
  await broker.until(() => broker.last('state') !== undefined);
});

test('a broker can be tried without a trace: says how it answered, or why not', async (t) => {
  const broker = await startBroker(t);
  const url = broker.url.replace('//', '//user:secret@');
  assert.equal(await tryBroker(settingsFor(url)), `${broker.url} accepts us with MQTT 3.1.1`);
  await broker.stop();
  await assert.rejects(tryBroker(settingsFor(url)), (error: Error) => {
    assert.match(error.message, /does not accept us: .*ECONNREFUSED.*Check mqtt\.url/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
  assert.deepEqual(broker.received, []);
});

test('the wait doubles with each failure up to its most, and is drawn from its upper half', () => {
  const backoff = { first: 500, most: 30_000, stable: 10_000 };
  const range = (failures: number) => [0, 1].map((random) => waitAfter(failures, backoff, random));
  assert.deepEqual([1, 2, 3, 6, 7, 60].map(range), [
    [250, 500],
    [500, 1000],
    [1000, 2000],
    [8000, 16_000],
    [15_000, 30_000],
    [15_000, 30_000],
  ]);
});

test('whatever a broker of MQTT 5 refuses or ends the connection with is said, and it is tried again', async (t) => {
  const refusals: Record<number, string> = {
    133: 'Client Identifier not valid',
    134: 'Bad User Name or Password',
    135: 'Not authorized',
    136: 'Server unavailable',
    137: 'Server busy',
    138: 'Banned',
    151: 'Quota exceeded',
    156: 'Use another server',
    159: 'Connection rate exceeded',
  };
  const broker = await startBroker(t);
  const TAKEN_OVER = 142;
  const codes = [...Object.keys(refusals).map(Number), TAKEN_OVER];
  const server = createTcpServer((socket) => {
    const code = codes.shift();
    if (code === undefined) return broker.aedes!.handle(socket);
    socket.on('error', () => {});
    // MQTT 5, sections 3.2 and 3.14: refused at once, or accepted and then ended.
    const answer = code === TAKEN_OVER ? [0x20, 3, 0, 0, 0, 0xe0, 1, code] : [0x20, 3, 0, code, 0];
    socket.once('data', () => socket.end(Buffer.from(answer)));
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const agent = await startAgent(t, settingsFor(url), { broker });
  const [verdict] = agent.record(1);
  await broker.until(() => broker.verdicts().length === 1);
  assert.deepEqual(broker.verdicts(), [verdict]);
  assert.ok(agent.lines.some((line) => line.includes('another client took its place')));
  for (const words of Object.values(refusals))
    assert.ok(
      agent.lines.some((line) => line.includes(`Connection refused: ${words}`)),
      words,
    );
});

test('a URL is logged without user name and password', () => {
  assert.equal(redacted('mqtts://user:secret@broker.example:8883'), 'mqtts://broker.example:8883');
  assert.equal(redacted('mqtt://broker.example'), 'mqtt://broker.example');
});
