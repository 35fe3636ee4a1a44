import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import sharp from 'sharp';
import { findFiles, samplesIn } from '../../trainer/data/find.ts';
import { loadSamples, requireImages } from '../../trainer/data/load.ts';
import { decodePicture, digestOfPicture } from '../../trainer/data/picture.ts';
import type { Sample } from '../../trainer/data/sample.ts';
import { describeSizes } from '../../trainer/data/stored.ts';
import { InterruptedError, TrainerError } from '../../trainer/error.ts';
import { encode, smoothPixels } from '../support/images.ts';
import { temporary } from './launcher.ts';

const SPEC = {
  width: 32,
  height: 32,
  channels: 3,
  frames: 1,
  crop: 'none',
  fit: 'fill',
  kernel: 'lanczos3',
} as const;
const quiet = { signal: new AbortController().signal, onImage: () => {} };

test('files are found in folders and through links, in order, without hidden ones and circles', async (t) => {
  const folder = await temporary(t);
  await mkdir(path.join(folder, 'b/.hidden'), { recursive: true });
  for (const name of ['z.png', 'a.png', 'b/c.png', '.DS_Store', 'b/.hidden/d.png'])
    await writeFile(path.join(folder, name), name);
  await symlink(folder, path.join(folder, 'b/circle'));
  await symlink(path.join(folder, 'z.png'), path.join(folder, 'link.png'));
  assert.deepEqual(
    (await findFiles(folder)).map((f) => f.name),
    ['a.png', 'b/c.png', 'link.png', 'z.png'],
  );
});

test('what is no image is refused with its reason, the others go on', async (t) => {
  const folder = await temporary(t);
  const good = await encode(smoothPixels(64, 1), 64, 'jpeg');
  await writeFile(path.join(folder, '1.jpg'), good);
  await writeFile(path.join(folder, '2-text.jpg'), 'no image');
  await writeFile(path.join(folder, '3-empty.png'), '');
  await writeFile(path.join(folder, '4-cut.jpg'), good.subarray(0, good.length / 2));
  await symlink(path.join(folder, 'nowhere'), path.join(folder, '5-dangling.jpg'));
  const seen: number[] = [];
  const { images, refused } = await loadSamples(await samplesIn(folder), SPEC, {
    ...quiet,
    onImage: () => seen.push(1),
  });
  assert.deepEqual(
    images.map((i) => [i.name, i.width, i.pixels.length]),
    [['1.jpg', 64, 32 * 32 * 3]],
  );
  assert.deepEqual(
    refused.map((r) => [r.name, r.reason]),
    [
      ['2-text.jpg', 'unsupported-format'],
      ['3-empty.png', 'empty'],
      ['4-cut.jpg', 'truncated'],
      ['5-dangling.jpg', 'unreadable'],
    ],
  );
  assert.equal(seen.length, 5);
});

test('a lossless copy in another format has the same picture, though not the same bytes', async (t) => {
  const folder = await temporary(t);
  const jpeg = await encode(smoothPixels(640, 2), 640, 'jpeg');
  await writeFile(path.join(folder, 'a.jpg'), jpeg);
  await writeFile(path.join(folder, 'b.png'), await sharp(jpeg).png().toBuffer());
  await writeFile(path.join(folder, 'c.jpg'), await encode(smoothPixels(640, 3), 640, 'jpeg'));
  const { images } = await loadSamples(await samplesIn(folder), SPEC, quiet);
  const [a, b, c] = images;
  assert.notEqual(a!.sha256, b!.sha256);
  assert.equal(a!.pictureSha256, b!.pictureSha256);
  assert.notEqual(a!.pictureSha256, c!.pictureSha256);
});

test('reading stops when interrupted', async (t) => {
  const folder = await temporary(t);
  await writeFile(path.join(folder, 'a.jpg'), await encode(smoothPixels(64, 1), 64));
  await assert.rejects(
    loadSamples(await samplesIn(folder), SPEC, { signal: AbortSignal.abort(), onImage: () => {} }),
    InterruptedError,
  );
});

test('the digest of the picture is the same, whether or not a second decoding could be saved', async () => {
  const grey = Uint8Array.from({ length: 32 * 32 }, (_, i) => i % 251);
  const raw = (data: Uint8Array, channels: 1 | 3) =>
    sharp(data, { raw: { width: 32, height: 32, channels } });
  const files = [
    await raw(grey, 1).toColourspace('b-w').png().toBuffer(),
    await raw(grey, 1).toColourspace('b-w').jpeg().toBuffer(),
    await raw(smoothPixels(32, 1), 3).png().toBuffer(),
    await raw(smoothPixels(32, 1), 3).ensureAlpha(0.5).png().toBuffer(),
    await raw(smoothPixels(32, 1), 3).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    await raw(smoothPixels(32, 1), 3).toColourspace('rgb16').png().toBuffer(),
    await raw(smoothPixels(32, 1), 3).toColourspace('cmyk').jpeg().toBuffer(),
  ];
  const samples = files.map(
    (file, i): Sample => ({ name: `${i}`, path: null, group: null, read: async () => file }),
  );
  for (const channels of [1, 3] as const) {
    const { images } = await loadSamples(samples, { ...SPEC, channels }, quiet);
    for (const [i, { pictureSha256, thumbnail }] of images.entries()) {
      assert.equal(
        pictureSha256,
        digestOfPicture(await decodePicture(files[i]!)),
        `file ${i}, ${channels} channels`,
      );
      assert.equal(thumbnail.length, 1024);
    }
    assert.equal(images.length, files.length);
  }
});

test('an empty folder and a folder of text are refused with what to do; mixed sizes are told', async (t) => {
  const folder = await temporary(t);
  const load = async () => loadSamples(await samplesIn(folder), SPEC, quiet);
  assert.throws(
    () => requireImages(folder, { images: [], refused: [] }),
    /found no file\. Give a folder of JPEG/,
  );
  for (const name of ['a.txt', 'b.txt']) await writeFile(path.join(folder, name), 'Some text.');
  const text = await load();
  assert.throws(
    () => requireImages(folder, text),
    (error: Error) => {
      assert.ok(error instanceof TrainerError);
      assert.match(
        error.message,
        /found 2 files, none of them a usable image \(a\.txt: The content is none of jpeg/,
      );
      return true;
    },
  );
  await writeFile(path.join(folder, '1.png'), await encode(smoothPixels(40, 1), 40, 'png'));
  await writeFile(path.join(folder, '2.png'), await encode(smoothPixels(64, 2), 64, 'png'));
  const { images } = await load();
  assert.equal(images.length, 2);
  assert.match(
    describeSizes(images, SPEC),
    /^2 different sizes, 40 x 40 to 64 x 64 pixels; each is brought to 32 x 32/,
  );
  assert.equal(describeSizes(images.slice(0, 1), SPEC), 'All images have 40 x 40 pixels.');
});

test('a picture that is turned by its EXIF orientation is hashed upright', async () => {
  const stored = await sharp(smoothPixels(32, 1).subarray(0, 32 * 24 * 3), {
    raw: { width: 32, height: 24, channels: 3 },
  })
    .withMetadata({ orientation: 6 })
    .png()
    .toBuffer();
  const sample = { name: 'turned', path: null, group: null, read: async () => stored };
  const { images } = await loadSamples([sample], { ...SPEC, height: 24 }, quiet);
  assert.equal(images[0]!.pictureSha256, digestOfPicture(await decodePicture(stored)));
});
