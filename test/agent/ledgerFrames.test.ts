/** What the ledger knows about a file of several captures: which of them lack a verdict. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { type Capture, captureOfFrame, frameOf } from '../../agent/capture.ts';
import { type Ledger, openLedger } from '../../agent/deliver/ledger.ts';
import { takeOver } from '../../agent/deliver/takeOver.ts';
import type { Verdict } from '../../config/verdict.ts';
import { capture, recordOne, verdictOn } from './verdictFixture.ts';

const clip = capture('clip.dcm');

async function opened(t: TestContext): Promise<{ ledger: Ledger; file: string }> {
  const state = mkdtempSync(join(tmpdir(), 'ledger-'));
  const ledger = await openLedger(state);
  t.after(() => {
    ledger.close();
    rmSync(state, { recursive: true, force: true });
  });
  return { ledger, file: join(state, 'ledger.sqlite') };
}

/** Records frame `frame` of `clip`, which holds `frames` captures. */
function judge(ledger: Ledger, frame: number, frames: number | null, said: Partial<Verdict> = {}) {
  const of = captureOfFrame(clip, frame);
  return recordOne(ledger, of, null, (place) => ({ ...verdictOn(of)(place), ...said }), frames);
}

/** The frame that `unrecorded` names. */
const missing = (ledger: Ledger): number | null => {
  const found: Capture | null = ledger.unrecorded(clip);
  return found === null ? null : frameOf(found);
};

/** As `agent rescore` writes it, from another process. */
function ask(file: string, frame: number): void {
  const other = new DatabaseSync(file, { timeout: 5000 });
  other.exec(`INSERT INTO again SELECT capture, 'rescore', 0 FROM captures WHERE frame = ${frame}`);
  other.close();
}

test('a file is recorded when each of its captures is; until then the first that is missing is named', async (t) => {
  const { ledger, file } = await opened(t);
  assert.equal(missing(ledger), 1);
  judge(ledger, 1, 4);
  assert.deepEqual([missing(ledger), ledger.isRecorded(clip)], [2, false]);
  judge(ledger, 3, 4);
  assert.equal(missing(ledger), 2);
  assert.equal(ledger.following(captureOfFrame(clip, 2), 4)?.frame, 4);
  judge(ledger, 2, 4);
  assert.equal(missing(ledger), 4);
  judge(ledger, 4, 4);
  assert.deepEqual([missing(ledger), ledger.isRecorded(clip)], [null, true]);
  assert.equal(ledger.following(captureOfFrame(clip, 4), 4), null);
  assert.equal(judge(ledger, 2, 4), null, 'each once');
  ask(file, 3);
  assert.equal(missing(ledger), 3);
  assert.equal(judge(ledger, 3, 4)?.revision, 2);
  assert.equal(missing(ledger), null);
  assert.equal(ledger.isRecorded(capture('clip.dcm', { size: 1 })), false, 'another version');
});

test('a capture behind which none can be judged ends its file, until it is judged again', async (t) => {
  const { ledger, file } = await opened(t);
  judge(ledger, 1, 4);
  judge(ledger, 2, null, { verdict: 'unscorable', reason: 'timeout' });
  assert.equal(missing(ledger), null);
  ask(file, 2);
  assert.equal(missing(ledger), 2);
  judge(ledger, 2, 4);
  assert.equal(missing(ledger), 3);
});

test('one that vanished amid its frames and stands there again goes on where it was', async (t) => {
  const { ledger, file } = await opened(t);
  judge(ledger, 1, 4);
  judge(ledger, 2, null, { verdict: 'unscorable', reason: 'vanished' });
  assert.equal(missing(ledger), 2);
  judge(ledger, 2, 4);
  assert.equal(missing(ledger), 3);
  for (const frame of [3, 4]) judge(ledger, frame, 4);
  for (const frame of [2, 4]) ask(file, frame);
  judge(ledger, 2, null, { verdict: 'unscorable', reason: 'vanished' });
  judge(ledger, 2, 4);
  assert.equal(missing(ledger), 4, 'the wish is not forgotten');
});

test('a bundle that takes the file as one capture ends the wishes on its others', async (t) => {
  const { ledger, file } = await opened(t);
  for (const frame of [1, 2, 3]) judge(ledger, frame, 3);
  for (const frame of [1, 2, 3]) ask(file, frame);
  assert.equal(judge(ledger, 1, 1)?.revision, 2);
  assert.equal(missing(ledger), null);
  const database = new DatabaseSync(file, { readOnly: true });
  assert.equal(database.prepare('SELECT count(*) AS n FROM again').get()?.n, 0);
  database.close();
  assert.equal(judge(ledger, 4, 1), null, 'there is no such capture any more');
  assert.equal(ledger.counts().pass, 4);
});

test('a ledger that is made anew knows which are missing', async (t) => {
  const { ledger, file } = await opened(t);
  const { ledger: other, file: otherFile } = await opened(t);
  for (const frame of [1, 2, 3]) judge(ledger, frame, 5);
  const [source, target] = [new DatabaseSync(file), new DatabaseSync(otherFile)];
  target.exec('BEGIN');
  const { verdicts } = takeOver(source, target, 0);
  target.exec('COMMIT');
  for (const one of [source, target]) one.close();
  assert.equal(verdicts, 3);
  assert.equal(missing(other), 4);
});

test('a file that was only touched on the outside is read once for all its frames; with another content each is judged', async (t) => {
  const { ledger } = await opened(t);
  const at = (frame: number, stamp: string) => captureOfFrame({ ...clip, stamp }, frame);
  const judged = (frame: number, stamp: string, content: string) =>
    recordOne(ledger, at(frame, stamp), content, verdictOn(at(frame, stamp)), 3)?.revision ?? null;
  assert.deepEqual(
    [1, 2, 3].map((frame) => judged(frame, '1', 'as it was')),
    [1, 1, 1],
  );
  assert.equal(ledger.isRecorded(at(1, '2')), false);
  assert.equal(judged(1, '2', 'as it was'), null);
  assert.equal(ledger.isRecorded(at(1, '2')), true);
  assert.equal(judged(1, '3', 'other'), 2);
  assert.equal(ledger.unrecorded(at(1, '3'))?.frame, 2);
  assert.equal(judged(3, '3', 'other'), 2);
  assert.equal(ledger.unrecorded(at(1, '3'))?.frame, 2);
  assert.equal(judged(2, '3', 'other'), 2);
  assert.equal(ledger.isRecorded(at(1, '3')), true);
});
