/** What only MQTT 5 can do, against Mosquitto. Skipped where it is not installed (Debian: apt-get install mosquitto). */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { settingsFor, startAgent } from './brokerFixture.ts';
import { openLine, skip, startMosquitto, subscribe } from './mosquittoFixture.ts';

test('messages carry content type and health an expiry; the version spoken is 5', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const dashboard = await subscribe(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url, { 'health.interval': '7' }));
  agent.record(1);
  await dashboard.until(() =>
    ['state', 'info', 'health', 'verdict'].every((w) => dashboard.of(w).length > 0),
  );
  for (const packet of dashboard.packets) assert.equal(packet.properties?.contentType, 'application/json');
  const expiry = dashboard.of('health')[0]?.properties?.messageExpiryInterval;
  assert.ok(expiry !== undefined && expiry > 0 && expiry <= 21);
  assert.ok(agent.lines.some((line) => /connected to the broker/.test(line) && /"version":"5"/.test(line)));
});

const acl = (folder: string, rules: string) => {
  writeFileSync(join(folder, 'acl'), `topic readwrite plumbline/#\n${rules}`);
  return `acl_file ${folder}/acl`;
};

test('a gap that is denied is told of by state, and announced once it may be, on the same connection', {
  skip,
}, async (t) => {
  const denying = (folder: string) => acl(folder, 'topic deny plumbline/v1/site/camera-1/gap\n');
  const mosquitto = await startMosquitto(t, denying);
  await mosquitto.stop('SIGTERM');
  const agent = await startAgent(t, settingsFor(mosquitto.url, { 'outbox.bytes': '20000' }));
  agent.record(40, 1000);
  const gaps = agent.ledger.gaps.unannounced().map(({ gap }) => gap);
  assert.ok(gaps.length > 0);
  await mosquitto.start(denying(mosquitto.folder));
  const dashboard = await subscribe(t, mosquitto.url);
  const said = () => dashboard.of('state').map(({ payload }) => JSON.parse(payload.toString()));
  const refused = () => said().at(-1)?.alerts[0]?.message;
  await dashboard.until(() => /refuses to be told of gaps: .*Not authorized/.test(refused()));
  acl(mosquitto.folder, '');
  mosquitto.reload();
  const announced = () => new Set(dashboard.of('gap').map(({ payload }) => payload.toString()));
  await dashboard.until(
    () => refused() === undefined && gaps.every((gap) => announced().has(JSON.stringify(gap))),
  );
  assert.equal(agent.lines.filter((line) => /connected to the broker/.test(line)).length, 1);
});

test('a PUBACK that denies keeps the verdict, says why, and it is sent again later', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t, (folder) =>
    acl(folder, 'topic deny plumbline/v1/site/camera-1/verdict\n'),
  );
  const dashboard = await subscribe(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url));
  const recorded = agent.record(50);
  const refusal = () =>
    agent.lines.map((line) => JSON.parse(line)).find((line) => /refuses a verdict/.test(line.msg));
  while (refusal() === undefined) await delay(5);
  assert.equal(refusal().code, 135);
  assert.match(refusal().reason, /Not authorized/);
  assert.equal(agent.ledger.outbox.size().verdicts, 50);
  assert.equal(agent.publishing.connected(), true);
  acl(mosquitto.folder, '');
  mosquitto.reload();
  await dashboard.until(() => dashboard.verdicts().length >= 50);
  assert.deepEqual(
    dashboard
      .verdicts()
      .map((v) => v.id)
      .sort(),
    recorded.map((v) => v.id).sort(),
  );
});

test('a broker that is restarted twice in the middle gets every verdict', { skip }, async (t) => {
  const persistent = (folder: string) =>
    `persistence true\npersistence_location ${folder}/\nautosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0`;
  const mosquitto = await startMosquitto(t, persistent);
  const dashboard = await subscribe(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url));
  const recorded = agent.record(500);
  for (const seen of [80, 250]) {
    await dashboard.until(() => dashboard.verdicts().length >= seen);
    await mosquitto.stop('SIGTERM');
    await mosquitto.start(persistent(mosquitto.folder));
  }
  const ids = () => new Set(dashboard.verdicts().map((v) => v.id));
  await dashboard.until(() => ids().size === 500);
  assert.deepEqual([...ids()].sort(), recorded.map((v) => v.id).sort());
  for (const verdict of dashboard.verdicts()) assert.deepEqual(verdict, recorded[verdict.seq - 1]);
});

test('the receive maximum of the broker bounds what is in flight, presence included', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t, () => 'max_inflight_messages 2');
  const dashboard = await subscribe(t, mosquitto.url);
  const slow = await openLine(t, mosquitto.port, 10);
  const agent = await startAgent(t, settingsFor(slow.url, { 'mqtt.window': '50' }));
  agent.record(30);
  agent.publishing.raise('disk-full');
  await dashboard.until(() => dashboard.verdicts().length === 30);
  assert.equal(slow.mostUnacknowledged, 2);
});
