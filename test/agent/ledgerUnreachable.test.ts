/** A file that cannot be reached for a while is the same capture before, meanwhile and afterwards. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

async function opened(t: TestContext) {
  const state = mkdtempSync(join(tmpdir(), 'ledger-'));
  t.after(() => rmSync(state, { recursive: true }));
  const ledger = await openLedger(state);
  t.after(() => ledger.close());
  return ledger;
}

const unknown = { size: 0, modifiedNanoseconds: 0n };
const [file, unreadable, away, dangling] = [
  capture('a.png', { stamp: '1/1' }),
  capture('a.png', { kind: 'unreadable' }),
  capture('a.png', { ...unknown, kind: 'unreadable' }),
  capture('a.png', { ...unknown, modifiedNanoseconds: 7n, kind: 'dangling-link' }),
] as const;

test('what was judged stays judged while it cannot be reached', async (t) => {
  const ledger = await opened(t);
  recordOne(ledger, file, 'ab', verdictOn(file));
  for (const one of [unreadable, away, dangling]) assert.equal(ledger.isRecorded(one), true);
  const newer = capture('a.png', { kind: 'unreadable', modifiedNanoseconds: 1n });
  assert.equal(ledger.isRecorded(newer), false, 'a new version has no verdict yet');
  assert.equal(ledger.isRecorded(capture('b.png', { kind: 'dangling-link' })), false);
});

for (const one of [unreadable, away, dangling])
  test(`${one.kind}, size ${one.size}: once it can be read, its verdict supersedes the one that said so`, async (t) => {
    const ledger = await opened(t);
    const first = recordOne(ledger, one, null, verdictOn(one))!;
    assert.deepEqual([ledger.isRecorded(one), ledger.isRecorded(file)], [true, false]);
    const second = recordOne(ledger, file, 'ab', verdictOn(file))!;
    assert.deepEqual([second.revision, second.supersedes], [2, first.id]);
    assert.deepEqual([ledger.isRecorded(file), ledger.isRecorded(one)], [true, true]);
    const newer = capture('a.png', { modifiedNanoseconds: 9n });
    assert.equal(recordOne(ledger, newer, 'cd', verdictOn(newer))!.supersedes, null, 'that was answered');
  });

test('a file that could not be read is not the one of another name or version', async (t) => {
  const ledger = await opened(t);
  recordOne(ledger, unreadable, null, verdictOn(unreadable));
  for (const other of [capture('b.png'), capture('a.png', { size: 5 })])
    assert.equal(recordOne(ledger, other, 'ab', verdictOn(other))!.supersedes, null);
});
