/** The command line of the agent as its user meets it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AGENT, runAgent, startAgent } from '../support/agent.ts';
import { startBroker } from '../support/broker.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { writeCapture } from '../support/images.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-commands-'));
let bundle: string;
before(async () => {
  bundle = (await makeTestBundle(folder)).path;
});

/** A watched folder with a capture, a state folder beside it, and the arguments for both. */
async function place() {
  const at = mkdtempSync(path.join(folder, 'place-'));
  const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
  mkdirSync(watch);
  await writeCapture(path.join(watch, 'a.jpg'), 'smooth', 1);
  const args = ['run', '--bundle', bundle, '--watch', watch, '--state', state, '--mqtt-embedded-port', '0'];
  return { at, watch, state, args };
}

test('--version, and a help that names defaults, words that are accepted, and exit codes', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../agent/package.json', import.meta.url), 'utf8'));
  assert.deepEqual(await runAgent(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  const help = (await runAgent(['run', '--help'])).stdout.replace(/\s+/g, ' ');
  assert.match(help, /--watch-settle <value> .* \[seconds\] \(default: 2\)/);
  assert.match(
    help,
    /--log-level <value> [^-]*One of: fatal, error, warn, info, debug, trace\. \(default: info\)/,
  );
  assert.match(help, /--scorer-execution-provider <value> [^-]*One of: cpu, cuda\. \(default: cpu\)/);
  assert.match(help, /rules: conformal, mean-std, quantile/);
  assert.match(help, /Exit code: 0 .* 4 with --once/);
  assert.doesNotMatch(help, /mqtt-password </);
});

test('state folder and watched folder within each other are refused, through links as well', {
  timeout: 60_000,
}, async () => {
  const { at, watch, state } = await place();
  symlinkSync(watch, path.join(at, 'link'));
  mkdirSync(state);
  mkdirSync(path.join(state, 'deep'));
  symlinkSync(path.join(watch, 'not-yet'), path.join(at, 'dangling'));
  const cases: [string, string, RegExp | null][] = [
    [watch, watch, /state folder .* lies within the watched folder/],
    [watch, path.join(watch, 'state'), /lies within the watched folder .*its own ledger/],
    [watch, path.join(at, 'link', 'new', 'state'), /lies within the watched folder/],
    [path.join(at, 'link'), path.join(watch, '.state'), /lies within the watched folder/],
    [path.join(state, 'deep'), state, /watched folder .* lies within the state folder/],
    [watch, `${watch}-state`, null],
  ];
  for (const [watched, kept, message] of cases) {
    const settings = ['--bundle', bundle, '--watch', watched, '--state', kept];
    const check = await runAgent(['check', ...settings, '--broker', '']);
    if (message === null) {
      assert.equal(check.code, 0, check.stdout);
      continue;
    }
    const run = await runAgent(['run', ...settings]);
    for (const { code, stderr } of [check, run]) {
      assert.equal(code, 2, kept);
      assert.match(stderr, message);
      assert.match(stderr, /Set state\.path \(--state\)/);
    }
  }
  for (const made of ['state', '.state', 'new', 'site.key', 'agent.lock'])
    assert.equal(existsSync(path.join(watch, made)), false, 'nothing was made there');
});

test('check says in words what is wrong with a folder', async () => {
  const { at, watch } = await place();
  const check = async (watched: string, state: string) =>
    (await runAgent(['check', '--watch', watched, '--state', state])).stdout;
  assert.match(
    await check(path.join(at, 'none'), `${at}/s`),
    /none: .* is not there .*Create or mount it.*--watch/,
  );
  assert.match(await check(path.join(watch, 'a.jpg'), `${at}/s`), /is no folder/);
  assert.match(await check(watch, '/proc/plumbline'), /cannot be made or written .*--state/);
});

test('--once with too little space, or nothing to watch, says so and ends with 1', {
  timeout: 60_000,
}, async () => {
  const { at, args, state } = await place();
  const full = await runAgent([...args, '--once', '--limits-disk', String(2 ** 50)]);
  assert.equal(full.code, 1);
  assert.match(full.stderr, /has [\d.]+ MiB free, and limits\.disk wants 1073741824\.0 MiB/);
  assert.match(full.stdout, /"condition":"disk-full".*MiB free/);
  const missing = await runAgent([...args, '--once', '--watch', path.join(at, 'none')]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /watched folder is not there/);
  const enough = await runAgent([...args, '--once', '--state', `${state}-2`]);
  assert.equal(enough.code, 0, enough.stdout + enough.stderr);
});

test('a second agent on the same state folder says at once who is there, and gives up in time', {
  timeout: 60_000,
}, async (t) => {
  const { args } = await place();
  const broker = await startBroker();
  const first = startAgent([...args, '--broker', broker.url]);
  t.after(async () => {
    first.child.kill('SIGKILL');
    await broker.close();
  });
  while (!first.output().includes('"ready"')) await once(first.child.stdout!, 'data');
  const second = startAgent([...args, '--broker', broker.url]);
  await once(second.child.stdout!, 'data');
  assert.match(second.output(), new RegExp(`"pid":${first.pid},"since":"\\d{4}.*"seconds":10.*waiting`));
  second.child.kill('SIGTERM'); // ends the waiting
  assert.equal(await second.ended, 1);
  assert.match(second.output(), new RegExp(`Another agent \\(process ${first.pid}, since`));
  first.child.kill('SIGTERM');
  assert.equal(await first.ended, 0);
  assert.match(first.output(), /asked to stop/);
});

test('a scoring process that was stopped when its agent was killed is ended by the next one', {
  timeout: 60_000,
  skip: process.platform === 'linux' ? false : 'needs /proc',
}, async (t) => {
  const { args } = await place();
  const agent = startAgent(args);
  while (!agent.output().includes('"ready"')) await once(agent.child.stdout!, 'data');
  const [scorer] = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim().split(' ');
  const pid = Number(scorer);
  t.after(() => existsSync(`/proc/${pid}`) && process.kill(pid, 'SIGKILL'));
  process.kill(pid, 'SIGSTOP');
  agent.child.kill('SIGKILL');
  await agent.ended;
  assert.ok(existsSync(`/proc/${pid}`), 'it cannot end by itself');
  const next = startAgent([...args, '--once']);
  assert.equal(await next.ended, 0, next.output());
  assert.match(next.output(), new RegExp(`"pids":\\[${pid}\\].*left behind`));
});

test('a signal during the first moments of any command is answered with a word', {
  skip: process.platform === 'linux' ? false : 'needs /proc',
}, async () => {
  for (const args of [
    ['score', bundle, folder],
    ['inspect', bundle],
    ['check', '--bundle', bundle],
  ]) {
    const child = spawn(AGENT, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    while (!isLoading(child.pid!)) await delay(2); // no event tells of it
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'close'), [null, 'SIGINT']);
    assert.equal(said, 'ended by SIGINT\n');
  }
});

/** Whether the agent's own modules are being loaded, by the kernel's account of native code in the process. */
function isLoading(pid: number): boolean {
  return /onnxruntime|sharp/.test(readFileSync(`/proc/${pid}/maps`, 'utf8'));
}
