/** Files that are replaced so that neither name nor size nor time tells. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openLedgerReader } from '../../agent/ledger/reader.ts';
import { runAgent, startAgent } from '../support/agent.ts';
import { startBroker, subscribe } from '../support/broker.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { writeCapture } from '../support/images.ts';

const hashOf = (content: Buffer | undefined) => createHash('sha256').update(content!).digest('hex');

test('another content under the same name, size and time is another capture; a changed permission is none', {
  timeout: 60_000,
}, async (t) => {
  const broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-replaced-'));
  const [watch, state] = [path.join(folder, 'captures'), path.join(folder, 'state')];
  mkdirSync(watch);
  const bundle = (await makeTestBundle(folder)).path;
  const args = ['run', '--bundle', bundle, '--watch', watch, '--state', state, '--broker', broker.url];
  const agent = startAgent(args);
  t.after(async () => {
    agent.child.kill('SIGKILL');
    await dashboard.close();
    await broker.close();
    rmSync(folder, { recursive: true });
  });
  const contents = [];
  for (const kind of ['smooth', 'noisy'] as const) {
    const file = path.join(folder, `${kind}.jpg`);
    await writeCapture(file, kind, 1);
    contents.push(readFileSync(file));
  }
  const size = Math.max(...contents.map(({ length }) => length)); // zeros may follow the end of a JPEG
  const [good, poor] = contents.map((content) =>
    Buffer.concat([content, Buffer.alloc(size - content.length)]),
  );
  const time = new Date('2026-01-02T03:04:05Z');
  const replace = (name: string, content: Buffer) => {
    const half = path.join(folder, 'half');
    writeFileSync(half, content);
    utimesSync(half, time, time);
    renameSync(half, path.join(watch, name));
  };
  const verdicts = () => dashboard.messages.filter((m) => m.topic.endsWith('/verdict')).map((m) => m.payload);
  const words = () => verdicts().map((v) => [v.verdict, v.revision]);
  replace('current.jpg', good!);
  await dashboard.settle(() => words().length === 1);
  replace('current.jpg', poor!);
  await dashboard.settle(() => words().length === 2);
  const [first, second] = verdicts();
  assert.deepEqual(words(), [
    ['pass', 1],
    ['review', 2],
  ]);
  assert.equal(second!.supersedes, first!.id);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  replace('current.jpg', good!);
  const once = startAgent([...args, '--once']);
  assert.equal(await once.ended, 0, once.output());
  await dashboard.settle(() => words().length === 3);
  chmodSync(path.join(watch, 'current.jpg'), 0o600);
  replace('other.jpg', good!);
  const again = startAgent([...args, '--once']);
  assert.equal(await again.ended, 0, again.output());
  await dashboard.settle(() => words().length === 4);
  assert.deepEqual(words().slice(2), [
    ['pass', 3],
    ['pass', 1],
  ]);
  const reader = openLedgerReader(state);
  const hashes = [...reader.rows({ path: 'current.jpg' }, 'oldest')].map(({ sha256 }) => sha256);
  reader.close();
  assert.deepEqual(hashes, [good, poor, good].map(hashOf), 'each of what it is on');
  const verified = await runAgent(['ledger', 'verify', '--content', '--watch', watch, '--state', state]);
  assert.equal(verified.code, 0, verified.stdout);
});

test('a judged link whose target is away for a while keeps its verdict, and lacks none', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-link-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [watch, state] = [path.join(folder, 'captures'), path.join(folder, 'state')];
  mkdirSync(watch);
  const target = path.join(folder, 'card.jpg');
  await writeCapture(target, 'smooth', 1);
  symlinkSync(target, path.join(watch, 'linked.jpg'));
  const broker = await startBroker();
  t.after(() => broker.close());
  const bundle = (await makeTestBundle(folder)).path;
  const places = ['--watch', watch, '--state', state];
  const run = ['run', '--once', '--bundle', bundle, ...places, '--broker', broker.url];
  assert.equal((await runAgent(run)).code, 0);
  renameSync(target, path.join(folder, 'out.jpg'));
  assert.equal((await runAgent(run)).code, 0);
  const verified = await runAgent(['ledger', 'verify', ...places]);
  assert.equal(verified.code, 0, verified.stdout);
  assert.match(verified.stdout, /records: 1 captures, 1 verdicts/);
});

test('what says that it holds nothing is proved as it was read, though more can be read of it', {
  skip: process.platform === 'linux' ? false : 'wants /proc',
}, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-empty-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [watch, state] = [path.join(folder, 'captures'), path.join(folder, 'state')];
  mkdirSync(watch);
  symlinkSync('/proc/version', path.join(watch, 'kernel.jpg'));
  const broker = await startBroker();
  t.after(() => broker.close());
  const bundle = (await makeTestBundle(folder)).path;
  const places = ['--watch', watch, '--state', state];
  const ran = await runAgent(['run', '--once', '--bundle', bundle, ...places, '--broker', broker.url]);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  const verified = await runAgent(['ledger', 'verify', '--content', ...places]);
  assert.equal(verified.code, 0, verified.stdout);
});
