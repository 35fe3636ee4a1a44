/** Warnings on the real data sets that have the flaws, and on those that have none. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { measureProperties } from '../../trainer/evaluation/properties.ts';
import type { ReferenceImage, ScoredImage } from '../../trainer/evaluation/types.ts';
import { findWarnings } from '../../trainer/evaluation/warnings/find.ts';
import { inputOf, type Scene } from './warnings-input.ts';

const DATA = new URL('../../../shared/data/', import.meta.url);
const skip = existsSync(DATA) ? false : 'the data sets are not at hand (../shared/data)';

type File = readonly [name: string, bytes: Buffer];

async function filesOf(folder: string, most: number): Promise<File[]> {
  const names = (await readdir(new URL(folder, DATA))).sort().slice(0, most);
  return Promise.all(
    names.map(async (name) => [name, await readFile(new URL(folder + name, DATA))] as const),
  );
}

async function measured([name, bytes]: File): Promise<ReferenceImage> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, group: null, sha256, pictureSha256: sha256, properties: await measureProperties(bytes) };
}

/** Scored by blur: poor is what is less sharp. The last fifth of the training images calibrates. */
async function sceneOf(train: readonly File[], good: readonly File[], poor: readonly File[]): Promise<Scene> {
  const known = await Promise.all(train.map(measured));
  const score = (image: ReferenceImage) => -image.properties.sharpness;
  const scored = async (label: 'good' | 'poor', file: File, order: number): Promise<ScoredImage> => {
    const image = await measured(file);
    return { ...image, path: null, label, kind: label, score: score(image), p: 1, verdict: 'pass', order };
  };
  const split = Math.floor(known.length * 0.8);
  return {
    seed: 1,
    alpha: 0.05,
    train: known.slice(0, split),
    calibration: known.slice(split).map((image) => ({ ...image, score: score(image) })),
    images: await Promise.all([
      ...good.map((file, i) => scored('good', file, i)),
      ...poor.map((file, i) => scored('poor', file, good.length + i)),
    ]),
  };
}

async function domain(name: string, most: { train: number; good: number; poor: number }) {
  const [train, good, poor] = await Promise.all([
    filesOf(`${name}/train_good/`, most.train),
    filesOf(`${name}/test_good/`, most.good),
    filesOf(`${name}/test_anomalous/`, most.poor),
  ]);
  return { train, good, poor };
}

const codesOf = (scene: Scene) => findWarnings(inputOf(scene)).map(({ code }) => code);
const ABOUT_DATA = /^(shortcut|shared|contradictory|stray)/;

test('chest X-rays that kept their proportions: the size gives the class away', { skip }, async () => {
  const { train, good, poor } = await domain('chest-xray-512', { train: 60, good: 40, poor: 40 });
  const codes = codesOf(await sceneOf(train, good, poor));
  assert.ok(codes.includes('shortcut-size') && codes.includes('shortcut-aspect'), codes.join());
  assert.ok(!codes.some((code) => /^(shared|contradictory)/.test(code)), codes.join());
});

test('brain MRI: the channel count gives the class away', { skip }, async () => {
  const { train, good, poor } = await domain('brain-mri', { train: 100, good: 80, poor: 390 });
  const warnings = findWarnings(inputOf(await sceneOf(train, good, poor)));
  const shortcuts = warnings.filter(({ code }) => code.startsWith('shortcut'));
  assert.deepEqual(
    shortcuts.map(({ code }) => code),
    ['shortcut-channels'],
  );
});

test('chest X-rays: good test images are shifted, and no property gives the class away', {
  skip,
}, async () => {
  const { train, good, poor } = await domain('chest-xray', { train: 300, good: 143, poor: 80 });
  const codes = codesOf(await sceneOf(train, good, poor));
  assert.ok(codes.includes('shifted-captures'), codes.join());
  assert.ok(!codes.some((code) => ABOUT_DATA.test(code)), codes.join());
});

test('fundus photographs: silent about the data as it is; a leak and near copies are found', {
  skip,
}, async () => {
  const { train, good, poor } = await domain('fundus', { train: 75, good: 30, poor: 54 });
  const clean = await sceneOf(train, good, poor);
  assert.deepEqual(
    codesOf(clean).filter((code) => ABOUT_DATA.test(code) || code === 'shifted-captures'),
    [],
  );
  const again = async (at: number, change: (image: Sharp) => Sharp): Promise<File> => {
    const [name, bytes] = train[at]!;
    return [`again-${name}`, await change(sharp(bytes)).jpeg({ quality: 60 }).toBuffer()];
  };
  const copies = await Promise.all([
    again(3, (image) => image),
    again(9, (image) => image.extract({ left: 15, top: 12, width: 720, height: 545 })),
    again(21, (image) => image.linear(1.15, 8)),
  ]);
  const planted = await sceneOf(train, [...good, train[1]!, ...copies], poor);
  const found = findWarnings(inputOf(planted)).find(({ code }) => code === 'shared-images');
  assert.deepEqual([found?.figures.sameBytes, found?.figures.nearCopies], [1, 3]);
});

test('handwritten digits against clothes: silent about shortcuts, copies and labels', { skip }, async () => {
  const read = async (file: string, count: number): Promise<File[]> => {
    const idx = gunzipSync(await readFile(new URL(file, DATA)));
    return Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const pixels = idx.subarray(16 + 784 * i, 16 + 784 * (i + 1));
        const image = sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } });
        return [`${file}-${i}`, await image.toColourspace('b-w').png().toBuffer()] as const;
      }),
    );
  };
  const scene = await sceneOf(
    await read('mnist/train-images-part1-idx3-ubyte.gz', 600),
    await read('mnist/t10k-images-idx3-ubyte.gz', 200),
    await read('fashion-mnist/images-idx3-ubyte.gz', 150),
  );
  const codes = codesOf(scene);
  assert.ok(!codes.some((code) => ABOUT_DATA.test(code)), codes.join());
});
