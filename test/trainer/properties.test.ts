import assert from 'node:assert/strict';
import test from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { measureProperties } from '../../trainer/evaluation/properties.ts';
import { randomFor } from '../../trainer/random.ts';

/** Something like a photograph: smooth shapes, an edge, sensor noise. RGB. */
function picture(width: number, height: number, seed: number): Sharp {
  const random = randomFor(seed, 'picture');
  const waves = Array.from({ length: 6 }, () => ({ fx: random() * 12, fy: random() * 12, at: random() * 6 }));
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let v = 110;
      for (const { fx, fy, at } of waves) v += 12 * Math.sin((fx * x) / width + (fy * y) / height + at);
      v += x + y > 0.9 * (width + height) * 0.5 ? 25 : 0;
      for (let c = 0; c < 3; c++) pixels[(y * width + x) * 3 + c] = v + 8 * (random() - 0.5) - 5 * c;
    }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

test('JPEG quality is recovered from the quantisation tables', async () => {
  for (const quality of [5, 20, 50, 75, 90, 95, 100])
    for (const progressive of [false, true]) {
      const bytes = await picture(96, 64, 1).jpeg({ quality, progressive }).toBuffer();
      assert.equal((await measureProperties(bytes)).jpegQuality, quality);
    }
  const others = await picture(96, 64, 1).jpeg({ quality: 80, mozjpeg: true }).toBuffer();
  const estimate = (await measureProperties(others)).jpegQuality;
  assert.ok(estimate !== null && estimate > 60 && estimate < 95, `tables of mozjpeg at 80: ${estimate}`);
});

test('size, channels and format are those stored, whatever the orientation; a PNG has no JPEG quality', async () => {
  const turned = await picture(90, 60, 2).jpeg().withMetadata({ orientation: 6 }).toBuffer();
  const grey = await picture(90, 60, 2).toColourspace('b-w').png().toBuffer();
  const clear = await picture(90, 60, 2).ensureAlpha().png().toBuffer();
  const of = async (bytes: Buffer) => {
    const { bytes: size, width, height, channels, format, jpegQuality } = await measureProperties(bytes);
    assert.equal(size, bytes.length);
    return [width, height, channels, format, jpegQuality];
  };
  assert.deepEqual(await of(turned), [90, 60, 3, 'jpeg', 80]);
  assert.deepEqual(await of(grey), [90, 60, 1, 'png', null]);
  assert.deepEqual(await of(clear), [90, 60, 4, 'png', null]);
});

test('mean, deviation and sharpness of pictures whose values are known', async () => {
  // Columns 40 and 60 in turn, at 128 x 128 pixels: nothing is resized.
  const stripes = Uint8Array.from({ length: 128 * 128 }, (_, i) => (i % 2 === 0 ? 40 : 60));
  const png = await sharp(stripes, { raw: { width: 128, height: 128, channels: 1 } })
    .png()
    .toBuffer();
  const { mean, deviation, sharpness } = await measureProperties(png);
  assert.equal(mean, 50);
  assert.equal(deviation, 10);
  assert.ok(Math.abs(sharpness - Math.log(40)) < 1e-6, String(sharpness)); // |4a - 2a - 2b| = 2 * 20
  const blurred = await picture(300, 200, 3).blur(4).png().toBuffer();
  const crisp = await picture(300, 200, 3).png().toBuffer();
  assert.ok((await measureProperties(blurred)).sharpness < (await measureProperties(crisp)).sharpness - 0.5);
});

test('the border is the share of uniform rows and columns at the rim', async () => {
  const inner = picture(200, 100, 4);
  const plain = await measureProperties(await inner.clone().png().toBuffer());
  assert.equal(plain.border, 0);
  const framed = inner.clone().extend({ top: 10, bottom: 20, left: 30, right: 0, background: '#000' });
  const expected = 1 - (200 * 100) / (230 * 130);
  for (const bytes of [await framed.clone().png().toBuffer(), await framed.clone().jpeg().toBuffer()])
    assert.ok(Math.abs((await measureProperties(bytes)).border - expected) < 0.03);
  const blank = await sharp({ create: { width: 64, height: 48, channels: 3, background: '#333' } })
    .png()
    .toBuffer();
  const { border, text, deviation } = await measureProperties(blank);
  assert.deepEqual({ border, text, deviation }, { border: 1, text: 0, deviation: 0 });
  // Every row is uniform, yet there is no border: the rows differ from each other.
  const ramp = Uint8Array.from({ length: 100 * 100 }, (_, i) => Math.floor(i / 100) * 2);
  const graded = await sharp(ramp, { raw: { width: 100, height: 100, channels: 1 } })
    .png()
    .toBuffer();
  assert.ok((await measureProperties(graded)).border < 0.2);
});

test('text burned into a margin is found, bright or dark, and none where there is none', async () => {
  const written = (words: string, x: number, y: number, colour: string, size: number) =>
    Buffer.from(
      `<svg width="640" height="480"><text x="${x}" y="${y}" font-family="sans-serif" font-size="${size}" fill="${colour}">${words}</text></svg>`,
    );
  let missed = 0;
  for (let seed = 0; seed < 12; seed++) {
    const plain = picture(640, 480, seed);
    const without = await measureProperties(await plain.clone().jpeg({ quality: 90 }).toBuffer());
    assert.equal(without.text, 0, `text seen in picture ${seed}, which has none`);
    const overlay = written(
      'ID 40711 2024-03-17',
      20 + 15 * seed,
      seed % 2 === 0 ? 40 : 460,
      seed % 3 === 0 ? '#fff' : '#000',
      18 + seed,
    );
    const bytes = await sharp(await plain.clone().png().toBuffer())
      .composite([{ input: overlay }])
      .jpeg({ quality: 90 })
      .toBuffer();
    if ((await measureProperties(bytes)).text === 0) missed++;
  }
  assert.equal(missed, 0);
});

test('the thumbnail is the picture squeezed, and alike for a copy saved again', async () => {
  const original = picture(400, 300, 5);
  const a = (await measureProperties(await original.clone().png().toBuffer())).thumbnail;
  const b = (await measureProperties(await original.clone().jpeg({ quality: 60 }).toBuffer())).thumbnail;
  const other = (await measureProperties(await picture(400, 300, 6).png().toBuffer())).thumbnail;
  const distance = (x: Uint8Array, y: Uint8Array) => Math.max(...x.map((v, i) => Math.abs(v - y[i]!)));
  assert.equal(a.length, 32 * 32);
  assert.ok(distance(a, b) <= 3, `saved again: ${distance(a, b)} grey levels`);
  assert.ok(distance(a, other) > 20);
});

test('what a device would refuse is refused with the same reason', async () => {
  await assert.rejects(measureProperties(Buffer.from('no image, some words of text')), {
    reason: 'unsupported-format',
  });
  const png = await picture(64, 64, 7).png().toBuffer();
  await assert.rejects(measureProperties(png.subarray(0, png.length / 2)), { reason: 'truncated' });
});
