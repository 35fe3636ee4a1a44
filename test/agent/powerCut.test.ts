/** The plug is pulled: what the agent has told anybody is on the disk, whatever the disk had not been told to keep. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { runAgent } from '../support/agent.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { startBroker } from './brokerFixture.ts';
import { forgetfulDisk, names } from './powerCutFixture.ts';
import { capture } from './verdictFixture.ts';

function folder(t: TestContext): string {
  const at = mkdtempSync(path.join(tmpdir(), 'plumbline-power-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  return at;
}

for (const lines of [1, 30, 500])
  test(`cut after ${lines} words of a recorder: what it had announced is there, whichever file was written further`, {
    timeout: 120_000,
  }, async (t) => {
    const at = folder(t);
    const disk = forgetfulDisk(at);
    if (typeof disk === 'string') return t.skip(disk);
    const state = path.join(disk.root, 'state');
    const recorder = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        path.join(import.meta.dirname, 'ledgerRecorder.ts'),
        state,
        '0',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...disk.environment } },
    );
    const recorded: string[] = [];
    const acknowledged = new Set<number>();
    let seen = 0;
    for await (const line of createInterface({ input: recorder.stdout })) {
      if (++seen === lines) recorder.kill('SIGKILL');
      const [what, name, seq] = line.split(' ');
      if (what === 'recorded') {
        recorded.push(name!);
        assert.equal(Number(seq), recorded.length);
      } else acknowledged.add(Number(name));
    }
    assert.ok(recorded.length > 0);
    const mixes = [[], ['ledger.sqlite'], ['ledger.sqlite-wal'], ['ledger.sqlite', 'ledger.sqlite-wal']];
    for (const [i, survivors] of mixes.entries()) {
      const left = path.join(at, `left-${i}`);
      disk.cut(left, survivors);
      const ledger = await openLedger(path.join(left, 'state'));
      const which = `${survivors} written further, of ${names(left)}`;
      assert.equal(ledger.opening.rebuilt, false, `not damaged: ${which}`);
      for (const name of recorded) assert.ok(ledger.isRecorded(capture(name)), `${name}: ${which}`);
      for (const { seq } of ledger.outbox.after(0, 1e6))
        assert.ok(!acknowledged.has(seq), `${seq}: ${which}`);
      ledger.close();
    }
  });

test('cut when the broker has just taken a verdict: the agent that starts again knows it, and ids are the same', {
  timeout: 600_000,
}, async (t) => {
  const at = folder(t);
  const disk = forgetfulDisk(at);
  if (typeof disk === 'string') return t.skip(disk);
  const bundle = (await makeTestBundle(at)).path;
  const watch = path.join(at, 'captures');
  mkdirSync(watch);
  for (let i = 0; i < 3; i++) {
    const half = path.join(watch, '.half');
    writeFileSync(half, `no picture ${i}`);
    utimesSync(half, 1e9, 1e9 + i);
    renameSync(half, path.join(watch, `${i}.jpg`));
  }
  const broker = await startBroker(t);
  const args = (state: string) => [
    ...['run', '--once', '--bundle', bundle, '--watch', watch, '--state', state, '--broker', broker.url],
  ];
  const agent = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      path.join(import.meta.dirname, 'faultingAgent.ts'),
      'taken',
      '1',
      ...args(path.join(disk.root, 'state')),
    ],
    { stdio: 'ignore', env: { ...process.env, ...disk.environment } },
  );
  assert.deepEqual(await once(agent, 'exit'), [null, 'SIGKILL']);
  const before = broker.verdicts();
  assert.ok(before.length > 0);

  const left = path.join(at, 'left');
  disk.cut(left);
  const state = path.join(left, 'state');
  const ledger = await openLedger(state);
  const waiting = new Map(ledger.outbox.after(0, 100).map(({ seq, payload }) => [seq, JSON.parse(payload)]));
  for (const verdict of before) assert.deepEqual(waiting.get(verdict.seq), verdict, 'told, and forgotten');
  ledger.close();
  const { code, stdout, stderr } = await runAgent(args(state));
  assert.equal(code, 0, stdout + stderr);
  const byRef = Map.groupBy(broker.verdicts(), ({ image }) => image.ref);
  assert.equal(byRef.size, 3);
  for (const repeats of byRef.values()) assert.equal(new Set(repeats.map(({ id }) => id)).size, 1);
});
