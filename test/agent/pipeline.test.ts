/** What happens to a file between its settling and its record. Real files, a real ledger; `inspect` is the moment to interfere. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Capture } from '../../agent/capture.ts';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { noFault } from '../../agent/faultPoints.ts';
import { captureAt } from '../../agent/ingest/look.ts';
import { startPipeline } from '../../agent/pipeline.ts';
import { type CaptureQueue, captureQueue, type Order } from '../../agent/queue.ts';
import { makeVerdict } from '../../agent/verdict.ts';
import { origin, scored, threshold } from './pipelineFixture.ts';

interface Around {
  readonly obstacles?: (string | null)[];
  /** For how long `a.jpg` had stood there, nanoseconds beyond what it has. */
  readonly stood?: bigint;
}

/** Puts `a.jpg` through a pipeline whose `inspect` does `meanwhile`; what was recorded, and which names are to be looked at again. */
async function through(
  t: TestContext,
  meanwhile: (file: string) => void,
  { obstacles = [], stood = 0n }: Around = {},
) {
  const place = mkdtempSync(path.join(tmpdir(), 'plumbline-pipeline-'));
  t.after(() => rmSync(place, { recursive: true }));
  const folder = path.join(place, 'captures');
  mkdirSync(folder);
  const file = path.join(folder, 'a.jpg');
  writeFileSync(file, 'abc');
  const ledger = await openLedger(path.join(place, 'state'));
  t.after(() => ledger.close());
  const reasons: (string | null)[] = [];
  const again: string[] = [];
  const conditions: (string | null)[] = [];
  const pipeline = startPipeline({
    folder,
    concurrency: 1,
    order: 'newest',
    queue: 10,
    frames: 10,
    onRoom: () => {},
    inspect: async (name) => {
      meanwhile(String(name));
      return scored;
    },
    look: ({ name }) => captureAt(folder, name),
    obstacle: async () => obstacles.shift() ?? null,
    ledger,
    verdictOf: (capture, inspection, place) => makeVerdict(origin, threshold, capture, inspection, place),
    onRecorded: ({ verdict, reason }) => reasons.push(reason ?? verdict),
    onChanged: (name) => again.push(name),
    faultPoint: noFault,
    onCondition: (code, message) => code === 'disk-full' && conditions.push(message),
  });
  const seen = (await captureAt(folder, 'a.jpg')) as Capture;
  const [inode, changed] = seen.stamp!.split('/');
  const capture = { ...seen, stamp: `${inode}/${BigInt(changed!) - stood}` };
  pipeline.add(capture, true);
  assert.ok(pipeline.has(capture));
  await pipeline.idle();
  assert.ok(!pipeline.has(capture));
  return { reasons, again, conditions, recorded: ledger.isRecorded(capture) };
}

test('a file that stands still is recorded once', async (t) => {
  const { reasons, again, recorded } = await through(t, () => {});
  assert.deepEqual([reasons, again, recorded], [['pass'], [], true]);
});

test('one that grows while it is read gets its own reason, and its new version is considered', async (t) => {
  const { reasons, again } = await through(t, (file) => appendFileSync(file, 'd'));
  assert.deepEqual([reasons, again], [['changed-while-reading'], ['a.jpg']]);
});

test('one that is written anew with as many bytes too', async (t) => {
  const future = new Date(Date.now() + 5000);
  const { reasons, again } = await through(t, (file) => {
    writeFileSync(file, 'xyz');
    utimesSync(file, future, future);
  });
  assert.deepEqual([reasons, again], [['changed-while-reading'], ['a.jpg']]);
});

test('a copy that gets its old time late is one capture, not two', async (t) => {
  const { reasons, again, recorded } = await through(t, (file) => utimesSync(file, 1e9, 1e9));
  assert.deepEqual([reasons, again, recorded], [[], ['a.jpg'], false]);
});

test('one that had stood there before it got an older time, and perhaps another content, has a record', async (t) => {
  const { reasons, again } = await through(t, (file) => utimesSync(file, 1e9, 1e9), {
    stood: 2_000_000_000n,
  });
  assert.deepEqual([reasons, again], [['changed-while-reading'], ['a.jpg']]);
});

test('an older file that takes the name is another one, and what stood there has a record', async (t) => {
  const { reasons, again } = await through(t, (file) => {
    writeFileSync(`${file}.old`, 'xyz');
    utimesSync(`${file}.old`, 1e9, 1e9);
    renameSync(`${file}.old`, file);
  });
  assert.deepEqual([reasons, again], [['changed-while-reading'], ['a.jpg']]);
});

test('one that is deleted after it was read was read as it stood', async (t) => {
  const { reasons, again } = await through(t, (file) => rmSync(file));
  assert.deepEqual([reasons, again], [['pass'], []]);
});

test('while one capture is committed, the next is inspected already; no more than one of them', {
  timeout: 30_000,
}, async (t) => {
  const place = mkdtempSync(path.join(tmpdir(), 'plumbline-pipeline-'));
  t.after(() => rmSync(place, { recursive: true }));
  const ledger = await openLedger(path.join(place, 'state'));
  t.after(() => ledger.close());
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) writeFileSync(path.join(place, name), name);
  const begun = new Map(names.map((name) => [name, Promise.withResolvers<void>()]));
  const recorded: string[] = [];
  let inspecting = 0;
  const pipeline = startPipeline({
    folder: place,
    concurrency: 1,
    order: 'oldest',
    queue: 10,
    frames: 10,
    onRoom: () => {},
    inspect: async (file) => {
      assert.equal(++inspecting, 1);
      begun.get(path.basename(String(file)))!.resolve();
      await setImmediate();
      inspecting--;
      return scored;
    },
    look: async ({ name }) => {
      await begun.get(names[names.indexOf(name) + 1]!)?.promise; // unless it is begun now: never
      return captureAt(place, name);
    },
    obstacle: async () => null,
    ledger,
    verdictOf: (capture, inspection, at) => {
      recorded.push(capture.name);
      return makeVerdict(origin, threshold, capture, inspection, at);
    },
    onRecorded: () => {},
    onChanged: assert.fail,
    faultPoint: noFault,
    onCondition: () => {},
  });
  for (const [i, name] of names.entries()) {
    utimesSync(path.join(place, name), i + 1, i + 1);
    pipeline.add((await captureAt(place, name)) as Capture, false);
  }
  await pipeline.idle();
  assert.deepEqual(recorded.toSorted(), names); // two looks at once may end in either order
});

test('while something stands in the way nothing is read, and then everything is', async (t) => {
  const { reasons, conditions } = await through(t, () => {}, { obstacles: ['no space'] });
  assert.deepEqual(reasons, ['pass']);
  assert.equal(conditions[0], 'no space');
  assert.equal(conditions[1], null);
});

const at = (name: string, seconds: number): Capture => ({
  name,
  size: 1,
  modifiedNanoseconds: BigInt(seconds) * 1_000_000_000n,
  kind: 'file',
});
const all = (queue: CaptureQueue) => {
  const names: string[] = [];
  for (let one = queue.next(); one !== undefined; one = queue.next()) names.push(one.name);
  return names;
};

test('newest: what has just come first, whatever its time, then the others by time; oldest: all by time', () => {
  const fill = (order: Order) => {
    const queue = captureQueue(order, 10);
    for (const [name, seconds, urgent] of [
      ['b', 2, false],
      ['copy', 0, true],
      ['a', 3, false],
      ['live', 9, true],
      ['c', 1, false],
    ] as const)
      assert.equal(queue.add(at(name, seconds), urgent), null);
    return all(queue);
  };
  assert.deepEqual(fill('newest'), ['live', 'copy', 'a', 'b', 'c']);
  assert.deepEqual(fill('oldest'), ['copy', 'c', 'b', 'a', 'live']);
});

test('a full queue leaves out the last in line, and asks for no more of them', () => {
  const queue = captureQueue('newest', 3);
  for (const seconds of [5, 3, 7]) queue.add(at(`${seconds}`, seconds), false);
  assert.deepEqual(
    [2, 4].map((seconds) => queue.hasRoom(at('', seconds))),
    [false, true],
  );
  assert.equal(queue.add(at('4', 4), false)?.name, '3');
  assert.equal(queue.add(at('2', 2), false)?.name, '2');
  assert.equal(queue.add(at('live', 1), true)?.name, '4');
  assert.deepEqual(all(queue), ['live', '7', '5']);
});
