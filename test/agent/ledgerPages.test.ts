/** Damaged pages of a ledger: every number that was given is sent, or announced in a gap. Real files, real agent. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Ledger, openLedger } from '../../agent/deliver/ledger.ts';
import { LedgerError } from '../../agent/deliver/transaction.ts';
import { runAgent, startAgent } from '../support/agent.ts';
import { startBroker, subscribe } from '../support/broker.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { writeCapture } from '../support/images.ts';
import { temporaryFolder } from './brokerFixture.ts';
import { checkpoint, forgetPages, leavesOf, overwritePages, overwriteText } from './pageFixture.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

const CAPTURES = 300;
const name = (seq: number) => `captures of a whole day, by hour and minute/c${seq}.dcm`;
const numbers = Array.from({ length: CAPTURES }, (_, i) => i + 1);

/** A ledger whose verdicts all wait, closed. */
async function filled(t: TestContext): Promise<{ state: string; file: string }> {
  const state = temporaryFolder(t);
  const ledger = await openLedger(state);
  record(ledger, numbers);
  ledger.close();
  return { state, file: path.join(state, 'ledger.sqlite') };
}

function record(ledger: Ledger, seqs: readonly number[]): void {
  ledger.record(
    seqs.map((seq) => {
      const of = capture(name(seq));
      return { capture: of, contentSha256: 'ab'.repeat(32), makeVerdict: verdictOn(of, 300) };
    }),
  );
}

async function reopened(t: TestContext, state: string): Promise<Ledger> {
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  return ledger;
}

/** Numbers that wait, and those that do not: each of these lies in a gap, and no gap goes beyond what was given. */
function told(ledger: Ledger): { waiting: number[]; gone: number[] } {
  const waiting = ledger.outbox.after(0, 2 * CAPTURES).map(({ seq }) => seq);
  const gone = numbers.filter((seq) => !waiting.includes(seq));
  const gaps = ledger.gaps.unannounced().map(({ gap }) => gap);
  const silent = gone.filter((seq) => !gaps.some(({ first, last }) => first <= seq && seq <= last));
  assert.deepEqual(silent, [], 'neither sent nor announced');
  for (const { first, last } of gaps) assert.ok(gone.includes(first) && gone.includes(last));
  const next = recordOne(ledger, capture('next'), null, verdictOn(capture('next')));
  assert.equal(next?.seq, CAPTURES + 1);
  return { waiting, gone };
}

test('a page of messages that waited: the others are sent, and their numbers announced', async (t) => {
  const { state, file } = await filled(t);
  overwritePages(file, [leavesOf(file, 'payloads')[7]!]);
  const ledger = await reopened(t, state);
  assert.equal(ledger.opening.rebuilt, true);
  const { gone } = told(ledger);
  assert.ok(gone.length > 0 && gone.length < 20, `${gone}`);
  for (const seq of gone) assert.equal(ledger.isRecorded(capture(name(seq))), false, 'is judged again');
});

test('pages of verdicts far from each other: what lies between is taken over', async (t) => {
  const { state, file } = await filled(t);
  const leaves = leavesOf(file, 'verdicts');
  overwritePages(file, [leaves[1]!, leaves.at(-2)!]);
  const { gone } = told(await reopened(t, state));
  assert.ok(gone.length > 0 && gone.length < 50, `${gone}`);
});

test('pages of captures: the index still tells of them, and nothing is lost', async (t) => {
  const { state, file } = await filled(t);
  overwritePages(file, leavesOf(file, 'captures').slice(1, 3));
  const ledger = await reopened(t, state);
  assert.deepEqual(told(ledger).gone, []);
  for (const seq of numbers) assert.equal(ledger.isRecorded(capture(name(seq))), true, `${seq}`);
});

test('pages of captures and of their index: what neither tells is announced, and judged again', async (t) => {
  const { state, file } = await filled(t);
  overwritePages(file, [
    ...leavesOf(file, 'captures').slice(1, 3),
    ...leavesOf(file, 'sqlite_autoindex_captures_1'),
  ]);
  const { gone } = told(await reopened(t, state));
  assert.ok(gone.length > 0 && gone.length < CAPTURES / 2, `${gone}`);
});

test('a file of several frames whose page is damaged is looked at again for those that may be missing', async (t) => {
  const { state, file } = await filled(t);
  let ledger = await openLedger(state);
  const clip = capture('clip.dcm');
  const framed: typeof clip = { ...clip, frame: 2 };
  recordOne(ledger, clip, null, verdictOn(clip), 4);
  recordOne(ledger, framed, null, verdictOn(framed), 4);
  ledger.close();
  overwritePages(file, [leavesOf(file, 'captures').at(-1)!]);
  ledger = await reopened(t, state);
  assert.deepEqual(ledger.rebuilt?.incomplete, ['captures']);
  assert.equal(ledger.unrecorded(clip)?.frame, 3);
});

test('numbers that an earlier rebuild left out are announced at the next start', async (t) => {
  const { state, file } = await filled(t);
  const other = new DatabaseSync(file);
  other.exec(`PRAGMA foreign_keys = OFF;
    DELETE FROM outbox WHERE seq BETWEEN 20 AND 29; DELETE FROM payloads WHERE seq BETWEEN 20 AND 29;
    DELETE FROM verdicts WHERE seq BETWEEN 20 AND 29`);
  other.close();
  assert.deepEqual(told(await reopened(t, state)).gone, [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
});

test('a message of which a bit has turned is not sent: it is damage, which the next start mends', async (t) => {
  const { state, file } = await filled(t);
  assert.equal(overwriteText(file, '"seq":123,', 13), 1);
  let ledger = await openLedger(state);
  assert.equal(ledger.opening.rebuilt, false, 'no check sees it');
  assert.equal(ledger.outbox.after(0, 122).length, 122);
  assert.throws(
    () => ledger.outbox.after(122, 1),
    (error) => error instanceof LedgerError && error.damaged,
  );
  assert.match((await ledger.damaged).message, /the message of verdict 123 is not the one/);
  ledger.close();
  ledger = await reopened(t, state);
  assert.equal(ledger.opening.rebuilt, true);
  assert.deepEqual(told(ledger).gone, [123]);
  assert.deepEqual(
    readdirSync(state).filter((one) => one === 'ledger.damaged'),
    [],
  );
});

test('a turned bit in an index is seen at the start', async (t) => {
  const { state, file } = await filled(t);
  assert.equal(overwriteText(file, name(150), 10), 1);
  const ledger = await reopened(t, state);
  assert.equal(ledger.opening.rebuilt, true);
  assert.equal(ledger.isRecorded(capture(name(150))), true);
  assert.deepEqual(told(ledger).gone, []);
});

test('an index that turns under the running ledger: what then contradicts itself is damage, and not the disk', async (t) => {
  const { state, file } = await filled(t);
  const ledger = await openLedger(state);
  checkpoint(file);
  overwriteText(file, name(150), 10);
  forgetPages(file);
  assert.throws(
    () => record(ledger, [150]),
    (error) =>
      error instanceof LedgerError &&
      error.damaged &&
      /UNIQUE/.test(error.message) &&
      !/disk/.test(error.message),
  );
  await ledger.damaged;
  ledger.close();
  assert.match(readFileSync(path.join(state, 'ledger.damaged'), 'utf8'), /UNIQUE constraint failed/);
  const next = await reopened(t, state);
  assert.equal(next.opening.rebuilt, true);
  assert.equal(next.isRecorded(capture(name(150))), true);
});

test('what the last agent found is reason enough, even where no check finds it; an empty folder has nothing to mend', async (t) => {
  const { state } = await filled(t);
  writeFileSync(path.join(state, 'ledger.damaged'), 'UNIQUE constraint failed: verdicts.id\n');
  const ledger = await reopened(t, state);
  assert.match(ledger.rebuilt!.damage, /UNIQUE constraint failed: verdicts.id/);
  assert.deepEqual(told(ledger).gone, []);
  const other = temporaryFolder(t);
  writeFileSync(path.join(other, 'ledger.damaged'), '');
  assert.equal((await reopened(t, other)).rebuilt, null);
});

for (const table of ['payloads', 'sqlite_autoindex_captures_1'])
  test(`damage in ${table} under the running agent ends it; its next start sends or announces everything`, {
    timeout: 120_000,
  }, async (t) => {
    const at = temporaryFolder(t);
    const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
    const file = path.join(state, 'ledger.sqlite');
    mkdirSync(watch);
    // Names so long that the index has several pages.
    for (let i = 0; i < 60; i++)
      await writeCapture(path.join(watch, `${'c'.repeat(200)}${i}.jpg`), 'smooth', i);
    let broker = await startBroker();
    const { url, port } = broker;
    await broker.close();
    const bundle = (await makeTestBundle(at)).path;
    const args = ['run', '--bundle', bundle, '--watch', watch, '--state', state, '--broker', url];
    const agent = startAgent([...args, '--watch-sweep', '1']);
    const verdicts = () => agent.output().split('"msg":"verdict"').length - 1;
    while (verdicts() < 60) await delay(50);
    checkpoint(file);
    overwritePages(file, leavesOf(file, table).slice(1, 3));
    forgetPages(file);
    broker = await startBroker(port);
    t.after(() => broker.close());
    const dashboard = await subscribe(url);
    t.after(() => dashboard.close());
    assert.equal(await agent.ended, 1);
    assert.match(agent.output(), /the ledger is damaged .* Restart the agent/);
    if (table === 'payloads') for (const one of readdirSync(watch)) rmSync(path.join(watch, one));
    assert.equal((await runAgent([...args, '--once'])).code, 0);
    const of = (what: string) => dashboard.messages.filter((m) => m.topic.endsWith(what));
    const silent = () => {
      const seqs = new Set(of('/verdict').map((m) => m.payload.seq as number));
      const gaps = of('/gap').map(({ payload }) => [payload.first, payload.last] as [number, number]);
      const covered = (seq: number) => seqs.has(seq) || gaps.some(([a, b]) => a <= seq && seq <= b);
      return numbers.slice(0, 60).filter((seq) => !covered(seq));
    };
    await dashboard.settle(() => silent().length === 0);
    const { code, stdout } = await runAgent(['ledger', 'verify', '--state', state, '--watch', watch]);
    assert.equal(code, 0, stdout);
  });
