import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import sharp from 'sharp';
import { parseBundle } from '../../../agent/inspect/bundle.ts';
import { decode } from '../../../agent/inspect/decode.ts';
import { framePages, shownFrame } from '../../../agent/inspect/frames.ts';
import { loadInspector } from '../../../agent/inspect/inspect.ts';
import { makeTestBundle } from '../../support/bundle.ts';
import { encode, random, smoothPixels } from '../../support/images.ts';
import { greyPng, limits, sequence, spec } from './preprocessingFixture.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-preprocessing-'));
after(() => rmSync(folder, { recursive: true }));
test('frames are evenly spaced over the pages of a GIF, a WebP and a TIFF; a still is repeated', async () => {
  assert.deepEqual(framePages(10, 4), [0, 2, 5, 7]);
  assert.deepEqual(framePages(1, 3), [0, 0, 0]);
  assert.deepEqual(framePages(2, 5), [0, 0, 0, 1, 1]);
  const values = [0, 40, 80, 120, 160, 200];
  for (const format of ['gif', 'webp', 'tiff'] as const) {
    const file = await sequence(values, format);
    const three = spec({ frames: 3 });
    const { pixels } = await decode(file, three, limits);
    assert.equal(pixels.length, 3 * 256);
    assert.deepEqual([pixels[0], pixels[256], pixels[512]], [0, 80, 160], format);
    assert.deepEqual([...new Set(shownFrame(pixels, three))], [80]);
    assert.equal((await decode(file, spec({}), limits)).pixels[5], 0, 'one frame: the first page');
  }
  const still = await decode(await encode(smoothPixels(32, 1), 32, 'png'), spec({ frames: 2 }), limits);
  assert.deepEqual(still.pixels.subarray(0, 256), still.pixels.subarray(256));
});

test('limits.pixels counts all pages of a sequence', async () => {
  const file = await sequence(
    Array.from({ length: 50 }, (_, i) => 100 * (i % 2)),
    'gif',
  );
  const few = { pixels: 50 * 64 - 1, bytes: 1e6 };
  await assert.rejects(decode(file, spec({ frames: 2 }), few), {
    reason: 'too-many-pixels',
    message: /50 pages of up to 64 pixels; limits\.pixels allows 3199/,
  });
  await decode(file, spec({ frames: 2 }), { ...few, pixels: 50 * 64 });
  await decode(file, spec({}), few); // only its first page is decoded
});

/** A bright disc on noise of up to `noise`, with a line of burned-in text at the upper left. */
function disc(width: number, height: number, [cx, cy, r]: readonly [number, number, number]): Uint8Array {
  const uniform = random(3);
  const data = Uint8Array.from({ length: width * height }, (_, i) => {
    const inside = Math.hypot((i % width) - cx, Math.floor(i / width) - cy) <= r;
    return inside ? 90 + 60 * uniform() : 10 * uniform();
  });
  for (let y = 8; y < 18; y++)
    for (let x = 10; x < 90; x++) if (x % 8 < 4 && uniform() < 0.8) data[y * width + x] = 255;
  return data;
}

test('the foreground crop finds a disc in noise, without the burned-in text', async () => {
  const [width, height] = [400, 300];
  const file = await greyPng(disc(width, height, [240, 160, 100]), width, height);
  const { pixels, ...size } = await decode(file, spec({ crop: 'foreground', kernel: 'lanczos3' }), limits);
  assert.deepEqual(size, { width, height, format: 'png' }, 'the size told is that of the file');
  const at = (x: number, y: number) => pixels[y * 16 + x]!;
  for (const [x, y] of [
    [8, 0],
    [8, 15],
    [0, 8],
    [15, 8],
    [8, 8],
  ] as const)
    assert.ok(at(x, y) >= 80, `the disc reaches each side (${x}, ${y}: ${at(x, y)})`);
  for (const [x, y] of [
    [0, 0],
    [15, 0],
    [0, 15],
    [15, 15],
  ] as const)
    assert.ok(at(x, y) < 20, `the corners are dark (${x}, ${y}: ${at(x, y)})`);
});

test('the foreground crop follows EXIF orientation, and every frame has the same box', async () => {
  const upright = await greyPng(disc(400, 300, [240, 160, 100]), 400, 300);
  const stored = await sharp(upright).rotate(180).withMetadata({ orientation: 3 }).png().toBuffer();
  const crop = spec({ crop: 'foreground', kernel: 'lanczos3' });
  assert.deepEqual((await decode(stored, crop, limits)).pixels, (await decode(upright, crop, limits)).pixels);
  const pages = await Promise.all(
    [120, 160, 200].map((cx) =>
      sharp(disc(400, 300, [cx, 160, 80]), { raw: { width: 400, height: 300, channels: 1 } })
        .toColourspace('srgb') // sharp adds channels when it joins grey pages
        .png()
        .toBuffer(),
    ),
  );
  const moving = await sharp(pages, { join: { animated: true } })
    .tiff()
    .toBuffer();
  const { pixels } = await decode(moving, { ...crop, frames: 3 }, limits);
  const middle = (frame: number) => pixels.subarray(frame * 256 + 8 * 16, frame * 256 + 9 * 16);
  assert.ok(middle(1)[0]! >= 80 && middle(1)[15]! >= 80, 'the box is that of the middle frame');
  assert.ok(middle(0)[15]! < 20 && middle(2)[0]! < 20, 'the disc moves in it');
});

test('the foreground crop leaves alone what nothing stands out in, and what fills the image', async () => {
  const uniform = random(5);
  const flat = new Uint8Array(200 * 200).fill(40);
  const faint = Uint8Array.from({ length: 200 * 200 }, () => 30 + 20 * uniform());
  const dust = new Uint8Array(200 * 200);
  for (let i = 0; i < 40; i++) dust[Math.floor(uniform() * dust.length)] = 255;
  const full = Uint8Array.from({ length: 200 * 200 }, (_, i) => 60 + (i % 200) / 2);
  for (let y = 90; y < 110; y++) full.fill(0, y * 200 + 90, y * 200 + 110); // a dark spot inside
  for (const data of [flat, faint, dust, full]) {
    const file = await greyPng(data, 200, 200);
    assert.deepEqual(
      (await decode(file, spec({ crop: 'foreground' }), limits)).pixels,
      (await decode(file, spec({}), limits)).pixels,
    );
  }
});

test('unusual pixels come out as the values that they were made from', async () => {
  const raw = (values: readonly number[], deep: boolean) => {
    const repeated = Array.from({ length: 64 }, () => values).flat();
    const data = deep ? Uint16Array.from(repeated, (v) => v * 257) : Uint8Array.from(repeated);
    return sharp(data, { raw: { width: 8, height: 8, channels: values.length as 1 | 2 | 3 | 4 } });
  };
  const cases: [string, Buffer, [number, number, number]][] = [
    ['16-bit grey PNG', await raw([100], true).toColourspace('grey16').png().toBuffer(), [100, 100, 100]],
    ['16-bit grey TIFF', await raw([100], true).toColourspace('grey16').tiff().toBuffer(), [100, 100, 100]],
    ['16-bit RGB', await raw([50, 100, 200], true).toColourspace('rgb16').png().toBuffer(), [50, 100, 200]],
    ['grey and alpha', await raw([200, 128], false).png().toBuffer(), [100, 100, 100]],
    [
      '16-bit grey and alpha',
      await raw([200, 128], true).toColourspace('grey16').png().toBuffer(),
      [100, 100, 100],
    ],
    [
      '16-bit RGBA',
      await raw([50, 100, 200, 128], true).toColourspace('rgb16').png().toBuffer(),
      [25, 50, 100],
    ],
    ['one channel', await raw([100], false).toColourspace('b-w').png().toBuffer(), [100, 100, 100]],
    [
      'one-channel JPEG',
      await raw([100], false).toColourspace('b-w').jpeg({ quality: 100 }).toBuffer(),
      [100, 100, 100],
    ],
    ['palette', await raw([50, 100, 200], false).png({ palette: true }).toBuffer(), [50, 100, 200]],
    [
      '1-bit TIFF',
      await raw([255], false).toColourspace('b-w').tiff({ bitdepth: 1 }).toBuffer(),
      [255, 255, 255],
    ],
  ];
  for (const [name, file, expected] of cases) {
    const { pixels } = await decode(file, spec({ channels: 3 }), limits);
    const off = expected.map((value, c) => Math.abs(pixels[c]! - value));
    assert.ok(
      off.every((d) => d <= 1),
      `${name}: ${pixels.subarray(0, 3)} instead of ${expected}`,
    );
    const grey = (await decode(file, spec({}), limits)).pixels;
    assert.equal(grey.length, 256);
    if (expected[0] === expected[2])
      assert.ok(Math.abs(grey[0]! - expected[0]) <= 1, `${name}: grey ${grey[0]}`);
  }
  // CMYK has no one right colour without a profile: within what the press profile can print.
  const cmyk = await raw([50, 100, 200], false).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
  assert.equal((await sharp(cmyk).metadata()).space, 'cmyk');
  const { pixels } = await decode(cmyk, spec({ channels: 3 }), limits);
  for (const [c, value] of [50, 100, 200].entries())
    assert.ok(Math.abs(pixels[c]! - value) <= 40, `CMYK: ${pixels.subarray(0, 3)}`);
});

test('bytes are inspected as the file is, and limits.bytes holds for both', async () => {
  const { path: bundlePath } = await makeTestBundle(folder);
  const file = path.join(folder, 'image.png');
  const content = await encode(smoothPixels(64, 2), 64, 'png');
  await sharp(content).toFile(file);
  const inspector = await loadInspector({ bundlePath, executionProvider: 'cpu', threads: 1, limits });
  try {
    const [a, b] = [await inspector.inspectBytes(content), await inspector.inspectWithMap(content)];
    assert.ok(a.outcome === 'scored' && b.inspection.outcome === 'scored');
    assert.equal(a.score, b.inspection.score);
    const fromFile = await inspector.inspect(file);
    assert.ok(fromFile.outcome === 'scored' && Math.abs(fromFile.score - a.score) < 1e-9);
    const large = await inspector.inspectBytes(new Uint8Array(limits.bytes + 1));
    assert.equal(large.outcome === 'unscorable' && large.reason, 'too-large');
  } finally {
    await inspector.close();
  }
  assert.equal(parseBundle((await makeTestBundle(folder)).model, 'test').manifest.preprocessing.frames, 1);
});
