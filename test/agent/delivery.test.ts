/** Bad days of a network, against Mosquitto: nothing is lost, nobody waits longer than must be, and state says what is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type IConnackPacket } from 'mqtt';
import { settingsFor, startAgent, type TestAgent, temporaryFolder } from './brokerFixture.ts';
import { openLine, skip, startMosquitto, subscribe } from './mosquittoFixture.ts';

/** Acknowledgements are written down a little after they came. */
const drained = async (agent: TestAgent, left = 0) => {
  while (agent.ledger.outbox.size().verdicts > left) await delay(5);
};
const said = (agent: TestAgent, words: string) => agent.lines.some((line) => line.includes(words));
type Dashboard = Awaited<ReturnType<typeof subscribe>>;
const lastState = (dashboard: Dashboard) => {
  const packet = dashboard.of('state').at(-1);
  return packet === undefined ? undefined : JSON.parse(packet.payload.toString());
};

test('an hour of outage comes in order, and what is recorded meanwhile goes before it', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t);
  const dashboard = await subscribe(t, mosquitto.url);
  const line = await openLine(t, mosquitto.port);
  line.refusing = true;
  const agent = await startAgent(t, settingsFor(line.url));
  const backlog = agent.recordAll(3600);
  line.refusing = false;
  const verdicts = dashboard.verdicts();
  const overtaken: number[] = [];
  for (const seen of [300, 1500, 2700]) {
    await dashboard.until(() => verdicts.length >= seen);
    const before = verdicts.length;
    const [live] = agent.record(1);
    await dashboard.until(() => verdicts.at(-1)?.seq === live!.seq);
    overtaken.push(verdicts.length - 1 - before);
  }
  await dashboard.until(() => verdicts.length === 3603);
  assert.deepEqual(
    verdicts.map((v) => v.seq).filter((seq) => seq <= 3600),
    backlog.map((v) => v.seq),
  );
  // What was in flight, and what had come to the dashboard's socket; thousands if it had waited for its turn.
  for (const waited of overtaken) assert.ok(waited < 200, `${waited} came between a live one and its record`);
  await drained(agent);
  assert.equal(line.connections, 1);
});

test('a broker that is slow, but answers, is waited for', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const dashboard = await subscribe(t, mosquitto.url);
  const line = await openLine(t, mosquitto.port, 40); // twenty in flight take 800 ms
  const agent = await startAgent(t, settingsFor(line.url, { 'mqtt.acknowledge': '0.5' }));
  agent.recordAll(40);
  await drained(agent);
  assert.equal(line.connections, 1);
  assert.equal(dashboard.verdicts().length, 40, 'none is sent twice');
});

test('a dead line is found by the missing acknowledgement; the new connection takes over cleanly', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t);
  const dashboard = await subscribe(t, mosquitto.url);
  const line = await openLine(t, mosquitto.port);
  const agent = await startAgent(t, settingsFor(line.url, { 'mqtt.acknowledge': '0.3' }));
  agent.publishing.ready();
  await dashboard.until(() => lastState(dashboard)?.state === 'ready');
  line.freeze();
  const recorded = agent.record(3);
  await dashboard.until(() => dashboard.verdicts().length === 3);
  assert.deepEqual(dashboard.verdicts(), recorded);
  assert.ok(said(agent, 'no acknowledgement within 0.3 s'));
  // The broker gives up the old connection when the new one comes, and says its will: that must not be the last word.
  await dashboard.until(() => lastState(dashboard).state === 'ready');
  const states = dashboard.of('state').map((p) => JSON.parse(p.payload.toString()).state);
  assert.deepEqual(states.slice(states.indexOf('lost')), ['lost', 'ready']);
  const late = await subscribe(t, mosquitto.url, 'late');
  await late.until(() => late.of('state').length > 0);
  assert.equal(lastState(late).state, 'ready', 'retained');
});

test('a second agent of the same name is said to be one, and no verdict of either is lost', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t);
  const dashboard = await subscribe(t, mosquitto.url);
  const first = await startAgent(t, settingsFor(mosquitto.url));
  await dashboard.until(() => dashboard.of('info').length === 1);
  const second = await startAgent(t, settingsFor(mosquitto.url));
  while (!said(first, 'is a second agent running with the same site and device?')) await delay(5);
  first.record(5);
  second.record(5);
  await second.stop();
  await drained(first);
  assert.ok(dashboard.verdicts().length >= 10);
});

test('an agent that ends leaves no session behind at the broker', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t);
  const dashboard = await subscribe(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url));
  await dashboard.until(() => dashboard.of('info').length === 1);
  await agent.stop();
  const next = connect(mosquitto.url, {
    protocolVersion: 5,
    clientId: 'plumbline-site-camera-1',
    clean: false,
  });
  t.after(() => next.endAsync(true));
  const { sessionPresent } = await new Promise<IConnackPacket>((resolve) => next.once('connect', resolve));
  assert.equal(sessionPresent, false);
});

test('a verdict larger than the broker takes is kept and said; the others go on, and it too once it may', {
  skip,
}, async (t) => {
  // It remembers the dashboard's session: the agent may be back before the dashboard is.
  const remembering = `persistence true\npersistence_location ${temporaryFolder(t)}/`;
  const mosquitto = await startMosquitto(t, () => `${remembering}\nmax_packet_size 2000`);
  const dashboard = await subscribe(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url));
  agent.publishing.ready();
  agent.record(2);
  const [large] = agent.record(1, 3000);
  agent.record(4);
  await dashboard.until(
    () => dashboard.verdicts().length === 6 && lastState(dashboard)?.alerts[0]?.code === 'delivery-refused',
  );
  assert.match(lastState(dashboard).alerts[0].message, /the packet has \d+ bytes, the broker takes 2000/);
  const refusal = agent.lines
    .map((line) => JSON.parse(line))
    .find(({ msg }) => /refuses a verdict/.test(msg));
  assert.deepEqual([refusal.seq, refusal.code], [large!.seq, 149]);
  await drained(agent, 1);
  assert.equal(dashboard.of('info').length, 1, 'the connection was not ended over it');
  await mosquitto.stop();
  await mosquitto.start(remembering);
  await dashboard.until(() => dashboard.verdicts().some((v) => v.seq === large!.seq));
  await dashboard.until(() => lastState(dashboard).state === 'ready');
});

test('a broker that forgets everything when it is killed hears all of it again', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t, () => 'persistence false');
  const agent = await startAgent(t, settingsFor(mosquitto.url));
  agent.publishing.ready();
  agent.record(1);
  await drained(agent);
  await mosquitto.stop('SIGKILL');
  agent.recordAll(50);
  await mosquitto.start('persistence false');
  await drained(agent);
  const late = await subscribe(t, mosquitto.url, 'late');
  await late.until(() => ['state', 'info', 'health'].every((what) => late.of(what).length > 0));
  assert.equal(lastState(late).state, 'ready');
});
