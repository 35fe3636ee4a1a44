/** The agent as a process, on real files, with a real broker. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { topics } from '../../config/topics.ts';
import { AGENT, startAgent } from '../support/agent.ts';
import { type Message, startBroker, subscribe } from '../support/broker.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { writeCapture } from '../support/images.ts';

const topic = topics('plumbline', 'north', 'camera');
let bundle: string;
before(async () => {
  bundle = (await makeTestBundle(mkdtempSync(path.join(tmpdir(), 'plumbline-run-')))).path;
});

/** Folders of one agent, and the arguments that make it use them. */
function place(url: string) {
  const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-run-'));
  const watch = path.join(folder, 'captures');
  const state = path.join(folder, 'state');
  mkdirSync(watch);
  const args = [
    '--watch',
    watch,
    '--state',
    state,
    '--broker',
    url,
    '--site',
    'north',
    '--device',
    'camera',
    '--watch-settle',
    '0.3',
  ];
  return { folder, watch, state, args: ['run', '--bundle', bundle, ...args] };
}

const isState = (word: string) => (m: Message) => m.topic === topic.state && m.payload.state === word;
const verdictsOf = (messages: readonly Message[]) =>
  messages.filter((m) => m.topic === topic.verdict).map((m) => m.payload);
const idsOf = (messages: readonly Message[]) => new Set(verdictsOf(messages).map((v) => v.id));

/** Writes a capture as careful software does: under another name first. */
async function drop(folder: string, name: string, kind: 'smooth' | 'noisy', seed: number) {
  const half = path.join(folder, `.${name}.part`);
  await writeCapture(half, kind, seed);
  renameSync(half, path.join(folder, name));
}

/** Direct children of a process, by the kernel's own account. */
function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
}

/** No event tells of the end of a process that is not ours. */
async function gone(pids: readonly string[]): Promise<void> {
  while (
    pids.some(
      (pid) => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '),
    )
  )
    await delay(20);
}

test('every file that appears becomes exactly one verdict; the bad ones do not stop the others', {
  timeout: 60_000,
}, async (t) => {
  const broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  const { watch, args } = place(broker.url);
  await drop(watch, 'before.jpg', 'smooth', 1); // came while the agent was down
  const agent = startAgent(args);
  t.after(async () => {
    agent.child.kill('SIGKILL');
    await dashboard.close();
    await broker.close();
  });
  await dashboard.until(isState('ready'));
  await drop(watch, 'good.jpg', 'smooth', 2);
  await drop(watch, 'poor.jpg', 'noisy', 3);
  await writeCapture(path.join(watch, 'again.jpg'), 'smooth', 2); // the same bytes under another name
  writeFileSync(path.join(watch, 'text.jpg'), 'no picture');
  writeFileSync(path.join(watch, 'empty.jpg'), '');
  writeFileSync(
    path.join(watch, 'truncated.jpg'),
    readFileSync(path.join(watch, 'good.jpg')).subarray(0, 500),
  );
  mkdirSync(path.join(watch, 'folder.jpg'));
  symlinkSync('nowhere', path.join(watch, 'link.jpg'));
  mkdirSync(path.join(watch, 'today'));
  await drop(path.join(watch, 'today'), 'deep.jpg', 'noisy', 4);
  await dashboard.settle(() => idsOf(dashboard.messages).size >= 10);
  const verdicts = verdictsOf(dashboard.messages);
  const tally = verdicts.map((v) => `${v.verdict} ${v.reason}`).sort();
  assert.deepEqual(tally, [
    'pass null',
    'pass null',
    'pass null',
    'review above-threshold',
    'review above-threshold',
    'unscorable dangling-link',
    'unscorable empty',
    'unscorable not-a-file',
    'unscorable truncated',
    'unscorable unsupported-format',
  ]);
  assert.deepEqual(
    verdicts.map((v) => v.seq).sort((a, b) => Number(a) - Number(b)),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );

  const ajv = new Ajv2020({ allErrors: true, validateFormats: false });
  const valid = (name: string, payload: unknown) => {
    const schema = JSON.parse(
      readFileSync(new URL(`../../config/schemas/${name}.schema.json`, import.meta.url), 'utf8'),
    );
    assert.ok(ajv.validate(schema, payload), `${name}: ${ajv.errorsText()} in ${JSON.stringify(payload)}`);
  };
  for (const v of verdicts) valid('verdict', v);
  for (const name of ['state', 'info', 'health'] as const) {
    const said = dashboard.messages.filter((m) => m.topic === topic[name]);
    assert.ok(said.length > 0, name);
    for (const m of said) valid(name, m.payload);
  }
  for (const { payload } of dashboard.messages)
    for (const secret of ['good.jpg', 'poor', 'today', watch])
      assert.ok(!JSON.stringify(payload).includes(secret), `${secret} left the device`);
  assert.ok(!agent.output().includes('good.jpg'), 'no file name in the log');

  const children = childrenOf(agent.pid);
  assert.ok(children.length > 0);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  await dashboard.until(isState('stopping'));
  await gone(children);
});

test('killed again and again, with the broker away in between: every capture has one id, no seq is missing', {
  timeout: 120_000,
}, async (t) => {
  let broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  const { watch, args } = place(broker.url);
  let agent = startAgent(args);
  t.after(async () => {
    agent.child.kill('SIGKILL');
    await dashboard.close();
    await broker.close();
  });
  const count = 30;
  for (let i = 0; i < count; i++) {
    await drop(watch, `capture-${i}.jpg`, i % 3 === 0 ? 'noisy' : 'smooth', i);
    if (i % 6 === 5) {
      const want = dashboard.messages.length + 1;
      await dashboard.settle(() => dashboard.messages.length >= want || idsOf(dashboard.messages).size > i);
      const children = childrenOf(agent.pid);
      agent.child.kill('SIGKILL');
      await agent.ended;
      await gone(children);
      agent = startAgent(args);
    }
    if (i === 14) {
      const { port } = broker;
      await broker.close();
      broker = await startBroker(port);
    }
  }
  await dashboard.settle(() => idsOf(dashboard.messages).size >= count);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  const verdicts = verdictsOf(dashboard.messages);
  const bySeq = new Map(verdicts.map((v) => [v.seq, v.id]));
  assert.equal(idsOf(dashboard.messages).size, count);
  assert.deepEqual(
    [...bySeq.keys()].map(Number).sort((a, b) => a - b),
    Array.from({ length: count }, (_, i) => i + 1),
  );
  for (const v of verdicts) assert.equal(v.id, bySeq.get(v.seq), 'repeats carry the same id');
});

test('a threshold changes live, by message and by file, and survives a restart', {
  timeout: 60_000,
}, async (t) => {
  const broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  const { folder, watch, args } = place(broker.url);
  const config = path.join(folder, 'agent.yaml');
  writeFileSync(config, 'log:\n  level: info\n');
  let agent = startAgent([...args, '--config', config]);
  t.after(async () => {
    agent.child.kill('SIGKILL');
    await dashboard.close();
    await broker.close();
  });
  const reported = (id: string | null, revision: number) => (m: Message) =>
    m.topic === topic.reported &&
    m.payload.id === id &&
    (m.payload.threshold as { revision: number }).revision === revision;
  const verdictOn = async (name: string) => {
    const before = idsOf(dashboard.messages);
    await drop(watch, name, 'noisy', 7);
    const { payload } = await dashboard.until((m) => m.topic === topic.verdict && !before.has(m.payload.id));
    return [payload.verdict, (payload.threshold as { revision: number }).revision];
  };
  await dashboard.until(isState('ready'));
  assert.deepEqual(await verdictOn('1.jpg'), ['review', 1]);

  await dashboard.publish(
    topic.desired,
    { id: 'a', threshold: { rule: 'fixed', value: 9 } },
    { retain: true },
  );
  assert.equal((await dashboard.until(reported('a', 2))).payload.outcome, 'applied');
  assert.deepEqual(await verdictOn('2.jpg'), ['pass', 2]);

  await dashboard.publish(topic.desired, { id: 'b', threshold: { rule: 'conformal', alpha: 0.001 } });
  const refused = (await dashboard.until(reported('b', 2))).payload;
  assert.equal(refused.outcome, 'refused');
  assert.match(String(refused.reason), /smallest possible/);
  assert.deepEqual(await verdictOn('3.jpg'), ['pass', 2]);

  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  dashboard.messages.length = 0;
  agent = startAgent([...args, '--config', config]);
  await dashboard.until(isState('ready'));
  assert.deepEqual(await verdictOn('4.jpg'), ['pass', 2]);

  writeFileSync(`${config}.new`, 'threshold:\n  rule: conformal\n  alpha: 0.1\n');
  renameSync(`${config}.new`, config); // as editors save
  assert.equal((await dashboard.until(reported(null, 3))).payload.source, 'file');
  assert.deepEqual(await verdictOn('5.jpg'), ['review', 3]);
});

test('verdicts wait on disk while there is no broker, and --once ends by itself', {
  timeout: 60_000,
}, async (t) => {
  const broker = await startBroker();
  const { port, url } = broker;
  await broker.close();
  const { watch, args } = place(url);
  for (let i = 0; i < 5; i++) await drop(watch, `${i}.jpg`, 'smooth', i);
  const first = startAgent([...args, '--once']);
  assert.equal(await first.ended, 4);
  assert.match(first.output(), /5 verdicts wait/);

  const back = await startBroker(port);
  const dashboard = await subscribe(back.url);
  t.after(async () => {
    await dashboard.close();
    await back.close();
  });
  const second = startAgent([...args, '--once']);
  assert.equal(await second.ended, 0);
  await dashboard.settle(() => idsOf(dashboard.messages).size === 5);
  const third = startAgent([...args, '--once']);
  assert.equal(await third.ended, 0);
  assert.equal(verdictsOf(dashboard.messages).length, 5, 'nothing is judged or published twice');
});

test('more files than the queue holds: all are judged, each once, what comes meanwhile before them', {
  timeout: 60_000,
}, async (t) => {
  const broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  const { watch, args } = place(broker.url);
  for (let i = 0; i < 25; i++) await drop(watch, `${i}.jpg`, 'smooth', i);
  const agent = startAgent([...args, '--limits-queue', '4']);
  t.after(async () => {
    agent.child.kill('SIGKILL');
    await dashboard.close();
    await broker.close();
  });
  await dashboard.until((m) => m.topic === topic.verdict);
  await drop(watch, 'live.jpg', 'noisy', 99);
  const { payload } = await dashboard.until(
    (m) => m.topic === topic.verdict && m.payload.verdict === 'review',
  );
  assert.ok(Number(payload.seq) < 20, `judged as number ${payload.seq}`);
  await dashboard.settle(() => idsOf(dashboard.messages).size === 26);
  assert.equal(verdictsOf(dashboard.messages).length, 26);
});

test('a full disk stops scoring, state says so, and it goes on by itself when there is space', {
  timeout: 60_000,
}, async (t) => {
  const mount = ['-rm', 'sh', '-c'];
  if (spawnSync('unshare', [...mount, 'mount -t tmpfs none /mnt']).status !== 0)
    return t.skip('needs unshare with user and mount namespaces');
  const broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  const { watch, state, args } = place(broker.url);
  mkdirSync(state);
  const command = `mount -t tmpfs -o size=16m none "$0" && exec "$@"`;
  const child = spawn('unshare', [...mount, command, state, AGENT, ...args, '--limits-disk', '4194304'], {
    stdio: 'ignore',
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await dashboard.close();
    await broker.close();
  });
  await dashboard.until(isState('ready'));
  const filler = `/proc/${child.pid}/root${state}/filler`; // the state folder as the agent sees it
  writeFileSync(filler, new Uint8Array(13 * 2 ** 20));
  await drop(watch, 'a.jpg', 'smooth', 1);
  const alert = await dashboard.until(isState('alert'));
  assert.deepEqual(
    (alert.payload.alerts as { code: string }[]).map((a) => a.code),
    ['disk-full'],
  );
  await drop(watch, 'b.jpg', 'noisy', 2);
  assert.equal(verdictsOf(dashboard.messages).length, 0);
  dashboard.messages.length = 0;
  rmSync(filler);
  await dashboard.settle(() => idsOf(dashboard.messages).size === 2);
  await dashboard.until(isState('ready'));
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

test('wrong settings end it at once with exit code 2 and the way out', async () => {
  const missing = startAgent(['run', '--bundle', bundle]);
  assert.equal(await missing.ended, 2);
  assert.match(missing.output(), /watch\.path.*--watch/s);
  const unknown = startAgent(['run', '--bundel', bundle]);
  assert.equal(await unknown.ended, 2);
  assert.match(unknown.output(), /Did you mean --bundle/);
  const broker = await startBroker();
  const { args } = place('');
  const taken = startAgent([...args, '--mqtt-embedded-port', String(broker.port)]);
  assert.equal(await taken.ended, 2);
  assert.match(taken.output(), /is in use.*mqtt\.embeddedPort/s);
  await broker.close();
});
