import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import sharp from 'sharp';
import { loadInspector } from '../../agent/inspect/inspect.ts';
import { judge } from '../../agent/inspect/judge.ts';
import { idxSamples } from '../../trainer/data/idx.ts';
import { loadSamples } from '../../trainer/data/load.ts';
import type { LabelledSample } from '../../trainer/data/sample.ts';
import { measureBaselines } from '../../trainer/evaluation/baselines.ts';
import { captureTime, parseCaptureTime } from '../../trainer/evaluation/capture-time.ts';
import { nearestDistances } from '../../trainer/evaluation/nearest.ts';
import { orderOf } from '../../trainer/evaluation/order.ts';
import { findReference, referenceOf } from '../../trainer/evaluation/reference.ts';
import { scoreLabelled } from '../../trainer/evaluation/score-labelled.ts';
import { summarize } from '../../trainer/evaluation/summarize.ts';
import type { Properties, ScoredImage } from '../../trainer/evaluation/types.ts';
import { randomFor } from '../../trainer/random.ts';
import { loadRecipe } from '../../trainer/recipe.ts';
import { auroc } from '../../trainer/statistics/auroc.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { encode, noisyPixels, smoothPixels } from '../support/images.ts';

const progress = { signal: new AbortController().signal, onImage: () => {} };
const LIMITS = { pixels: 1e8, bytes: 1e8 };

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'evaluation-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

function properties(change: Partial<Properties> = {}): Properties {
  return {
    bytes: 1000,
    width: 64,
    height: 64,
    channels: 3,
    format: 'jpeg',
    jpegQuality: 90,
    mean: 100,
    deviation: 20,
    sharpness: 1,
    border: 0,
    text: 0,
    thumbnail: new Uint8Array(1024).fill(100),
    ...change,
  };
}

function image(change: Partial<ScoredImage>): ScoredImage {
  return {
    name: 'a.jpg',
    path: null,
    group: null,
    sha256: '',
    pictureSha256: '',
    label: 'good',
    kind: 'good',
    score: 0,
    p: 1,
    verdict: 'pass',
    order: 0,
    properties: properties(),
    ...change,
  };
}

const options = { refused: [], orderedBy: 'name', reference: null, seed: 1 } as const;

test('rates, confusion, report and balanced accuracy follow from labels and verdicts', () => {
  const summary = summarize(
    [
      image({ score: 3 }),
      image({ score: 4, verdict: 'review' }),
      image({ label: 'poor', kind: 'blur', score: 5, verdict: 'review' }),
      image({ label: 'poor', kind: 'blur', score: 2 }),
      image({ label: 'poor', kind: 'dark', score: 6, verdict: 'review' }),
    ],
    options,
  );
  assert.deepEqual([summary.detection.hits, summary.detection.count], [2, 3]);
  assert.deepEqual([summary.falseAlarms.hits, summary.falseAlarms.count], [1, 2]);
  assert.deepEqual([summary.accuracy.hits, summary.accuracy.count], [3, 5]);
  assert.equal(summary.flagEverything, 0.6);
  assert.equal(summary.balancedAccuracy, (2 / 3 + 1 / 2) / 2);
  assert.equal(summary.auroc?.value, 4 / 6);
  assert.deepEqual(
    summary.report.map(({ label, precision, recall, support }) => [label, precision, recall, support]),
    [
      ['good', 1 / 2, 1 / 2, 2],
      ['poor', 2 / 3, 2 / 3, 3],
    ],
  );
  assert.deepEqual(
    summary.kinds.map(({ kind, count, detection, auroc }) => [kind, count, detection.hits, auroc?.value]),
    [
      ['blur', 2, 1, 0.5],
      ['dark', 1, 1, 1],
    ],
  );
  assert.deepEqual(
    summary.detectionAt.map(({ falseAlarms, value }) => [falseAlarms, value]),
    [0.01, 0.05, 0.1].map((share) => [share, 2 / 3]),
  );
  assert.ok(summary.images.every((i) => !('properties' in i)));
});

test('with one label alone there is no ranking, and the rates are there all the same', () => {
  const summary = summarize([image({ verdict: 'review' }), image({})], options);
  assert.deepEqual([summary.auroc, summary.auprc, summary.balancedAccuracy], [null, null, null]);
  assert.deepEqual([summary.detectionAt, summary.baselines, summary.kinds], [[], [], []]);
  assert.deepEqual([summary.falseAlarms.hits, summary.detection.count, summary.flagEverything], [1, 0, 0]);
});

test('trivial rules have fixed directions and are never flipped', () => {
  const rules = measureBaselines(
    [
      image({ properties: properties({ bytes: 3, mean: 10, sharpness: 2 }) }),
      image({ properties: properties({ bytes: 4, mean: 20, sharpness: 1 }) }),
      image({ label: 'poor', properties: properties({ bytes: 1, mean: 15, sharpness: 2 }) }),
      image({ label: 'poor', properties: properties({ bytes: 2, mean: 30, sharpness: 2 }) }),
    ],
    null,
    0,
  );
  assert.deepEqual(
    rules.map(({ name, auroc }) => [name, auroc]),
    [
      ['File size', 1],
      ['Mean grey', 0.25],
      ['Standard deviation of grey', 0.5],
      ['Central sharpness', 0.25],
      ['Distance of mean grey', null],
      ['Distance of standard deviation', null],
      ['Distance to the mean image', null],
      ['Nearest training image', null],
    ],
  );
});

test('rules that need training images equal their definitions', () => {
  const random = randomFor(1, 'thumbnails');
  const draw = (level: number) => Uint8Array.from({ length: 1024 }, () => level + random() * 60);
  const training = Array.from({ length: 12 }, () => draw(random() * 100));
  const images = Array.from({ length: 30 }, (_, i) =>
    image({
      label: i < 15 ? 'good' : 'poor',
      properties: properties({ thumbnail: draw(random() * 190) }),
    }),
  );
  const known = training.map((thumbnail) => image({ properties: properties({ thumbnail }) }));
  // Training and calibration images both are images that the model was made from.
  const reference = {
    train: known.slice(0, 8),
    calibration: known.slice(8).map((i) => ({ ...i, score: null })),
  };
  const average = (values: ArrayLike<number>) =>
    Array.from(values).reduce((s, v) => s + v, 0) / values.length;
  const deviation = (v: Uint8Array) => {
    const mean = average(v);
    return Math.sqrt(average(Array.from(v, (x) => (x - mean) ** 2)));
  };
  const [meanGrey, meanDeviation] = [average(training.map(average)), average(training.map(deviation))];
  const meanImage = Array.from({ length: 1024 }, (_, i) => average(training.map((pixels) => pixels[i]!)));
  const squared = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0);
  const expected = [
    (v: Uint8Array) => Math.abs(average(v) - meanGrey),
    (v: Uint8Array) => Math.abs(deviation(v) - meanDeviation),
    (v: Uint8Array) => squared(v, meanImage),
    (v: Uint8Array) => Math.min(...training.map((t) => squared(v, t))),
  ].map((rule) => {
    const of = (label: string) =>
      images.filter((i) => i.label === label).map((i) => rule(i.properties.thumbnail));
    return auroc(of('good'), of('poor'));
  });
  const measured = measureBaselines(images, reference, 0).slice(4);
  for (const [i, { auroc }] of measured.entries()) assert.ok(Math.abs(auroc! - expected[i]!) < 1e-12);
});

test('the search for the nearest picture finds what trying all finds', () => {
  const random = randomFor(2, 'nearest');
  const draw = () => Uint8Array.from({ length: 1024 }, (_, i) => (i % 7) * 9 * random() + 100 * random());
  const among = Array.from({ length: 60 }, draw);
  const pictures = [
    ...Array.from({ length: 40 }, draw),
    new Uint8Array(1024),
    new Uint8Array(1024).fill(255),
  ];
  pictures.push(among[17]!);
  const all = pictures.map((p) =>
    Math.min(...among.map((a) => p.reduce((sum, v, i) => sum + (v - a[i]!) ** 2, 0))),
  );
  assert.deepEqual(nearestDistances(pictures, among), all);
  assert.equal(all.at(-1), 0);
});

test('the nearest picture is found though others are nearer in their sum', () => {
  const random = randomFor(3, 'brighter');
  const picture = Uint8Array.from({ length: 1024 }, () => 100 + random() * 50);
  const brighter = picture.map((v) => v + 10); // its distance is just the bound that sums give
  const reordered = picture.toReversed(); // the same sum
  assert.deepEqual(nearestDistances([picture], [reordered, brighter]), [1024 * 100]);
  const short = [picture, reordered, brighter].map((pixels) => pixels.subarray(0, 21)); // no whole number of runs
  assert.deepEqual(nearestDistances([short[0]!], [short[2]!]), [21 * 100]);
});

test('the time of capture is read from EXIF, as cameras write it', async () => {
  const plain = await encode(smoothPixels(32, 1), 32);
  assert.equal(await captureTime(plain), null);
  const dated = (tags: Record<string, string>) =>
    sharp(plain)
      .withExif({ IFD0: { Make: 'Camera' }, IFD2: tags })
      .jpeg()
      .toBuffer();
  const time = '2024:03:09 14:05:07';
  const exact = Date.UTC(2024, 2, 9, 14, 5, 7);
  assert.equal(await captureTime(await dated({ DateTimeOriginal: time })), exact);
  assert.equal(
    await captureTime(await dated({ DateTimeOriginal: time, SubSecTimeOriginal: '25' })),
    exact + 250,
  );
  assert.equal(await captureTime(await dated({ DateTimeOriginal: '0000:00:00 00:00:00' })), null);
  assert.equal(await captureTime(await dated({ LensModel: 'none' })), null);
});

test('EXIF that is cut off anywhere gives no time, and no error', async () => {
  const jpeg = await sharp(smoothPixels(32, 1), { raw: { width: 32, height: 32, channels: 3 } })
    .withExif({ IFD2: { DateTimeOriginal: '2024:03:09 14:05:07' } })
    .jpeg()
    .toBuffer();
  const { exif } = await sharp(jpeg).metadata();
  assert.notEqual(parseCaptureTime(exif!), null);
  for (let length = 0; length < exif!.length - 1; length++) {
    const time = parseCaptureTime(exif!.subarray(0, length));
    assert.ok(time === null || Number.isFinite(time), `cut at ${length}`);
  }
  assert.equal(parseCaptureTime(new Uint8Array(100).fill(255)), null);
});

test('the order is that of capture if every file has a time, else of modification if that tells, else of names', () => {
  const hour = 3_600_000;
  const names = ['good/10.jpg', 'good/9.jpg', 'good/11.jpg'];
  const dated = (captured: (number | null)[], modified: (number | null)[]) =>
    names.map((name, i) => ({ name, captured: captured[i]!, modified: modified[i]! }));
  const unknown = [null, null, null];
  assert.deepEqual(orderOf(dated([30, 20, 10], [0, 0, 0])), { order: [2, 1, 0], orderedBy: 'capture' });
  assert.deepEqual(orderOf(dated([30, null, 10], [hour, 9 * hour, 0])), {
    order: [1, 2, 0],
    orderedBy: 'modification',
  });
  // Seconds apart: as a copy leaves them.
  assert.deepEqual(orderOf(dated(unknown, [1000, 3000, 2000])), { order: [1, 0, 2], orderedBy: 'name' });
  assert.deepEqual(orderOf(dated(unknown, [0, null, hour])), { order: [1, 0, 2], orderedBy: 'name' });
});

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

test('labelled images are scored as the device scores them, in the order given, and measured', async (t) => {
  const folder = await temporary(t);
  const bundle = await makeTestBundle(folder);
  const inspector = await loadInspector({
    bundlePath: bundle.path,
    executionProvider: 'cpu',
    threads: 1,
    limits: LIMITS,
  });
  t.after(() => inspector.close());
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
  const bundle = await makeTestBundle(folder);
  const inspector = await loadInspector({
    bundlePath: bundle.path,
    executionProvider: 'cpu',
    threads: 1,
    limits: LIMITS,
  });
  t.after(() => inspector.close());
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

test('a reference keeps sides, scores and digests, describes as a run folder is described, and leaves out what is no image any more', async () => {
  const files = new Map<string, Uint8Array>();
  const sample = async (name: string, content: Promise<Uint8Array>) => {
    files.set(name, await content);
    return { name, path: null, group: null, read: async () => files.get(name)! };
  };
  const first = encode(smoothPixels(64, 1), 64, 'png');
  const samples = [
    await sample('a', first),
    await sample('gone', encode(smoothPixels(64, 3), 64, 'png')),
    await sample('b', encode(smoothPixels(64, 2), 64, 'png')),
    await sample(
      'c',
      sharp(await first)
        .png({ compressionLevel: 0 })
        .toBuffer(),
    ),
  ];
  const loaded = await loadSamples(samples, (await loadRecipe('fundus', [])).input, progress);
  const [a, gone, b, c] = loaded.images;
  files.set('gone', Buffer.from('no'));
  const calibration = [gone!, b!, c!].map((image, i) => ({ ...image, score: i + 1 }));
  const reference = await referenceOf({ train: [a!, gone!], calibration }, undefined, progress);
  assert.deepEqual(
    reference.train.map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual(
    reference.calibration.map(({ name, score }) => [name, score]),
    [
      ['b', 2],
      ['c', 3],
    ],
  );
  assert.notEqual(reference.train[0]!.sha256, reference.calibration[1]!.sha256);
  assert.equal(
    reference.train[0]!.pictureSha256,
    reference.calibration[1]!.pictureSha256,
    'saved again without loss',
  );
  const folder = await findReference(
    [samples[0]!, samples[2]!, samples[3]!],
    { run: null, mask: undefined },
    progress,
  );
  assert.deepEqual(
    [...reference.train, ...reference.calibration.map(({ score, ...image }) => image)],
    folder.reference!.train,
  );
  files.set('a', files.get('b')!);
  const again = await referenceOf({ train: [a!], calibration: [] }, undefined, progress);
  assert.equal(again.train[0]!.pictureSha256, a!.pictureSha256, 'the picture that the model was made from');
});

test('a digit that is at hand as it is stored is described from memory as from its file', async (t) => {
  const file = path.join(await temporary(t), 'train-images-idx3-ubyte');
  const [count, side] = [6, 28];
  const head = Buffer.alloc(16);
  for (const [i, v] of [0x803, count, side, side].entries()) head.writeUInt32BE(v, 4 * i);
  const random = randomFor(1, 'digits');
  const blob = (x: number, y: number) => Math.max(0, 255 - 30 * Math.hypot(x - 28 * random(), y - 14));
  const digits = Uint8Array.from({ length: count * side * side }, (_, i) =>
    blob(i % side, Math.floor(i / side) % side),
  );
  await writeFile(file, Buffer.concat([head, digits]));
  const samples = await idxSamples(file);
  const { images } = await loadSamples(samples, (await loadRecipe('mnist', [])).input, progress);
  assert.ok(images.every(({ plainPng }) => plainPng !== null));
  const unreadable = images.map((image) => ({ ...image, sample: { ...image.sample, read: assert.fail } }));
  const memory = await referenceOf({ train: unreadable, calibration: [] }, undefined, progress);
  const files = await findReference(samples, { run: null, mask: undefined }, progress);
  assert.deepEqual(memory.train, files.reference!.train);
  const { images: changed } = await loadSamples(samples, (await loadRecipe('malaria', [])).input, progress);
  assert.ok(changed.every(({ plainPng }) => plainPng === null));
});
