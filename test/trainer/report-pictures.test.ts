import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { type Inspector, loadInspector } from '../../agent/inspect/inspect.ts';
import { judge } from '../../agent/inspect/judge.ts';
import { EXECUTION } from '../../trainer/calibrate.ts';
import { LIMITS } from '../../trainer/data/load.ts';
import type { EvaluationMetrics } from '../../trainer/metrics.ts';
import { takePictures } from '../../trainer/report/pictures.ts';
import { renderReport } from '../../trainer/report/report.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { encode, noisyPixels, random, smoothPixels } from '../support/images.ts';
import { fundus as recipe } from './report-shapes.ts';
import { evaluationMetrics, fitMetrics, scores } from './reportMetrics.ts';

/** Noise, which compresses worst, as pixels, reconstruction and map of every image; the content of one is its score. */
function noiseInspector(metrics: EvaluationMetrics, side: number): Inspector {
  const uniform = random(1);
  const pixels = () => Uint8Array.from({ length: side * side * 3 }, () => uniform() * 256);
  const manifest = {
    preprocessing: { width: side, height: side, channels: 3 },
    threshold: metrics.calibration.threshold,
    calibration: { scores: metrics.calibration.images.map(({ score }) => score), mapAlarm: 1 },
  };
  const inspectWithMap = async (source: string | Uint8Array) => ({
    inspection: { outcome: 'scored', score: Number(Buffer.from(source as Uint8Array).toString()) },
    scores: {
      map: Float32Array.from({ length: side * side }, uniform),
      ...{ mapWidth: side, mapHeight: side, reconstruction: pixels() },
    },
    pixels: pixels(),
  });
  return { bundle: { manifest }, inspectWithMap } as unknown as Inspector;
}

/** Of a bundle with voices and statistics. */
async function openMeasuring(t: TestContext): Promise<Inspector> {
  const folder = await mkdtemp(path.join(tmpdir(), 'pictures-'));
  t.after(() => rm(folder, { recursive: true }));
  const bundle = await makeTestBundle(folder, { measures: true });
  const inspector = await loadInspector({ bundlePath: bundle.path, limits: LIMITS, ...EXECUTION });
  t.after(() => inspector.close());
  return inspector;
}

for (const side of [64, 256])
  test(`the page stays below 3 MB with every picture it may hold, each noise of ${side} pixels`, async () => {
    const kinds = Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [`kind-${i}`, scores(30, 0.02, 0.3, 20 + i)]),
    );
    const metrics = fitMetrics({
      recipe,
      good: scores(300, 0.01, 0.3, 1),
      kinds,
      labelled: true,
      warnings: 8,
    });
    const images = [...metrics.calibration.images, ...metrics.evaluation!.images];
    const contents = new Map(
      images.map(({ name, score }) => [name, async () => Buffer.from(String(score))] as const),
    );
    const groups = await takePictures(noiseInspector(metrics, side), metrics, contents);
    assert.equal(groups.flatMap(({ pictures }) => pictures).length, 3 + 10 + 10 + 8 * 3);
    const bytes = Buffer.byteLength(renderReport(metrics, groups));
    assert.ok(bytes < 3e6, `${bytes} bytes`);
  });

test('pictures show the evidence of the bundle, at most two sentences; an image that changed is left out', async (t) => {
  const inspector = await openMeasuring(t);
  const { threshold, calibration } = inspector.bundle.manifest;
  const base = evaluationMetrics({ recipe, good: [1], kinds: { noise: [1, 1] } });
  const contents = await Promise.all(
    [smoothPixels(32, 3), noisyPixels(32, 4), noisyPixels(32, 5)].map((pixels) => encode(pixels, 32, 'png')),
  );
  const evaluated = await Promise.all(
    base.evaluation!.images.map(async (image, i) => {
      const inspection = await inspector.inspectBytes(contents[i]!);
      assert.ok(inspection.outcome === 'scored');
      const score = i === 2 ? 2 * inspection.score : inspection.score;
      return { ...image, name: `${i}.png`, score, ...judge(score, threshold, calibration.scores) };
    }),
  );
  const metrics = { ...base, evaluation: { ...base.evaluation!, images: evaluated } };
  const readers = new Map(contents.map((content, i) => [`${i}.png`, async () => content] as const));
  const pictures = (await takePictures(inspector, metrics, readers)).flatMap((group) => group.pictures);
  assert.deepEqual(
    pictures.map(({ name, verdict, reconstruction }) => [name, verdict, reconstruction !== null]),
    [
      ['0.png', 'pass', true],
      ['1.png', 'review', true],
    ],
  );
  const { inspection } = await inspector.inspectWithMap(contents[1]!);
  assert.ok(inspection.outcome === 'scored' && inspection.evidence!.length > 0);
  const said = inspection.evidence!.slice(0, 2).map(({ sentence }) => sentence);
  assert.deepEqual(pictures[1]!.evidence, said);
  assert.match(renderReport(metrics, [{ title: 'Worst', pictures }]), /<small>.*unlike the good ones/);
});

test('calibration images of voices are shown, though a model that had not seen them scored them', async (t) => {
  const inspector = await openMeasuring(t);
  const content = await encode(smoothPixels(32, 3), 32, 'png');
  const inspection = await inspector.inspectBytes(content);
  assert.ok(inspection.outcome === 'scored');
  const image = { name: '0.png', score: 2 * inspection.score, voices: [1] };
  const readers = new Map([[image.name, async () => content]]);
  const shown = (images: readonly Omit<typeof image, 'voices'>[]) => {
    const base = evaluationMetrics({ recipe, good: [1], kinds: {} });
    const metrics = { ...base, calibration: { ...base.calibration, images } };
    return takePictures(inspector, metrics, readers);
  };
  const [group] = await shown([image]);
  assert.match(group!.note!, /models that had not seen them/);
  assert.deepEqual(
    group!.pictures.map(({ score }) => score),
    [inspection.score],
  );
  const { voices: _, ...without } = image;
  assert.deepEqual(await shown([without]), [], 'an image that changed');
});
