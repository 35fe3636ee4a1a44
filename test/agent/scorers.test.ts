import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import sharp from 'sharp';
import { BundleError } from '../../agent/inspect/bundleError.ts';
import type { Unscored } from '../../agent/inspect/inspection.ts';
import { scorerProcesses } from '../../agent/scorers/count.ts';
import { openPool, type Pool, type PoolOptions } from '../../agent/scorers/pool.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { noisyPixels, writeCapture } from '../support/images.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'scorers-'));
test.after(() => rm(folder, { recursive: true }));
const bundle = await makeTestBundle(folder);
const small = path.join(folder, 'small.jpg');
await writeCapture(small, 'smooth', 1);
/** Takes long enough to decode that its process can be stopped meanwhile. */
const large = path.join(folder, 'large.png');
await sharp(noisyPixels(1000, 1), { raw: { width: 1000, height: 1000, channels: 3 } })
  .resize(6000, 6000, { kernel: 'nearest' })
  .png({ compressionLevel: 1 })
  .toFile(large);

interface Opened {
  readonly pool: Pool;
  readonly conditions: (string | null)[];
  readonly lines: string[];
}

async function open(t: TestContext, options: Partial<PoolOptions> = {}): Promise<Opened> {
  const conditions: (string | null)[] = [];
  const lines: string[] = [];
  const pool = await openPool({
    bundle: bundle.path,
    processes: 1,
    threads: 1,
    executionProvider: 'cpu',
    limits: { pixels: 1e9, bytes: 2 ** 30 },
    deadlineMilliseconds: 60_000,
    decodingMilliseconds: 60_000,
    memory: 2 ** 34,
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    onCondition: (_code, message) => void conditions.push(message),
    ...options,
  });
  t.after(() => pool.close());
  return { pool, conditions, lines };
}

/** Polls what no event tells: the state of other processes. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(2);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits until a process works on a file, and stops it there. */
async function stopBusy(pool: Pool, except?: number): Promise<number> {
  const busy = () => pool.processes.find(({ pid, busy }) => busy && pid !== except);
  await until(() => busy() !== undefined);
  const { pid } = busy()!;
  process.kill(pid, 'SIGSTOP');
  return pid;
}

test('scores files one after another, and says what cannot be scored', async (t) => {
  const { pool } = await open(t, { processes: 2 });
  assert.deepEqual(pool.manifest, bundle.manifest);
  const text = path.join(folder, 'text.jpg');
  await writeFile(text, 'no image');
  const files = [small, text, small, path.join(folder, 'none.jpg'), small];
  const found = await Promise.all(files.map((file) => pool.inspect(file)));
  assert.deepEqual(
    found.map((inspection) => (inspection.outcome === 'scored' ? 'scored' : inspection.reason)),
    ['scored', 'unsupported-format', 'scored', 'vanished', 'scored'],
  );
  assert.equal(new Set(found.map((i) => (i.outcome === 'scored' ? i.score : 0))).size, 2);
  assert.equal(pool.queued, 0);
  assert.equal(pool.restarts, 0);
});

test('a process that is killed while idle is replaced', async (t) => {
  const { pool } = await open(t);
  const [before] = pool.processes;
  process.kill(before!.pid, 'SIGKILL');
  await until(() => pool.restarts === 1);
  assert.equal((await pool.inspect(small)).outcome, 'scored');
  assert.notEqual(pool.processes[0]!.pid, before!.pid);
});

test('a process that dies on a file: the file is tried again, its neighbour goes on', async (t) => {
  const { pool, lines } = await open(t, { processes: 2 });
  const inspection = pool.inspect(large);
  const pid = await stopBusy(pool);
  const neighbour = pool.processes.find((other) => other.pid !== pid)!.pid;
  process.kill(pid, 'SIGKILL');
  assert.equal((await pool.inspect(small)).outcome, 'scored');
  assert.equal((await inspection).outcome, 'scored');
  assert.equal(pool.restarts, 1);
  assert.ok(pool.processes.some((other) => other.pid === neighbour));
  assert.match(lines.join(''), /signal SIGKILL/);
});

test('a file on which two processes died is given up, and the next one goes on', async (t) => {
  const { pool, lines } = await open(t);
  const inspection = pool.inspect(large);
  const next = pool.inspect(small);
  assert.equal(pool.queued, 1);
  const first = await stopBusy(pool);
  process.kill(first, 'SIGKILL');
  process.kill(await stopBusy(pool, first), 'SIGKILL');
  const found = await inspection;
  assert.deepEqual(found.outcome === 'unscorable' && found.reason, 'scorer-crashed');
  assert.equal((await next).outcome, 'scored');
  assert.doesNotMatch(lines.join(''), /large/);
});

test('a process without descriptors says nothing about a file: another one scores it', async (t) => {
  const { pool, lines } = await open(t);
  for (let time = 1; time <= 3; time++) {
    await until(() => pool.processes.length === 1);
    const { pid } = pool.processes[0]!;
    await pool.inspect(small); // it is loaded
    execFileSync('prlimit', ['--pid', String(pid), '--nofile=3:3']);
    const inspection = await pool.inspect(small);
    assert.equal(inspection.outcome, 'scored');
    assert.equal(pool.restarts, time);
  }
  assert.match(lines.at(-1)!, /EMFILE: too many open files, open '\[file\]'/);
});

test('a file that takes longer than the deadline is given up, and the next one goes on', async (t) => {
  const { pool, lines } = await open(t, { deadlineMilliseconds: 1000 });
  assert.equal((await pool.inspect(small)).outcome, 'scored');
  const [process_] = pool.processes;
  process.kill(process_!.pid, 'SIGSTOP');
  const [found, next] = await Promise.all([pool.inspect(small), pool.inspect(small)]);
  assert.deepEqual(found.outcome === 'unscorable' && found.reason, 'timeout');
  assert.equal(next.outcome, 'scored');
  assert.ok(!alive(process_!.pid));
  assert.match(lines.join(''), /"reason":"timeout"/);
});

test('a file that takes too long to decode, or too much memory, is given up with its own reason', async (t) => {
  const { pool, lines } = await open(t, { decodingMilliseconds: 400 });
  const slow = pool.inspect(large);
  await stopBusy(pool);
  const [found, next] = await Promise.all([slow, pool.inspect(small)]);
  assert.deepEqual(found.outcome === 'unscorable' && found.reason, 'decoding-timeout');
  assert.equal(next.outcome, 'scored');
  assert.equal(pool.restarts, 1);
  assert.match(lines.join(''), /"reason":"decoding-timeout"/);

  const frame = pool.inspect(small, 3);
  await stopBusy(pool);
  const { outcome, frames, message } = (await frame) as Unscored;
  assert.deepEqual([outcome, frames], ['unscorable', null], 'behind it none of its file is inspected');
  assert.match(message, /limits\.decoding allows\. The frames after this one are not judged\.$/);

  const { pool: poor } = await open(t, { memory: 2 ** 20 });
  const big = poor.inspect(large);
  assert.deepEqual(
    await big.then((inspection) => inspection.outcome === 'unscorable' && inspection.reason),
    'out-of-memory',
  );
});

test('an answer that came while the agent itself stood still is no timeout', async (t) => {
  const { pool } = await open(t, { deadlineMilliseconds: 300 });
  const inspection = pool.inspect(small);
  await new Promise((resolve) => setImmediate(resolve)); // the file is sent
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900);
  assert.equal((await inspection).outcome, 'scored');
  assert.equal((await pool.inspect(small)).outcome, 'scored');
  assert.equal(pool.restarts, 0);
});

test('time for which the whole machine stood still is not counted', async (t) => {
  const { pool } = await open(t, { deadlineMilliseconds: 3000 });
  const inspection = pool.inspect(small);
  const pid = await stopBusy(pool);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3500);
  process.kill(pid, 'SIGCONT');
  assert.equal((await inspection).outcome, 'scored');
  assert.equal(pool.restarts, 0);
});

test('Ctrl-C and SIGTERM do not end a scoring process', async (t) => {
  const { pool } = await open(t);
  const { pid } = pool.processes[0]!;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(pid, signal);
  assert.equal((await pool.inspect(small)).outcome, 'scored');
  assert.deepEqual(
    pool.processes.map((other) => other.pid),
    [pid],
  );
});

test('a refused bundle: the words of the refusal', async (t) => {
  const bad = path.join(folder, 'bad.onnx');
  await writeFile(bad, 'no model');
  for (const processes of [1, 3])
    await assert.rejects(open(t, { bundle: bad, processes }), (error) => {
      assert.ok(error instanceof BundleError);
      assert.match(error.message, /bad\.onnx/);
      return true;
    });
  await assert.rejects(open(t, { bundle: path.join(folder, 'gone.onnx') }), {
    name: 'BundleError',
    message: /There is no bundle .*gone\.onnx \(ENOENT\)/,
  });
});

test('a bundle that vanishes or changes under way: says so, goes on when it is back', async (t) => {
  const file = path.join(folder, 'mobile.onnx');
  await copyFile(bundle.path, file);
  const { pool, conditions, lines } = await open(t, { bundle: file });
  const inspection = pool.inspect(large);
  const pid = await stopBusy(pool);
  await rename(file, `${file}.away`);
  process.kill(pid, 'SIGKILL');
  await until(() => conditions.length === 1);
  assert.match(conditions[0]!, /There is no bundle \[bundle\] \(ENOENT\)/);
  assert.doesNotMatch(lines.join(), /mobile\.onnx/, 'what travels holds no path');

  const otherFolder = await mkdtemp(path.join(folder, 'other-'));
  const other = await makeTestBundle(otherFolder, { change: (content) => ({ ...content, version: '2' }) });
  await rename(other.path, file);
  await until(() => conditions.length === 2);
  assert.match(conditions[1]!, /replaced by another one/);

  await rename(`${file}.away`, file);
  assert.equal((await inspection).outcome, 'scored');
  assert.equal(conditions.at(-1), null);
});

test('closing ends every process and rejects what was not inspected', async (t) => {
  const { pool } = await open(t, { processes: 2 });
  const pids = pool.processes.map(({ pid }) => pid);
  const rejected = Promise.all(
    [large, large, small].map((file) => assert.rejects(pool.inspect(file), /were closed/)),
  );
  await pool.close();
  await rejected;
  assert.deepEqual(pids.map(alive), [false, false]);
  await assert.rejects(pool.inspect(small), /were closed/);
});

test('when the agent is killed, its scoring processes end, idle or at work', async () => {
  const script = path.join(import.meta.dirname, 'scorersParent.ts');
  const parent = spawn(process.execPath, [script, bundle.path, large], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pids = (JSON.parse(line.toString()) as { pid: number }[]).map(({ pid }) => pid);
  assert.deepEqual(pids.map(alive), [true, true]);
  parent.kill('SIGKILL');
  await until(() => !pids.some(alive)); // fails by the runner's limit of time
});

test('a process killed while it loads is started again, and given up at the third time', async (t) => {
  let starts = 0;
  const killFirst = (most: number) => (pids: readonly number[]) => {
    if (++starts <= most) process.kill(pids[0]!, 'SIGKILL');
  };
  const { pool } = await open(t, { onProcesses: killFirst(2) });
  assert.equal(pool.restarts, 2);
  assert.equal((await pool.inspect(small)).outcome, 'scored');
  starts = 0;
  await assert.rejects(open(t, { onProcesses: killFirst(3) }), /ended \(signal SIGKILL\)/);
  assert.equal(starts, 3);
});

test('as many processes as are asked for, else one for every two processors up to four', () => {
  const chosen = [1, 2, 3, 4, 7, 8, 64].map((processors) => scorerProcesses(0, 'cpu', processors));
  assert.deepEqual(chosen, [1, 1, 1, 2, 3, 4, 4]);
  assert.equal(scorerProcesses(0, 'cuda', 16), 1);
  assert.equal(scorerProcesses(9, 'cuda', 2), 9);
});
