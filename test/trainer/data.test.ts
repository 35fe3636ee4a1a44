import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import sharp from 'sharp';
import { findFiles, findTestFolders } from '../../trainer/data/find.ts';
import { loadImages } from '../../trainer/data/load.ts';
import { InterruptedError } from '../../trainer/error.ts';
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

test('test images within the folder are found, and are no training images', async (t) => {
  const folder = await temporary(t);
  await mkdir(path.join(folder, 'test/good'), { recursive: true });
  await writeFile(path.join(folder, 'test/good/t.png'), '');
  await writeFile(path.join(folder, 'g.png'), '');
  const test = await findTestFolders(folder, undefined);
  assert.equal(test?.good, path.join(folder, 'test/good'));
  assert.equal(test?.poor, null);
  assert.deepEqual(
    (await findFiles(folder, [test!.folder])).map((f) => f.name),
    ['g.png'],
  );
});

test('a test folder without good and poor is refused; a folder named test without them is training data', async (t) => {
  const folder = await temporary(t);
  await mkdir(path.join(folder, 'test'));
  assert.equal(await findTestFolders(folder, undefined), null);
  await assert.rejects(findTestFolders(folder, path.join(folder, 'test')), /neither a folder "good" nor/);
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
  const { images, refused } = await loadImages(await findFiles(folder), SPEC, {
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
  const { images } = await loadImages(await findFiles(folder), SPEC, quiet);
  const [a, b, c] = images;
  assert.notEqual(a!.sha256, b!.sha256);
  assert.equal(a!.pictureSha256, b!.pictureSha256);
  assert.notEqual(a!.pictureSha256, c!.pictureSha256);
});

test('reading stops when interrupted', async (t) => {
  const folder = await temporary(t);
  await writeFile(path.join(folder, 'a.jpg'), await encode(smoothPixels(64, 1), 64));
  await assert.rejects(
    loadImages(await findFiles(folder), SPEC, { signal: AbortSignal.abort(), onImage: () => {} }),
    InterruptedError,
  );
});
