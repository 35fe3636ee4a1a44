import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { PASSING, type Place } from '../../agent/deliver/ledgerRecords.ts';
import { type Holder, lockStateFolder, StateFolderError } from '../../agent/deliver/lock.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ledger-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a capture gets one record, numbered without gaps, and it is there again after reopening', async (t) => {
  const state = join(folder(t), 'made', 'when', 'missing');
  const ledger = await openLedger(state);
  const [a, b] = [capture('a.png'), capture('b.png', { kind: 'dangling-link' })];
  assert.equal(ledger.isRecorded(a), false);
  const first = recordOne(ledger, a, 'ab'.repeat(32), verdictOn(a));
  assert.equal(ledger.isRecorded(a), true);
  assert.equal(
    recordOne(ledger, a, null, () => assert.fail('a second verdict on the same capture')),
    null,
  );
  const newer = capture('a.png', { modifiedNanoseconds: a.modifiedNanoseconds + 1n });
  const more = ledger.record([
    { capture: b, contentSha256: null, makeVerdict: verdictOn(b) },
    { capture: newer, contentSha256: null, makeVerdict: verdictOn(newer) },
    { capture: b, contentSha256: null, makeVerdict: () => assert.fail('b twice') },
  ]);
  assert.deepEqual(
    [first, ...more].map((v) => v?.seq),
    [1, 2, 3, undefined],
  );
  assert.deepEqual(ledger.counts(), { pass: 3, review: 0, unscorable: 0 });
  ledger.close();

  const reopened = await openLedger(state);
  t.after(() => reopened.close());
  assert.deepEqual([a, b, newer, capture('c.png')].map(reopened.isRecorded), [true, true, true, false]);
  assert.deepEqual(reopened.counts(), { pass: 3, review: 0, unscorable: 0 });
  assert.equal(reopened.lastVerdictAt(), '2026-01-02T03:04:06.789Z');
  assert.deepEqual(
    reopened.outbox.after(0, 10).map((w) => [w.seq, JSON.parse(w.payload).id]),
    [first, more[0], more[1]].map((v) => [v!.seq, v!.id]),
  );
  assert.equal(statSync(join(state, 'ledger.sqlite')).mode & 0o777, 0o600);
});

test('what was said to be gone or unreadable is judged anew when it stands there; while it says so again, the first verdict stays', async (t) => {
  const ledger = await openLedger(folder(t));
  t.after(() => ledger.close());
  for (const reason of PASSING) {
    const back = capture(`${reason}.png`);
    const says = (place: Place) => ({ ...verdictOn(back)(place), verdict: 'unscorable' as const, reason });
    const again = { capture: back, contentSha256: null, passing: true };
    const [first] = ledger.record([{ ...again, makeVerdict: says }]);
    assert.equal(ledger.isRecorded(back), false);
    const fails = () => assert.fail('as often as a folder comes and goes');
    assert.deepEqual(ledger.record([{ ...again, makeVerdict: fails }]), [null]);
    const second = recordOne(ledger, back, 'ab'.repeat(32), verdictOn(back));
    assert.deepEqual([second?.revision, second?.supersedes], [2, first!.id]);
    assert.equal(ledger.isRecorded(back), true);
    assert.equal(
      recordOne(ledger, back, null, () => assert.fail('a third verdict')),
      null,
    );
  }
  const unreadable = capture('a.png', { kind: 'unreadable' });
  recordOne(ledger, unreadable, null, (place) => ({
    ...verdictOn(unreadable)(place),
    verdict: 'unscorable',
    reason: 'unreadable',
  }));
  assert.equal(ledger.isRecorded(unreadable), true, 'a look tells when it can be read');
});

test('a batch is recorded as a whole or not at all, and a failed one uses up no number', async (t) => {
  const ledger = await openLedger(folder(t));
  t.after(() => ledger.close());
  const [a, b] = [capture('a'), capture('b')];
  const broken = () => {
    throw new Error('no verdict');
  };
  assert.throws(
    () =>
      ledger.record([
        { capture: a, contentSha256: null, makeVerdict: verdictOn(a) },
        { capture: b, contentSha256: null, makeVerdict: broken },
      ]),
    /no verdict/,
  );
  assert.equal(ledger.isRecorded(a), false);
  assert.deepEqual(ledger.outbox.size(), { verdicts: 0, bytes: 0 });
  assert.equal(recordOne(ledger, b, null, verdictOn(b))?.seq, 1);
});

test('an acknowledged verdict leaves the outbox for good; unknown numbers are ignored', async (t) => {
  const state = folder(t);
  const ledger = await openLedger(state);
  for (const name of ['a', 'b', 'c']) recordOne(ledger, capture(name), null, verdictOn(capture(name)));
  ledger.outbox.acknowledge([2, 99, 2]);
  assert.deepEqual(
    ledger.outbox.after(0, 10).map((w) => w.seq),
    [1, 3],
  );
  assert.deepEqual(
    ledger.outbox.after(1, 10).map((w) => w.seq),
    [3],
  );
  assert.deepEqual(
    ledger.outbox.after(0, 1).map((w) => w.seq),
    [1],
  );
  assert.equal(ledger.outbox.size().verdicts, 2);
  ledger.close();
  const database = new DatabaseSync(join(state, 'ledger.sqlite'));
  t.after(() => database.close());
  const published = database.prepare('SELECT seq FROM verdicts WHERE acknowledged_ms IS NOT NULL').all();
  assert.deepEqual(
    published.map((row) => row.seq),
    [2],
  );
});

test('an outbox beyond its bytes drops the oldest, writes the gap down, and keeps the records', async (t) => {
  const ledger = await openLedger(folder(t));
  t.after(() => ledger.close());
  const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
  ledger.record(
    names.map((name) => ({
      capture: capture(name),
      contentSha256: null,
      makeVerdict: verdictOn(capture(name), 1000),
    })),
  );
  const { bytes } = ledger.outbox.size();
  const before = Number.NEGATIVE_INFINITY;
  assert.deepEqual(ledger.outbox.trim({ bytes, before }), []);
  const [gap] = ledger.outbox.trim({ bytes: bytes / 2, before });
  assert.deepEqual([gap?.first, gap?.verdicts, gap?.reason], [1, gap?.last, 'outbox-bytes']);
  assert.deepEqual(
    ledger.gaps.unannounced().map((one) => one.gap),
    [gap],
  );
  assert.ok(ledger.outbox.size().bytes <= 0.45 * bytes);
  assert.equal(ledger.outbox.after(0, 1)[0]?.seq, gap!.last + 1);
  assert.equal(ledger.counts().pass, 20);
  ledger.outbox.trim({ bytes: 0, before });
  assert.deepEqual(
    ledger.outbox.after(0, 10).map((w) => w.seq),
    [20],
    'the newest is kept',
  );
});

test('what a killed process had announced is there exactly once, and numbers go on without a gap', async (t) => {
  const state = folder(t);
  const announced = new Map<string, { seq: number; id: string }>();
  const acknowledged = new Set<number>();
  for (const lines of [1, 7, 30, 64, 2, 101, 50]) {
    // Each goes over what its predecessors recorded last once more.
    const child = spawn(process.execPath, [recorder, state, `${Math.max(0, announced.size - 10)}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      if (++seen === lines) child.kill('SIGKILL');
      const [what, ...rest] = line.split(' ');
      if (what === 'acknowledged') acknowledged.add(Number(rest[0]));
      else {
        const record = { seq: Number(rest[1]), id: rest[2]! };
        assert.deepEqual(announced.get(rest[0]!) ?? record, record, 'announced twice');
        announced.set(rest[0]!, record);
      }
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');
  }
  const ledger = await openLedger(state);
  const waiting = new Set(ledger.outbox.after(0, 1e6).map((w) => w.seq));
  for (const seq of acknowledged) assert.equal(waiting.has(seq), false, 'acknowledged, yet waiting');
  ledger.close();

  const database = new DatabaseSync(join(state, 'ledger.sqlite'));
  t.after(() => database.close());
  const rows = database
    .prepare('SELECT name, seq, id, acknowledged_ms FROM captures JOIN verdicts USING (capture)')
    .all();
  assert.deepEqual(
    rows.map((r) => r.seq).sort((a, b) => Number(a) - Number(b)),
    rows.map((_, i) => i + 1),
  );
  assert.equal(new Set(rows.map((r) => r.id)).size, rows.length);
  const byName = new Map(rows.map((r) => [r.name, { seq: r.seq, id: r.id }]));
  assert.ok(announced.size > 150);
  for (const [name, record] of announced) assert.deepEqual(byName.get(name), record);
  for (const row of rows) assert.equal(waiting.has(Number(row.seq)), row.acknowledged_ms === null);
  assert.deepEqual(database.prepare('PRAGMA integrity_check').get(), {
    __proto__: null,
    integrity_check: 'ok',
  });
});

test('a process killed within the transaction leaves nothing of it', async (t) => {
  const state = folder(t);
  const child = spawn(process.execPath, [recorder, state, '0', 'die'], { stdio: 'inherit' });
  const [, signal] = await once(child, 'exit');
  assert.equal(signal, 'SIGKILL');
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  assert.equal(ledger.isRecorded(capture('c0')), false);
  assert.equal(recordOne(ledger, capture('c0'), null, verdictOn(capture('c0')))?.seq, 1);
});

test('a second agent on the same state folder is refused, until the first is gone', async (t) => {
  const state = folder(t);
  const child = spawn(process.execPath, [recorder, state, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.stdout.resume();
  const said: unknown[] = [];
  const onWait = (holder: Holder | null, patience: number) => said.push(holder?.pid, holder?.since, patience);
  await assert.rejects(openLedger(state, { patience: 150, onWait }), (error: Error) => {
    assert.ok(error instanceof StateFolderError);
    const who = `process ${child.pid}, since ${said[1]}`;
    assert.match(error.message, new RegExp(`Another agent \\(${who}\\) uses the state folder.*state\\.path`));
    return true;
  });
  assert.deepEqual([said[0], said[2], said.length], [child.pid, 150, 3], 'said once');
  await assert.rejects(openLedger(state, { stop: AbortSignal.abort() }), StateFolderError);
  const successor = openLedger(state);
  child.kill('SIGKILL');
  (await successor).close();
});

test('a lock is free again once released, and a state folder that cannot be had is named', async (t) => {
  const state = folder(t);
  const lock = await lockStateFolder(state);
  await assert.rejects(lockStateFolder(state, { patience: 0 }), StateFolderError);
  lock.release();
  (await lockStateFolder(state, { patience: 0 })).release();
  writeFileSync(join(state, 'file'), '');
  await assert.rejects(openLedger(join(state, 'file')), /State folder .* cannot be made: .*state\.path/);
  await assert.rejects(openLedger('/proc/plumbline/state'), /State folder .* cannot be made: .*state\.path/);
});

test('a file that was changed since it was judged is looked at again, and judged anew where it holds something else', async (t) => {
  const ledger = await openLedger(folder(t));
  t.after(() => ledger.close());
  const [old, other] = ['ab'.repeat(32), 'cd'.repeat(32)];
  const at = (stamp: string) => capture('a.png', { stamp });
  const first = recordOne(ledger, at('1'), old, verdictOn(at('1')))!;
  assert.deepEqual([ledger.isRecorded(at('1')), ledger.isRecorded(at('2'))], [true, false]);
  assert.ok(ledger.isRecorded(capture('a.png')), 'where the file system does not tell');
  const fails = () => assert.fail('a second verdict on the same content');
  assert.equal(recordOne(ledger, at('2'), old, fails), null, 'renamed there and back, perhaps');
  assert.deepEqual([ledger.isRecorded(at('1')), ledger.isRecorded(at('2'))], [false, true]);
  const gone = { capture: at('3'), contentSha256: null, passing: true, makeVerdict: fails };
  assert.deepEqual(ledger.record([gone]), [null], 'what was said of it when it was there is still so');
  assert.equal(ledger.isRecorded(at('3')), false);
  const second = recordOne(ledger, at('3'), other, verdictOn(at('3')))!;
  assert.deepEqual([second.revision, second.supersedes], [2, first.id]);
  assert.ok(ledger.isRecorded(at('3')));
});

test('a ledger of a newer agent or of another program is refused', async (t) => {
  const refused = async (prepare: (path: string) => void, message: RegExp) => {
    const state = folder(t);
    prepare(join(state, 'ledger.sqlite'));
    await assert.rejects(openLedger(state), (error: Error) => {
      assert.ok(error instanceof StateFolderError);
      assert.match(error.message, message);
      return true;
    });
    await lockStateFolder(state, { patience: 0 }).then((lock) => lock.release()); // not kept by the one that was refused
  };
  const sql = (statements: string) => (path: string) => {
    const database = new DatabaseSync(path);
    database.exec(statements);
    database.close();
  };
  const newer = `PRAGMA application_id = ${0x504c4d42}; PRAGMA user_version = 99; CREATE TABLE a (b)`;
  await refused(sql(newer), /schema version 99, this agent knows up to 4: .*newer agent/);
  await refused(sql('CREATE TABLE photos (id)'), /no ledger of this agent/);
});

test('a full disk is said to be one, leaves nothing half written, and recording goes on when there is space', (t) => {
  const state = folder(t);
  const run = spawnSync(
    'unshare',
    [
      '-rm',
      'sh',
      '-c',
      'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" "$1"',
      'sh',
      state,
      process.execPath,
      fullDisk,
    ],
    { encoding: 'utf8' },
  );
  if (run.error !== undefined || /unshare|mount/.test(run.stderr))
    return t.skip(`needs unshare and a user namespace: ${run.error?.message ?? run.stderr}`);
  const { recorded, afterwards, ...rest } = JSON.parse(run.stdout);
  assert.ok(recorded > 0);
  assert.equal(afterwards, recorded + 1);
  assert.deepEqual(rest, {
    alert: 'disk-full',
    message:
      'Cannot record a verdict: no space left in the state folder. Make space; nothing is lost meanwhile.',
    leftNothing: true,
  });
});

test('a disk that fails for another reason is said to, and leaves nothing half written', (t) => {
  const run = spawnSync(
    'sh',
    ['-c', 'ulimit -f 1400; exec "$1" "$2" "$3"', 'sh', process.execPath, fullDisk, folder(t)],
    { encoding: 'utf8' },
  );
  const { alert, leftNothing, message } = JSON.parse(run.stdout);
  assert.deepEqual({ alert, leftNothing }, { alert: 'ledger-failing', leftNothing: true });
  assert.match(message, /Cannot record a verdict: .*\(SQLite \d+\)\. Check the disk/);
});

const fullDisk = join(import.meta.dirname, 'ledgerFullDisk.ts');
const recorder = join(import.meta.dirname, 'ledgerRecorder.ts');
