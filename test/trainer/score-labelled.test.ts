/** Labelled images are scored as the device scores them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { loadInspector } from '../../agent/inspect/inspect.ts';
import { judge } from '../../agent/inspect/judge.ts';
import type { LabelledSample } from '../../trainer/data/sample.ts';
import { scoreLabelled } from '../../trainer/evaluation/score-labelled.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { encode, noisyPixels, smoothPixels } from '../support/images.ts';

const progress = { signal: new AbortController().signal, onImage: () => {} };
const LIMITS = { pixels: 1e8, bytes: 1e8 };

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'evaluation-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Six good and four poor files of two kinds, one text, and one image that is no file. */
async function labelledSamples(folder: string): Promise<LabelledSample[]> {
  const samples: LabelledSample[] = [];
  const add = async (name: string, content: Uint8Array, label: 'good' | 'poor', kind: string) => {
    const file = path.join(folder, name);
    await writeFile(file, content);
    await utimes(file, 1_700_000_000, 1_700_000_000 + 3600 * ((samples.length * 7) % 12));
    samples.push({ name, path: file, label, kind, group: null, read: async () => content });
  };
  for (let i = 0; i < 6; i++)
    await add(`good-${i}.jpg`, await encode(smoothPixels(64, 200 + i), 64), 'good', 'good');
  for (let i = 0; i < 4; i++)
    await add(
      `poor-${i}.png`,
      await encode(noisyPixels(64, 300 + i), 64, 'png'),
      'poor',
      i < 2 ? 'noise' : 'snow',
    );
  await add('text.jpg', Buffer.from('no image'), 'poor', 'noise');
  return samples;
}

async function openInspector(t: TestContext, folder: string) {
  const bundlePath = (await makeTestBundle(folder)).path;
  const inspector = await loadInspector({ bundlePath, executionProvider: 'cpu', threads: 1, limits: LIMITS });
  t.after(() => inspector.close());
  return inspector;
}

test('labelled images are scored as the device scores them, in the order given, and measured', async (t) => {
  const folder = await temporary(t);
  const inspector = await openInspector(t, folder);
  const samples = await labelledSamples(folder);
  const content = await encode(noisyPixels(48, 400), 48, 'png');
  const record = { name: 'idx#1', path: null, label: 'poor', kind: 'snow', group: 'x' } as const;
  samples.push({ ...record, read: async () => content });
  let seen = 0;
  const { images, refused, orderedBy } = await scoreLabelled(inspector, samples, {
    ...progress,
    onImage: () => seen++,
  });
  assert.equal(seen, samples.length);
  assert.deepEqual(
    images.map(({ name }) => name),
    samples.filter(({ name }) => name !== 'text.jpg').map(({ name }) => name),
  );
  assert.deepEqual(
    refused.map(({ name, reason }) => [name, reason]),
    [['text.jpg', 'unsupported-format']],
  );
  assert.equal(orderedBy, 'name', 'the record has no time of its own');
  for (const image of images.slice(0, -1)) {
    const inspection = await inspector.inspect(image.path!);
    assert.equal(inspection.outcome, 'scored');
    assert.equal(image.score, (inspection as { score: number }).score);
    assert.equal(image.sha256, inspection.sha256);
    assert.equal(image.properties.thumbnail.length, 1024);
  }
  const { threshold, calibration } = inspector.bundle.manifest;
  for (const { score, verdict, p } of images) {
    const judged = judge(score, threshold, calibration.scores);
    assert.deepEqual([verdict, p], [judged.verdict, judged.p]);
  }
  assert.ok(images.at(-1)!.score > threshold.upper);
  const files = await scoreLabelled(inspector, samples.slice(0, 10), progress);
  assert.equal(files.orderedBy, 'modification');
  // Hours of modification: 0 7 2 9 4 11 6 1 8 3.
  assert.deepEqual(
    files.images.map(({ order }) => order),
    [0, 6, 2, 8, 4, 9, 5, 1, 7, 3],
  );
});

test('scoring ends when it is stopped', async (t) => {
  const folder = await temporary(t);
  const inspector = await openInspector(t, folder);
  const stop = new AbortController();
  let seen = 0;
  const scoring = scoreLabelled(inspector, await labelledSamples(folder), {
    signal: stop.signal,
    onImage: () => {
      seen++;
      stop.abort();
    },
  });
  await assert.rejects(scoring, { name: 'InterruptedError' });
  assert.ok(seen < 11);
});
