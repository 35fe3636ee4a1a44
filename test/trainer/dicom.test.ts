import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { loadSamples } from '../../trainer/data/load.ts';
import { captureTime } from '../../trainer/evaluation/capture-time.ts';
import { measureProperties } from '../../trainer/evaluation/properties.ts';
import { type Element, words, writeDicom } from '../support/dicom.ts';

const SIDE = 48;
const grey = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i * 7) % 256);
/** Shown, its 12 bits inverted are just `grey`. */
const dicom = writeDicom({
  ...{ width: SIDE, height: SIDE, allocated: 16, stored: 12, photometric: 'MONOCHROME1' },
  pixels: words(Array.from(grey, (v) => 1000 + 2 * (255 - v))),
  elements: [
    [0x00080022, 'DA', '20200101'],
    [0x00281050, 'DS', '1255.5'],
    [0x00281051, 'DS', '511'],
  ] satisfies Element[],
});
const png = () =>
  sharp(grey, { raw: { width: SIDE, height: SIDE, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();

test('a DICOM file is read as the picture that it shows, whatever its name', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'trainer-dicom-'));
  t.after(() => rm(folder, { recursive: true }));
  const files = { 'a.dcm': dicom, 'b.png': await png(), c: dicom, 'd.dcm': dicom.subarray(0, -9) };
  for (const [name, bytes] of Object.entries(files)) await writeFile(path.join(folder, name), bytes);
  const samples = Object.entries(files).map(([name, bytes]) => {
    return { name, path: path.join(folder, name), group: null, read: async () => bytes };
  });
  for (const side of [SIDE, 32])
    for (const channels of [1, 3] as const) {
      const spec = { width: side, height: side, channels, frames: 1, crop: 'none', fit: 'fill' } as const;
      const { images, refused } = await loadSamples(
        samples,
        { ...spec, kernel: 'linear' },
        { signal: new AbortController().signal, onImage: () => {} },
      );
      const [a, b, c] = images;
      assert.deepEqual(a!.pixels, b!.pixels);
      assert.equal(a!.pictureSha256, b!.pictureSha256, 'the same picture is the same picture');
      assert.deepEqual(a!.thumbnail, b!.thumbnail);
      assert.deepEqual([a!.stored.grey, a!.plainPng, c!.sha256], [true, null, a!.sha256]);
      assert.deepEqual(
        refused.map((r) => [r.name, r.reason]),
        [['d.dcm', 'truncated']],
      );
    }
});

test('what an evaluation measures of a DICOM file is what it shows; its dates are not read', async () => {
  const { format, bytes, ...shown } = await measureProperties(dicom);
  const { format: png8, bytes: _, ...expected } = await measureProperties(await png());
  assert.deepEqual([format, bytes, png8], ['dicom', dicom.length, 'png']);
  assert.deepEqual(shown, expected);
  assert.equal(await captureTime(dicom), null);
});
