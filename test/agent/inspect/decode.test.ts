import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { decode } from '../../../agent/inspect/decode.ts';
import { type Inspector, loadInspector } from '../../../agent/inspect/inspect.ts';
import type { Preprocessing } from '../../../config/preprocessing.ts';
import { makeTestBundle } from '../../support/bundle.ts';
import { encode, noisyPixels, smoothPixels } from '../../support/images.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-decode-'));
const spec: Preprocessing = {
  width: 16,
  height: 16,
  channels: 3,
  frames: 1,
  crop: 'none',
  fit: 'fill',
  kernel: 'lanczos3',
};
const limits = { pixels: 1e6, bytes: 1e6 };
let inspector: Inspector;
before(async () => {
  const { path: bundlePath } = await makeTestBundle(folder);
  inspector = await loadInspector({ bundlePath, executionProvider: 'cpu', threads: 1, limits });
});
after(() => inspector.close());

const mean = (pixels: Uint8Array) => pixels.reduce((sum, v) => sum + v, 0) / pixels.length;

test('formats are told by content: the same picture in four formats gives nearly the same pixels', async () => {
  const source = smoothPixels(64, 1);
  const reference = (await decode(await encode(source, 64, 'png'), spec, limits)).pixels;
  for (const format of ['jpeg', 'tiff', 'webp'] as const) {
    const { pixels, ...rest } = await decode(await encode(source, 64, format), spec, limits);
    assert.deepEqual(rest, { width: 64, height: 64, format });
    const difference = pixels.reduce((sum, v, i) => sum + Math.abs(v - reference[i]!), 0) / pixels.length;
    assert.ok(difference < 3, `${format}: mean difference ${difference} of 255`);
  }
});

test('grey, alpha and 16 bits come out as the channels and range that the graph expects', async () => {
  const grey = Buffer.alloc(32 * 32, 100);
  const one = await sharp(grey, { raw: { width: 32, height: 32, channels: 1 } })
    .png()
    .toBuffer();
  const asColour = await decode(one, spec, limits);
  assert.equal(asColour.pixels.length, 16 * 16 * 3);
  assert.equal(mean(asColour.pixels), 100);
  assert.equal((await decode(one, { ...spec, channels: 1 }, limits)).pixels.length, 16 * 16);
  const clear = await sharp({
    create: { width: 32, height: 32, channels: 4, background: { r: 255, g: 255, b: 255, alpha: 0 } },
  })
    .png()
    .toBuffer();
  assert.equal(mean((await decode(clear, spec, limits)).pixels), 0);
  const deep = await sharp(new Uint16Array(32 * 32).fill(100 * 257), {
    raw: { width: 32, height: 32, channels: 1 },
  })
    .toColourspace('grey16')
    .png()
    .toBuffer();
  assert.ok(Math.abs(mean((await decode(deep, spec, limits)).pixels) - 100) <= 1);
});

test('EXIF orientation is applied', async () => {
  const pixels = new Uint8Array(32 * 32 * 3);
  pixels.fill(255, 0, 16 * 32 * 3); // upper half white
  const upright = await encode(pixels, 32, 'png');
  const turned = await sharp(upright).withMetadata({ orientation: 3 }).png().toBuffer();
  const top = (await decode(turned, spec, limits)).pixels.subarray(0, 16 * 3);
  assert.ok(mean(top) < 20, 'upside down: black is on top');
});

/** A valid PNG header and little data for `side` x `side` pixels: a decompression bomb. */
function bomb(side: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(data.length);
    const tail = Buffer.alloc(4);
    tail.writeUInt32BE(crc32(body));
    return Buffer.concat([head, body, tail]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1e5))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

test('every bad file has its reason, none throws, none passes', async () => {
  const jpeg = await encode(noisyPixels(64, 1), 64);
  const png = await encode(noisyPixels(64, 1), 64, 'png');
  const damaged = Buffer.from(png);
  damaged.fill(0xff, 2000, 2100);
  const cases: [string, Uint8Array | string, string][] = [
    ['empty.jpg', '', 'empty'],
    ['text.jpg', 'This is no picture.', 'unsupported-format'],
    ['drawing.png', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 'unsupported-format'],
    ['truncated.jpg', jpeg.subarray(0, jpeg.length / 2), 'truncated'],
    ['damaged.png', damaged, 'corrupt'],
    ['bomb.png', bomb(60_000), 'too-many-pixels'],
    ['large.jpg', new Uint8Array(limits.bytes + 1), 'too-large'],
  ];
  for (const [name, content, reason] of cases) {
    const file = path.join(folder, name);
    writeFileSync(file, content);
    const inspection = await inspector.inspect(file);
    assert.equal(
      inspection.outcome === 'unscorable' && inspection.reason,
      reason,
      `${name}: ${JSON.stringify(inspection)}`,
    );
    assert.ok(
      inspection.outcome === 'unscorable' && !inspection.message.includes(name),
      'no file name in the message',
    );
  }
  mkdirSync(path.join(folder, 'folder.jpg'));
  symlinkSync('nowhere', path.join(folder, 'link.jpg'));
  execFileSync('mkfifo', [path.join(folder, 'pipe.jpg')]);
  for (const [name, reason] of [
    ['folder.jpg', 'not-a-file'],
    ['link.jpg', 'dangling-link'],
    ['pipe.jpg', 'not-a-file'],
    ['none.jpg', 'vanished'],
  ] as const) {
    const inspection = await inspector.inspect(path.join(folder, name));
    assert.equal(inspection.outcome === 'unscorable' && inspection.reason, reason, name);
  }
  const good = path.join(folder, 'good.jpg');
  writeFileSync(good, jpeg);
  assert.equal((await inspector.inspect(good)).outcome, 'scored', 'the next file goes on');
});

test('reasons stay with their files when many are decoded at the same time', async () => {
  const jpeg = await encode(noisyPixels(64, 1), 64);
  const png = await encode(noisyPixels(64, 1), 64, 'png');
  const damaged = Buffer.from(png);
  damaged.fill(0xff, 2000, 2100);
  const cases = [
    [jpeg.subarray(0, jpeg.length / 2), 'truncated'],
    [damaged, 'corrupt'],
    [Buffer.from('This is no picture.'), 'unsupported-format'],
    [Buffer.concat([jpeg.subarray(0, 700), Buffer.alloc(3000)]), 'truncated'], // space allocated, not filled
  ] as const;
  const many = Array.from({ length: 100 }, (_, i) => cases[i % cases.length]!);
  const reasons = await Promise.all(
    many.map(([bytes]) =>
      decode(bytes, spec, limits).then(
        () => 'decoded',
        (error) => error.reason,
      ),
    ),
  );
  assert.deepEqual(
    reasons,
    many.map(([, reason]) => reason),
  );
});
