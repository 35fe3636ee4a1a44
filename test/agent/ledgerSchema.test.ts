/** A ledger of an earlier schema version becomes one of this version, and nothing of it is lost. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { MIGRATIONS, SCHEMA_VERSION } from '../../agent/deliver/schema.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

/** A state folder with a ledger of version 1: c1 was acknowledged, c2 dropped, c3 and c4 wait. */
function firstVersion(t: TestContext): string {
  const state = mkdtempSync(join(tmpdir(), 'ledger-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const database = new DatabaseSync(join(state, 'ledger.sqlite'));
  database.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0]}`);
  database.exec(`PRAGMA application_id = ${0x504c4d42}; PRAGMA user_version = 1`);
  for (const seq of [1, 2, 3, 4]) {
    const of = capture(`c${seq}`);
    const { revision: _, supersedes: __, ...verdict } = verdictOn(of)({ seq, revision: 1, supersedes: null });
    const payload = JSON.stringify(verdict);
    database
      .prepare('INSERT INTO captures VALUES (?, ?, ?, ?, ?, ?)')
      .run(seq, of.name, of.size, of.modifiedNanoseconds, of.kind, `${seq}`);
    database
      .prepare('INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(seq, verdict.id, verdict.image.ref, 'pass', payload, 1000 + seq, seq === 1 ? 2000 : null);
    if (seq > 2) database.prepare('INSERT INTO outbox VALUES (?, ?)').run(seq, payload.length);
  }
  database.exec("INSERT INTO gaps VALUES (2, 2, 1, 3000); INSERT INTO tallies VALUES ('pass', 4)");
  database.close();
  return state;
}

test('captures, verdicts, what waits and what was dropped are the same after a migration', async (t) => {
  const state = firstVersion(t);
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  for (const name of ['c1', 'c2', 'c3', 'c4'])
    assert.equal(
      recordOne(ledger, capture(name), null, () => assert.fail(name)),
      null,
    );
  const waiting = ledger.outbox.after(0, 10);
  assert.deepEqual(
    waiting.map(({ payload }) => JSON.parse(payload)),
    [3, 4].map((seq) => verdictOn(capture(`c${seq}`))({ seq, revision: 1, supersedes: null })),
  );
  const bytes = waiting.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0);
  assert.deepEqual(ledger.outbox.size(), { verdicts: 2, bytes });
  const gap = { first: 2, last: 2, verdicts: 1, reason: 'outbox-bytes', at: new Date(3000).toISOString() };
  assert.deepEqual(ledger.gaps.unannounced(), [{ number: 1, gap: { schema: 'plumbline/gap/1', ...gap } }]);
  assert.equal(ledger.counts().pass, 4);
  assert.equal(recordOne(ledger, capture('c5'), null, verdictOn(capture('c5')))?.seq, 5);
  ledger.outbox.acknowledge([3, 4, 5]);
  assert.deepEqual(ledger.outbox.size(), { verdicts: 0, bytes: 0 });
});

/** The same of version 2: c1 was acknowledged, c2 waits, and somebody wants c1 judged again. */
function secondVersion(t: TestContext): string {
  const state = mkdtempSync(join(tmpdir(), 'ledger-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const database = new DatabaseSync(join(state, 'ledger.sqlite'));
  database.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0]}; ${MIGRATIONS[1]}`);
  database.exec(`PRAGMA application_id = ${0x504c4d42}; PRAGMA user_version = 2`);
  for (const seq of [1, 2]) {
    const of = capture(`c${seq}`);
    const verdict = verdictOn(of)({ seq, revision: 1, supersedes: null });
    const payload = JSON.stringify(verdict);
    database
      .prepare('INSERT INTO captures VALUES (?, ?, ?, ?, ?, ?)')
      .run(10 + seq, of.name, of.size, of.modifiedNanoseconds, of.kind, `${seq}`);
    const row = [seq, 10 + seq, 1, verdict.id, verdict.image.ref, 'pass', null, verdict.score];
    database
      .prepare('INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(...row, verdict.model.digest, verdict.scoredAt, 1000 + seq, seq === 1 ? 2000 : null);
    database.prepare('INSERT INTO payloads VALUES (?, ?)').run(seq, payload);
    if (seq === 2) database.prepare('INSERT INTO outbox VALUES (?, ?)').run(seq, payload.length);
  }
  database.exec("INSERT INTO again VALUES (11, 'rescore', 0); INSERT INTO tallies VALUES ('pass', 2)");
  database.close();
  return state;
}

test('a capture of version 2 is the first of its file, and what is known about it still refers to it', async (t) => {
  const state = secondVersion(t);
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  assert.ok(existsSync(join(state, 'ledger.sqlite.version-2')));
  assert.deepEqual([ledger.isRecorded(capture('c1')), ledger.isRecorded(capture('c2'))], [false, true]);
  assert.deepEqual(
    ledger.outbox.after(0, 10).map(({ payload }) => JSON.parse(payload)),
    [verdictOn(capture('c2'))({ seq: 2, revision: 1, supersedes: null })],
  );
  // Was it one of several frames, of which an earlier agent judged the first alone? The others follow when it is judged again.
  const again = recordOne(ledger, capture('c1'), null, verdictOn(capture('c1')), 2);
  assert.deepEqual([again?.revision, again?.seq], [2, 3]);
  assert.equal(ledger.unrecorded(capture('c1'))?.frame, 2);
  const second = capture('c1', { frame: 2 });
  assert.equal(recordOne(ledger, second, null, verdictOn(second), 2)?.seq, 4);
  assert.ok(ledger.isRecorded(capture('c1')));
  const other = new DatabaseSync(join(state, 'ledger.sqlite'));
  assert.equal(other.prepare('PRAGMA foreign_key_check').get(), undefined);
  assert.throws(
    () => other.exec("INSERT INTO again VALUES (99, 'rescore', 0)"),
    /FOREIGN KEY/,
    'what refers to captures refers to those of today',
  );
  other.close();
});

test('the ledger as it was lies beside it, for this user alone; a new ledger leaves none', async (t) => {
  const state = firstVersion(t);
  (await openLedger(state)).close();
  const copy = join(state, 'ledger.sqlite.version-1');
  assert.equal(statSync(copy).mode & 0o777, 0o600);
  const [before, after] = [copy, join(state, 'ledger.sqlite')].map((path) => {
    const database = new DatabaseSync(path, { readOnly: true });
    t.after(() => database.close());
    return database;
  });
  const version = (database?: DatabaseSync) => database?.prepare('PRAGMA user_version').get()?.user_version;
  assert.deepEqual([version(before), version(after)], [1, SCHEMA_VERSION]);
  assert.equal(before?.prepare('SELECT count(*) AS n FROM outbox').get()?.n, 2);
  assert.equal(after?.prepare('PRAGMA foreign_key_check').get(), undefined);
  const fresh = join(state, 'other');
  (await openLedger(fresh)).close();
  assert.equal(existsSync(join(fresh, 'ledger.sqlite.version-1')), false);
});
