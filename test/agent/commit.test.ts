/** Which verdicts share a commit. A real ledger; it is watched how it is called, not replaced. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { MOST_TOGETHER, openCommits } from '../../agent/commit.ts';
import { openLedger } from '../../agent/deliver/ledger.ts';
import type { Entry } from '../../agent/deliver/ledgerRecords.ts';
import { LedgerError } from '../../agent/deliver/transaction.ts';
import { capture, verdictOn } from './verdictFixture.ts';

const entry = (name: string): Entry => {
  const of = capture(name);
  return { capture: of, contentSha256: null, makeVerdict: verdictOn(of) };
};

async function open(t: TestContext, expectsMore: () => boolean, failures: LedgerError[] = []) {
  const state = mkdtempSync(path.join(tmpdir(), 'plumbline-commit-'));
  t.after(() => rmSync(state, { recursive: true }));
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  const stop = new AbortController();
  const sizes: number[] = [];
  const conditions: (string | null)[] = [];
  const commits = openCommits({
    ledger: {
      record(entries) {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        sizes.push(entries.length);
        return ledger.record(entries);
      },
    },
    expectsMore,
    onCondition: (code, message) => code === 'ledger-failing' && conditions.push(message),
    stop: stop.signal,
  });
  return { commits, sizes, conditions, ledger, stop: () => stop.abort() };
}

test('one that has no company is committed before anything else happens', async (t) => {
  const { commits, sizes } = await open(t, () => false);
  const verdict = commits.add(entry('a'));
  assert.deepEqual(sizes, [1]);
  assert.equal((await verdict)?.seq, 1);
});

test('those of a backlog share commits, each of a bounded number, in order; the last waits for no more', async (t) => {
  let left = 2 * MOST_TOGETHER + 3;
  const { commits, sizes } = await open(t, () => left > 0);
  const verdicts = await Promise.all(
    Array.from({ length: left }, (_, i) => {
      left--;
      return commits.add(entry(`${i}`));
    }),
  );
  assert.deepEqual(sizes, [MOST_TOGETHER, MOST_TOGETHER, 3]);
  assert.deepEqual(
    verdicts.map((verdict) => verdict?.seq),
    Array.from({ length: 2 * MOST_TOGETHER + 3 }, (_, i) => i + 1),
  );
});

test('one whose company does not come is committed all the same', async (t) => {
  const { commits, sizes } = await open(t, () => true);
  assert.equal((await commits.add(entry('a')))?.seq, 1);
  assert.deepEqual(sizes, [1]);
});

test('while the ledger fails all wait, and then none is missing', async (t) => {
  const failure = new LedgerError('ledger-failing', 'Cannot record a verdict: disk I/O error.');
  const { commits, sizes, conditions } = await open(t, () => false, [failure]);
  const first = commits.add(entry('a'));
  const meanwhile = ['b', 'c'].map((name) => commits.add(entry(name)));
  assert.deepEqual(sizes, []);
  const verdicts = await Promise.all([first, ...meanwhile]);
  assert.deepEqual(
    verdicts.map((verdict) => verdict?.seq),
    [1, 2, 3],
  );
  assert.deepEqual(sizes, [1, 2]);
  assert.deepEqual(conditions.slice(0, 2), [failure.message, null]);
});

test('when the agent is stopped meanwhile, nothing is said of what could not be written', async (t) => {
  const failure = new LedgerError('ledger-failing', 'Cannot record a verdict: disk I/O error.');
  const { commits, ledger, stop } = await open(t, () => false, [failure, failure]);
  const verdict = commits.add(entry('a'));
  stop();
  assert.equal(await verdict, null);
  assert.equal(ledger.isRecorded(capture('a')), false);
});

test('a verdict that cannot be made fails its own commit alone', async (t) => {
  const { commits } = await open(t, () => false);
  const broken = { ...entry('a'), makeVerdict: () => assert.fail('not a verdict') };
  await assert.rejects(commits.add(broken), /not a verdict/);
  assert.equal((await commits.add(entry('b')))?.seq, 1);
});

test('one that the ledger does not take stops none of its neighbours, and does not blame the disk', async (t) => {
  const { commits, sizes, conditions } = await open(t, () => true);
  const large = capture('large', { size: 2 ** 63 }); // one more than SQLite holds
  const refused = { capture: large, contentSha256: null, makeVerdict: verdictOn(large) };
  const names = Array.from({ length: MOST_TOGETHER - 1 }, (_, i) => `${i}`);
  const verdicts = await Promise.all([
    commits.add(refused),
    ...names.map((name) => commits.add(entry(name))),
  ]);
  assert.deepEqual(
    verdicts.map((verdict) => verdict?.seq ?? null),
    [null, 1, 2, 3, 4, 5, 6, 7],
  );
  assert.equal(sizes[0], MOST_TOGETHER);
  assert.match(conditions.at(-1)!, /does not take its values/);
  assert.doesNotMatch(conditions.at(-1)!, /disk/);
  assert.equal((await commits.add(entry('later')))?.seq, MOST_TOGETHER);
});

test('one that cannot be made takes none of its neighbours with it', async (t) => {
  const { commits } = await open(t, () => true);
  const broken = { ...entry('a'), makeVerdict: () => assert.fail('not a verdict') };
  const failed = assert.rejects(commits.add(broken), /not a verdict/);
  const others = Array.from({ length: MOST_TOGETHER - 1 }, (_, i) => commits.add(entry(`${i}`)));
  assert.equal((await Promise.all(others)).length, MOST_TOGETHER - 1);
  await failed;
});
