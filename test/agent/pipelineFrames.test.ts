/** The captures of one file on their way through the pipeline: their order, what ends them, and what bounds them. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Capture } from '../../agent/capture.ts';
import { openLedger } from '../../agent/deliver/ledger.ts';
import { noFault } from '../../agent/faultPoints.ts';
import { captureAt } from '../../agent/ingest/look.ts';
import type { Inspection } from '../../agent/inspect/inspection.ts';
import { type Pipeline, startPipeline } from '../../agent/pipeline.ts';
import { makeVerdict } from '../../agent/verdict.ts';
import { origin, scored, threshold } from './pipelineFixture.ts';

/** A pipeline on files by name, each with so many frames; `inspect` is told of every frame that is inspected. */
async function framesThrough(
  t: TestContext,
  files: Readonly<Record<string, number>>,
  inspect: (name: string, frame: number, pipeline: Pipeline) => Promise<Partial<Inspection> | undefined>,
  options: { readonly queue?: number; readonly concurrency?: number } = {},
) {
  const place = mkdtempSync(path.join(tmpdir(), 'plumbline-pipeline-'));
  t.after(() => rmSync(place, { recursive: true }));
  const ledger = await openLedger(path.join(place, 'state'));
  t.after(() => ledger.close());
  const file = (name: string) => path.join(place, name);
  for (const name of Object.keys(files)) writeFileSync(file(name), name);
  const recorded: string[] = [];
  const again: string[] = [];
  let rooms = 0;
  const pipeline: Pipeline = startPipeline({
    ...{ folder: place, concurrency: 1, order: 'newest', queue: 10, frames: 10, ...options },
    onRoom: () => {
      rooms++;
    },
    inspect: async (path_, frame) => {
      const name = path.basename(String(path_));
      const more = await inspect(name, frame, pipeline);
      return { ...scored, frames: files[name]!, ...more } as Inspection;
    },
    look: ({ name }) => captureAt(place, name),
    obstacle: async () => null,
    ledger,
    verdictOf: (capture, inspection, at) => makeVerdict(origin, threshold, capture, inspection, at),
    onRecorded: ({ reason, image }, { name }) => recorded.push(`${name} ${image.frame} ${reason}`),
    onChanged: (name) => again.push(name),
    faultPoint: noFault,
    onCondition: () => {},
  });
  const capture = async (name: string) => (await captureAt(place, name)) as Capture;
  return { pipeline, ledger, file, capture, recorded, again, rooms: () => rooms };
}

test('what has just come goes before the other frames of a file, and these before what is older', async (t) => {
  const seen: string[] = [];
  const { pipeline, capture, file } = await framesThrough(
    t,
    { clip: 4, old: 1, live: 1 },
    async (name, frame) => {
      seen.push(`${name} ${frame}`);
      if (name === 'clip' && frame === 2) pipeline.add(await capture('live'), true);
      return undefined;
    },
  );
  utimesSync(file('old'), 1e9, 1e9);
  pipeline.add(await capture('clip'), true);
  pipeline.add(await capture('old'), false);
  await pipeline.idle();
  assert.deepEqual(seen, ['clip 1', 'clip 2', 'live 1', 'clip 3', 'clip 4', 'old 1']);
});

test('however many processes, one of them at a time reads a file; it is in line or in work until its last frame is', async (t) => {
  let [at, most] = [0, 0];
  const { pipeline, capture, recorded, ledger } = await framesThrough(
    t,
    { clip: 6 },
    async () => {
      most = Math.max(most, ++at);
      assert.ok(pipeline.has(clip));
      await setImmediate();
      at--;
      return undefined;
    },
    { concurrency: 4 },
  );
  const clip = await capture('clip');
  pipeline.add(clip, true);
  await pipeline.idle();
  assert.deepEqual([most, recorded.length], [1, 6]);
  assert.ok(!pipeline.has(clip) && ledger.isRecorded(clip));
});

test('a file that changes, goes, or ends a process amid its frames: one verdict says so, none follows', async (t) => {
  const { pipeline, capture, file, recorded, again, ledger } = await framesThrough(
    t,
    { changes: 5, crashes: 5 },
    async (name, frame) => {
      if (frame < 3) return undefined;
      if (name === 'changes') appendFileSync(file(name), 'more');
      else return { outcome: 'unscorable', reason: 'scorer-crashed', message: '', frames: null };
      return undefined;
    },
  );
  const [changes, crashes] = [await capture('changes'), await capture('crashes')];
  pipeline.add(changes, true);
  await pipeline.idle();
  pipeline.add(crashes, true);
  await pipeline.idle();
  assert.deepEqual(recorded, [
    ...['changes 1 null', 'changes 2 null', 'changes 3 changed-while-reading'],
    ...['crashes 1 null', 'crashes 2 null', 'crashes 3 scorer-crashed'],
  ]);
  assert.deepEqual(again, ['changes']);
  assert.ok(ledger.isRecorded(crashes));
});

test('frames that find no room in line are found anew, and only they are judged', async (t) => {
  const { pipeline, capture, file, recorded, rooms } = await framesThrough(
    t,
    { clip: 3, live: 1 },
    async (name, frame) => {
      if (name === 'clip' && frame === 1) pipeline.add(await capture('live'), true);
      return undefined;
    },
    { queue: 1 },
  );
  utimesSync(file('clip'), 1e9, 1e9);
  pipeline.add(await capture('clip'), false);
  await pipeline.idle();
  assert.deepEqual(recorded, ['clip 1 null', 'live undefined null']);
  assert.ok(!pipeline.has(await capture('clip')));
  assert.equal(rooms(), 1, 'the folder is to be read again');
  pipeline.add(await capture('clip'), false);
  await pipeline.idle();
  assert.deepEqual(recorded.slice(2), ['clip 2 null', 'clip 3 null']);
});
