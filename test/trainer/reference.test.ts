/** What is known of the images that a model was made from. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import sharp from 'sharp';
import { idxSamples } from '../../trainer/data/idx.ts';
import { loadSamples } from '../../trainer/data/load.ts';
import { findReference, referenceOf } from '../../trainer/evaluation/reference.ts';
import { randomFor } from '../../trainer/random.ts';
import { loadRecipe } from '../../trainer/recipe.ts';
import { encode, smoothPixels } from '../support/images.ts';

const progress = { signal: new AbortController().signal, onImage: () => {} };
const _LIMITS = { pixels: 1e8, bytes: 1e8 };

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'evaluation-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

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
