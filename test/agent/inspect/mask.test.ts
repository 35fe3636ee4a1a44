import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { decode } from '../../../agent/inspect/decode.ts';
import { blank, regionAsText } from '../../../agent/inspect/mask.ts';
import type { Region } from '../../../config/preprocessing.ts';
import { parseMask } from '../../../trainer/mask-option.ts';
import { writeDicom } from '../../support/dicom.ts';
import { greyPng, limits, sequence, spec } from './preprocessingFixture.ts';

const percent = (left: number, top: number, width: number, height: number): Region => ({
  ...{ unit: 'percent', left, top, width, height },
});
const pixels = (left: number, top: number, width: number, height: number): Region => ({
  ...{ unit: 'pixels', left, top, width, height },
});
/** Never black. */
const data = Uint8Array.from({ length: 32 * 16 }, (_, i) => 50 + ((i * 7) % 200));
const size = { width: 32, height: 16 } as const;

test('what a region touches is black, all else is as it was', async () => {
  const file = await greyPng(data, 32, 16);
  const decoded = async (mask?: Region[]) =>
    (await decode(file, spec({ ...size, ...(mask && { mask }) }), limits)).pixels;
  const plain = await decoded();
  for (const mask of [
    [percent(0, 75, 25, 25)],
    [pixels(0, 12, 8, 4)],
    [pixels(0, 12, 4, 9), pixels(4, 12, 4, 4)],
  ]) {
    const expected = plain.map((value, i) => (i % 32 < 8 && i >= 12 * 32 ? 0 : value));
    assert.deepEqual(await decoded(mask), expected, JSON.stringify(mask));
  }
  assert.deepEqual(
    await decoded([percent(99, 99, 50, 50)]),
    plain.map((v, i) => (i === plain.length - 1 ? 0 : v)),
  );
  assert.deepEqual(await decoded([pixels(32, 0, 5, 5), pixels(500, 500, 5, 5)]), plain, 'beyond the image');
});

test('regions are those of the upright picture, of every page and kind of pixel, and come before the crop', async () => {
  const mask = [percent(50, 0, 50, 100)];
  const dark = (found: Uint8Array) => found.every((v, i) => (i % 32 >= 16 ? v === 0 : v > 0));
  const upright = await greyPng(data, 32, 16);
  const turned = await sharp(upright).rotate(180).withMetadata({ orientation: 3 }).png().toBuffer();
  const deep = await sharp(
    Uint16Array.from(data, (v) => v * 257),
    { raw: { ...size, channels: 1 } },
  )
    .toColourspace('grey16')
    .tiff()
    .toBuffer();
  const dicom = writeDicom({ pixels: data, width: 32, height: 16 });
  for (const file of [upright, turned, deep, dicom])
    assert.ok(dark((await decode(file, spec({ ...size, mask }), limits)).pixels));
  const moving = await decode(
    await sequence([100, 150, 200], 'gif'),
    spec({ width: 8, height: 8, frames: 3, mask: [pixels(0, 0, 8, 4)] }),
    limits,
  );
  assert.deepEqual(
    [0, 32, 64, 96, 128, 160].map((i) => moving.pixels[i]! > 0),
    [false, true, false, true, false, true],
  );
  // Without the left half, what is bright is the upper right: the crop finds just that.
  const halves = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 64 < 32 || i < 32 * 64 ? 200 : 2));
  const cropped = await decode(
    await greyPng(halves, 64, 64),
    spec({ crop: 'foreground', mask: [percent(0, 0, 50, 100)] }),
    limits,
  );
  assert.ok(cropped.pixels.every((value) => value > 150));
});

test('a picture reduced to half has the half of a region in pixels', () => {
  const half = new Uint8Array(8 * 8).fill(9);
  blank(half, { width: 8, height: 8, channels: 1 }, [pixels(4, 0, 4, 16)], { width: 16, height: 16 });
  assert.deepEqual([...half.subarray(0, 8)], [9, 9, 0, 0, 9, 9, 9, 9]);
});

test('--mask takes pixels or per cent, never both, and what it takes is told in the same words', () => {
  for (const text of ['0,12,8,4', '0%,92.5%,40%,8%']) assert.equal(regionAsText(parseMask(text)), text);
  assert.deepEqual(parseMask('0, 92%, 40%, 8%'), percent(0, 92, 40, 8));
  for (const text of [
    '0,92%,40,8%',
    '1,2,3',
    '1,2,3,4,5',
    '0,0,0,5',
    '-1,0,5,5',
    '0,0,101%,5%',
    'a,b,c,d',
    '',
  ])
    assert.throws(() => parseMask(text), /--mask .*Expected left,top,width,height/, text);
});
