/** `agent ledger` on the ledger of an agent that ran, and while one runs. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { parse } from 'csv-parse/sync';
import { runCommand } from '../../agent/commands.ts';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { runAgent, startAgent } from '../support/agent.ts';
import { startBroker, subscribe } from '../support/broker.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { writeCapture } from '../support/images.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

function folder(t: TestContext): string {
  const at = mkdtempSync(path.join(tmpdir(), 'plumbline-ledger-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  return at;
}

/** Runs a command within this process. */
async function command(...args: string[]) {
  let stdout = '';
  let stderr = '';
  const code = await runCommand(args, {
    environment: {},
    onTerminal: false,
    print: (line) => {
      stdout += `${stripVTControlCharacters(line)}\n`;
    },
    printError: (text) => {
      stderr += stripVTControlCharacters(text);
    },
    takeSignals: () => new AbortController().signal,
    dropSecrets: () => {},
  });
  const lines = stdout.split('\n').filter(Boolean);
  return { code, stdout, stderr, lines };
}

/** Old enough to be settled, whatever its format. */
async function drop(watch: string, name: string, write: (file: string) => Promise<void> | void) {
  const half = path.join(watch, '.half');
  await write(half);
  utimesSync(half, 1e9, 1e9);
  renameSync(half, path.join(watch, name));
}

test('what an agent did is told by path, ref, id, number, verdict, time and delivery, and proves itself', {
  timeout: 120_000,
}, async (t) => {
  const at = folder(t);
  const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
  mkdirSync(path.join(watch, 'monday'), { recursive: true });
  await drop(watch, 'monday/good.jpg', (file) => writeCapture(file, 'smooth', 1));
  await drop(watch, '=poor.jpg', (file) => writeCapture(file, 'noisy', 2));
  await drop(watch, 'text\n.jpg', (file) => writeFileSync(file, 'no picture'));
  const bundle = (await makeTestBundle(at)).path;
  const away = ['--broker', 'mqtt://127.0.0.1:9'];
  const run = await runAgent([
    'run',
    '--once',
    '--bundle',
    bundle,
    '--watch',
    watch,
    '--state',
    state,
    ...away,
  ]);
  assert.equal(run.code, 4, run.stdout + run.stderr);

  const list = (...more: string[]) => command('ledger', 'list', '--state', state, ...more);
  assert.equal((await list()).lines.length, 3);
  for (const [filter, names] of [
    [['--path', 'monday/*'], ['monday/good.jpg']],
    [['--verdict', 'review'], ['=poor.jpg']],
    [['--reason', 'unsupported-format'], ['text\n.jpg']],
    [
      ['--delivery', 'waiting', '--limit', '0'],
      ['text\n.jpg', 'monday/good.jpg', '=poor.jpg'],
    ],
    [['--delivery', 'acknowledged'], []],
    [['--since', '1h', '--verdict', 'pass'], ['monday/good.jpg']],
    [['--until', '2020-01-01'], []],
  ] as const) {
    const rows = (await list('--json', ...filter)).lines.map((row) => JSON.parse(row));
    assert.deepEqual(rows.map((row) => row.path).sort(), [...names].sort(), filter.join(' '));
  }
  assert.match(
    (await list('--reason', 'unsupported-format')).stdout,
    /unscorable {2}waiting .* text\\n\.jpg/,
  );
  assert.equal((await list('--since', 'yesterday')).code, 2);
  assert.equal((await list('--limit', '0')).stderr, '', 'all of them, and nothing more to say');
  assert.match((await list('--limit', '2')).stderr, /^The newest 2; --limit 0 shows all/);

  const show = (what: string) => command('ledger', 'show', what, '--state', state, '--json');
  const shown = JSON.parse((await show('monday/good.jpg')).stdout);
  assert.equal((await show('./monday//good.jpg')).code, 0, 'as a shell completes it');
  const absolute = [path.join(watch, 'monday/good.jpg'), '--watch', watch, '--state', state];
  assert.equal((await command('ledger', 'show', ...absolute)).code, 0);
  assert.equal(shown.message.id, shown.id);
  assert.equal(shown.capturedAt, new Date(1e12).toISOString());
  for (const key of ['ref', 'id', 'seq'])
    assert.deepEqual(JSON.parse((await show(`${shown[key]}`)).stdout), shown);
  const none = await show('none.jpg');
  assert.deepEqual([none.code, none.stderr], [1, 'There is no record of none.jpg.\n']);

  const exported = (format: string) => command('ledger', 'export', '--state', state, '--format', format);
  const table = parse<Record<string, string>>((await exported('csv')).stdout, { columns: true });
  assert.deepEqual(
    table.map((row) => [row.seq, row.path]).sort(),
    (await list('--json')).lines
      .map((row) => JSON.parse(row))
      .map((row) => [`${row.seq}`, row.path.replace(/^=/, "'=")])
      .sort(),
    'a name that begins like a formula does not run in a spreadsheet',
  );
  const lines = (await exported('jsonl')).lines.map((row) => JSON.parse(row));
  assert.deepEqual(
    lines.map((row) => row.message.seq),
    [1, 2, 3],
  );

  const verify = (...more: string[]) =>
    command('ledger', 'verify', '--state', state, '--watch', watch, ...more);
  const proof = await verify();
  assert.equal(proof.code, 0, proof.stdout);
  assert.match(proof.stdout, /ok {5}records: 3 captures, 3 verdicts.*\nok {5}delivery: 0 ack.*3 waiting\n/);
  assert.match(proof.stdout, /ok {5}folder: 3 files, each has one record\n/);
  assert.match((await verify('--content')).stdout, /ok {5}content: 3 files hold what their verdict is on\n/);
  const text = path.join(watch, 'text\n.jpg');
  writeFileSync(text, 'no PICTURE');
  utimesSync(text, 1e9, 1e9);
  assert.equal((await verify()).code, 0, 'the same version, by name, size and time');
  const exchanged = await verify('--content');
  assert.equal(exchanged.code, 1);
  assert.match(exchanged.stdout, /failed content: 1 of 3 files hold something else.*: text/);
  await drop(watch, 'unseen.jpg', (file) => writeCapture(file, 'smooth', 3));
  const unseen = await verify();
  assert.equal(unseen.code, 1);
  assert.match(unseen.stdout, /failed folder: 1 of 4 files lack a verdict: unseen\.jpg\./);
});

test('while an agent keeps the ledger it can be read; what is wrong with one is told', async (t) => {
  const state = folder(t);
  const missing = await command('ledger', 'list', '--state', state);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /There is no ledger .*--state.*--config/);
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) recordOne(ledger, capture(name), null, verdictOn(capture(name)));
  ledger.outbox.acknowledge([1]);
  assert.equal((await command('ledger', 'list', '--state', state)).lines.length, 4);

  const watch = folder(t);
  const tampered: [string, RegExp][] = [
    ['DELETE FROM outbox WHERE seq = 2', /failed delivery: 1 acknowledged.*2 waiting; 1 neither/],
    [
      "UPDATE payloads SET payload = replace(payload, 'pass', 'review') WHERE seq = 3",
      /failed messages: .*: 3\n/,
    ],
    [
      'DELETE FROM outbox WHERE seq = 4; DELETE FROM payloads WHERE seq = 4; DELETE FROM verdicts WHERE seq = 4',
      /failed records: 1 captures without a verdict/,
    ],
  ];
  for (const [sql, expected] of tampered) {
    const other = new DatabaseSync(path.join(state, 'ledger.sqlite'), { timeout: 5000 });
    other.exec(sql);
    other.close();
    const { code, stdout } = await command('ledger', 'verify', '--state', state, '--watch', watch);
    assert.equal(code, 1);
    assert.match(stdout, expected);
  }
});

test('what was unscorable, or of another model, is judged again: once for each time it is asked', {
  timeout: 120_000,
}, async (t) => {
  const at = folder(t);
  const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
  mkdirSync(watch);
  await drop(watch, 'good.jpg', (file) => writeCapture(file, 'smooth', 1));
  await drop(watch, 'text.jpg', (file) => writeFileSync(file, 'no picture'));
  await drop(watch, 'gone.jpg', (file) => writeFileSync(file, 'no picture either'));
  const [first, second] = [path.join(at, '1'), path.join(at, '2')];
  for (const place of [first, second]) mkdirSync(place);
  const old = (await makeTestBundle(first)).path;
  const newer = (await makeTestBundle(second, { change: (content) => ({ ...content, name: 'newer' }) })).path;
  const broker = await startBroker();
  const dashboard = await subscribe(broker.url);
  t.after(async () => {
    await dashboard.close();
    await broker.close();
  });
  const places = ['--watch', watch, '--state', state];
  const run = (bundle: string) =>
    runAgent(['run', '--once', '--bundle', bundle, '--broker', broker.url, ...places]);
  const verdicts = () => dashboard.messages.filter((m) => m.topic.endsWith('/verdict')).map((m) => m.payload);
  assert.equal((await run(old)).code, 0);
  await dashboard.settle(() => verdicts().length === 3);
  rmSync(path.join(watch, 'gone.jpg'));

  const retry = (...more: string[]) => command('retry', ...places, ...more);
  assert.equal(
    (await retry('--dry-run')).stdout,
    '1 capture would be judged again; 1 no longer in the folder\n',
  );
  assert.equal((await retry('--reason', 'timeout')).stdout, '0 captures will be judged again\n');
  assert.equal((await retry('--reason', 'above-threshold')).code, 2, 'that one was scored');
  assert.equal((await retry()).stdout, '1 capture will be judged again; 1 no longer in the folder\n');
  assert.match(
    (await retry()).stdout,
    /^0 captures .*; 1 asked for before and not judged since; 1 no longer/,
  );
  assert.match((await command('ledger', 'list', '--state', state)).stdout, /text\.jpg.*to be judged again/);
  assert.equal((await run(old)).code, 0);
  await dashboard.settle(() => verdicts().length === 4);
  const [before, after] = [verdicts().find((v) => v.reason === 'unsupported-format')!, verdicts()[3]!];
  const texts = verdicts().filter(
    (v) => (v.image as { ref: string }).ref === (after.image as { ref: string }).ref,
  );
  assert.deepEqual(
    texts.map((v) => [v.revision, v.supersedes]),
    [
      [1, null],
      [2, texts[0]!.id],
    ],
  );
  assert.equal(before.revision, 1);
  assert.notEqual(texts[1]!.id, texts[0]!.id);

  const rescore = (bundle: string) => command('rescore', '--bundle', bundle, '--since', '1h', ...places);
  assert.equal(
    (await rescore(old)).stdout,
    '0 captures will be judged again\n',
    'this model has judged them',
  );
  const early = await rescore(newer);
  assert.equal(early.code, 2, 'the old one would judge again, and again at each asking');
  assert.match(
    early.stderr,
    /runs, or ran last, with the bundle sha256:\w+, not with .* Restart it with this/,
  );
  assert.equal((await run(newer)).code, 0);
  const agent = startAgent(['run', '--bundle', newer, '--broker', broker.url, ...places]);
  t.after(() => agent.child.kill('SIGKILL'));
  assert.match((await rescore(newer)).stdout, /^2 captures will be judged again; 1 no longer in the folder/);
  await dashboard.settle(() => verdicts().length === 6);
  assert.match((await rescore(newer)).stdout, /^0 captures will be judged again/, 'nor twice by accident');
  assert.equal((await retry()).stdout, '1 capture will be judged again; 1 no longer in the folder\n');
  await dashboard.settle(() => verdicts().length === 7); // the agent that runs hears of it
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  assert.equal((await command('ledger', 'verify', ...places)).code, 0);
  assert.equal(new Set(verdicts().map((v) => v.id)).size, 7);
});
