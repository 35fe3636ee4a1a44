import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import type { Recipe } from '../../config/recipe.ts';
import type { LoadedImage } from '../../trainer/data/load.ts';
import { ADVISED, describeSplit, type Side, splitImages } from '../../trainer/data/split.ts';
import { TrainerError } from '../../trainer/error.ts';
import { randomFor } from '../../trainer/random.ts';
import { loadRecipe } from '../../trainer/recipe.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Equal arguments stand for equal bytes, equal pictures, equal pixels. */
function image(
  name: string,
  bytes: string,
  picture = bytes,
  pixels = picture,
  group: string | null = null,
): LoadedImage {
  const keys = {
    sha256: sha256(`b${bytes}`),
    pictureSha256: sha256(`f${picture}`),
    pixelsSha256: sha256(`p${pixels}`),
  };
  // Noise of its own: no near copy of another picture.
  const uniform = randomFor(1, 'thumbnail', picture);
  const thumbnail = Uint8Array.from({ length: 1024 }, () => 256 * uniform());
  const sample = { name, path: name, group, read: async () => new Uint8Array() };
  const size = { width: 8, height: 8, pixels: new Uint8Array(192), plainPng: null };
  const stored = { grey: false, brightest: null };
  return { sample, name, ...keys, thumbnail, ...size, stored };
}

const distinct = (count: number) => Array.from({ length: count }, (_, i) => image(`${i}.png`, `${i}`));

const recipe = (alpha = 0.05): Pick<Recipe, 'split' | 'threshold'> => ({
  split: { validation: 0.1, calibration: 0.3, tuning: 0 },
  threshold: { rule: 'conformal', alpha },
});

test('the README advises as many images as the refusals do, and names the fewest that the default takes', async () => {
  const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, advised, fewest] = /in any subfolders\), ([^;]+);\s+from (\d+) on it works/.exec(text) ?? [];
  assert.equal(advised?.replaceAll('\n', ' '), ADVISED);
  assert.throws(() => splitImages(distinct(3), recipe(), 1), new RegExp(`a good model ${ADVISED}\\.`));
  const { split, threshold } = await loadRecipe('auto', []);
  const take = (count: number) => splitImages(distinct(count), { split, threshold }, 1);
  assert.equal(take(Number(fewest)).calibration.length, Number(fewest));
  assert.throws(() => take(Number(fewest) - 1), /give at least 19 good images/);
});

const SIDES: readonly Side[] = ['train', 'validation', 'calibration'];

test('property: every image is on one side or left out as a copy; no content is on two sides', () => {
  const random = randomFor(1, 'split test');
  for (let round = 0; round < 200; round++) {
    const count = 4 + Math.floor(random() * 120);
    const kinds = Math.max(4, Math.floor(count * (0.3 + random())));
    const any = (n: number) => `${Math.floor(random() * n)}`;
    // Copies of bytes, re-saved pictures, and pictures that only look alike at the input's size.
    const images = Array.from({ length: count }, (_, i) => {
      const pixels = any(kinds);
      const picture = `${pixels}/${any(2)}`;
      return image(`${i}.png`, `${picture}/${any(2)}`, picture, pixels);
    });
    let split: ReturnType<typeof splitImages>;
    try {
      split = splitImages(images, recipe(0.4), round);
    } catch (error) {
      assert.ok(error instanceof TrainerError);
      assert.ok(new Set(images.map((i) => i.pixelsSha256)).size < 4);
      continue;
    }
    const all = [...SIDES.flatMap((side) => split[side]), ...split.duplicates.map((d) => d.image)];
    assert.deepEqual(all.map((i) => i.name).sort(), images.map((i) => i.name).sort());
    for (const key of ['sha256', 'pictureSha256', 'pixelsSha256'] as const) {
      const used = SIDES.flatMap((side) => split[side].map((i) => i[key]));
      assert.equal(new Set(used).size, used.length, `${key} is used twice`);
    }
    for (const side of SIDES) assert.ok(split[side].length > 0, `${side} is empty`);
    for (const { copyOf } of split.duplicates) assert.ok(images.some((i) => i.name === copyOf));
    assert.ok(split.calibration.length <= all.length / 2 + 1);
  }
});

test('the split follows from content and seed, not from names or their order', () => {
  const images = distinct(60);
  const renamed = images.map((i, k) => ({ ...i, name: `renamed-${(k * 7) % 60}.png` })).reverse();
  const hashes = (side: Side, from: LoadedImage[], seed: number) =>
    splitImages(from, recipe(), seed)[side].map((i) => i.sha256);
  for (const side of SIDES) {
    assert.deepEqual(hashes(side, images, 5), hashes(side, renamed, 5));
    assert.notDeepEqual(hashes(side, images, 5), hashes(side, images, 6));
  }
});

test('the calibration side grows to what alpha needs, up to half of the images', () => {
  assert.equal(splitImages(distinct(100), recipe(), 1).calibration.length, 30);
  assert.equal(splitImages(distinct(40), recipe(), 1).calibration.length, 19);
  assert.equal(splitImages(distinct(38), recipe(), 1).calibration.length, 19);
});

test('an alpha that cannot be had is refused with the smallest one that can, and that one works', () => {
  let message = '';
  assert.throws(
    () => splitImages(distinct(37), recipe(), 1),
    (error: Error) => {
      message = error.message;
      return error instanceof TrainerError;
    },
  );
  const alpha = Number(/--set threshold\.alpha=([\d.]+)/.exec(message)?.[1]);
  assert.ok(alpha > 0.05 && alpha < 0.06, message);
  assert.equal(splitImages(distinct(37), recipe(alpha), 1).calibration.length, 18);
  assert.match(message, /at least 38 good images/);
});

test('too few distinct images are refused, and copies do not count', () => {
  const same = Array.from({ length: 50 }, (_, i) => image(`${i}.png`, 'same'));
  assert.throws(() => splitImages(same, recipe(), 1), /Only 1 distinct image .*49 more are copies/);
  assert.throws(() => splitImages(distinct(3), recipe(), 1), /Only 3 distinct images/);
});

test('without a promise to keep, four images are enough', () => {
  const rules = { ...recipe(), threshold: { rule: 'mean-std', k: 1 } } as const;
  const { train, validation, calibration } = splitImages(distinct(4), rules, 1);
  assert.deepEqual([train.length, validation.length, calibration.length], [2, 1, 1]);
});

test('property: a group is never on two sides, whatever its size, and every image is used once', () => {
  const random = randomFor(2, 'groups test');
  for (let round = 0; round < 200; round++) {
    const patients = 4 + Math.floor(random() * 40);
    const images = Array.from({ length: patients }, (_, patient) =>
      Array.from({ length: 1 + Math.floor(random() ** 3 * 12) }, (_, i) =>
        image(`${patient}-${i}.png`, `${patient}-${i}`, undefined, undefined, `p${patient}`),
      ),
    ).flat();
    let split: ReturnType<typeof splitImages>;
    try {
      split = splitImages(images, recipe(0.2), round);
    } catch (error) {
      assert.ok(error instanceof TrainerError);
      continue;
    }
    const all = SIDES.flatMap((side) => split[side].map((i) => i.name));
    assert.deepEqual(all.sort(), images.map((i) => i.name).sort());
    const sides = SIDES.map((side) => new Set(split[side].map((i) => i.sample.group)));
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const)
      assert.ok(sides[a]!.isDisjointFrom(sides[b]!));
    for (const side of SIDES) assert.ok(split[side].length > 0);
    assert.ok(split.calibration.length >= 4, 'alpha 0.2 needs 4 calibration images');
    assert.match(split.groups.description, new RegExp(`^${patients} groups, as given`));
    const described = describeSplit(split, round) as { images: { group: string }[] };
    assert.ok(described.images.every(({ group }) => /^p\d+$/.test(group)));
  }
});

test('near copies stay on one side, and are told', () => {
  const images = Array.from({ length: 60 }, (_, i) => {
    const original = image(`${i}.png`, `${i}`);
    if (i % 3 !== 0) return original;
    // Other contrast and brightness of the picture two places on.
    const { thumbnail } = image('', `${i + 2}`);
    return { ...original, thumbnail: thumbnail.map((v) => 30 + 0.7 * v) };
  });
  for (let seed = 0; seed < 10; seed++) {
    const split = splitImages(images, recipe(), seed);
    assert.equal(split.groups.count, 40);
    assert.match(split.groups.description, /40 groups: near copies among 60 images/);
    const sideOf = (name: string) => SIDES.find((side) => split[side].some((i) => i.name === name));
    for (let i = 0; i < 60; i += 3) assert.equal(sideOf(`${i}.png`), sideOf(`${i + 2}.png`));
    assert.ok(Math.abs(split.calibration.length - 19) <= 2, `${split.calibration.length} for calibration`);
  }
});

test('one group of all images is refused as such', () => {
  const one = Array.from({ length: 30 }, (_, i) => image(`${i}`, `${i}`, undefined, undefined, 'same'));
  assert.throws(() => splitImages(one, recipe(), 1), /The 30 images form only 1 group .*at least 4/);
});
