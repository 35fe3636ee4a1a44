import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { decode } from '../../../agent/inspect/decode.ts';
import { stretch } from '../../../agent/inspect/stretch.ts';
import { applyThresholding, otsuThreshold } from '../../../agent/inspect/thresholding.ts';
import { preprocessing } from '../../../config/preprocessing.ts';
import { random } from '../../support/images.ts';
import { greyPng, limits, sequence, spec } from './preprocessingFixture.ts';

test('the stretch maps percentiles over all channels and frames to 0 and 255', async () => {
  const ramp = Uint8Array.from({ length: 201 }, (_, i) => 20 + i); // 20..220, each once
  stretch(ramp, { low: 0, high: 100 });
  assert.deepEqual([ramp[0], ramp[100], ramp[200]], [0, 128, 255]);
  const inner = Uint8Array.from({ length: 100 }, (_, i) => 100 + i);
  stretch(inner, { low: 10, high: 90 }); // nearest ranks 10 and 90: values 109 and 189
  assert.deepEqual([inner[0], inner[9], inner[49], inner[89], inner[99]], [0, 0, 128, 255, 255]);
  const flat = new Uint8Array(10).fill(7);
  stretch(flat, { low: 1, high: 99 });
  assert.deepEqual([...new Set(flat)], [7]);

  const rgb = spec({ channels: 3, frames: 2, stretch: { low: 0, high: 100 } });
  const still = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#326496' } })
    .png()
    .toBuffer(); // 50, 100, 150
  assert.deepEqual([...(await decode(still, rgb, limits)).pixels.subarray(0, 3)], [0, 128, 255]);
  const two = await decode(await sequence([50, 100], 'gif'), rgb, limits);
  assert.deepEqual([two.pixels[0], two.pixels.at(-1)], [0, 255], 'one stretch for all frames');
});

test('fixed, Otsu and adaptive thresholding give black and white', async () => {
  const fixed = Uint8Array.of(0, 127, 128, 255);
  applyThresholding(fixed, { width: 4, height: 1 }, { method: 'fixed', value: 127 });
  assert.deepEqual([...fixed], [0, 0, 255, 255]);

  // By hand (Otsu 1979): of 3 x 10, 1 x 20 | 2 x 90, 2 x 100 the cut anywhere in 20..89 is best; its middle is 54.
  const counts = new Uint32Array(256);
  for (const [value, count] of [
    [10, 3],
    [20, 1],
    [90, 2],
    [100, 2],
  ] as const)
    counts[value] = count;
  assert.equal(otsuThreshold(counts), 54);
  // Against the definition: the largest between-class variance, by trying every cut.
  const uniform = random(9);
  const many = Uint32Array.from({ length: 256 }, (_, v) =>
    Math.round(
      1000 * uniform() * (Math.exp(-(((v - 70) / 20) ** 2)) + 0.5 * Math.exp(-(((v - 180) / 25) ** 2))),
    ),
  );
  assert.ok(
    Math.abs(
      between(many, otsuThreshold(many)) - Math.max(...[...many.keys()].map((t) => between(many, t))),
    ) < 1e-6,
  );
  const flat = new Uint8Array(16).fill(9);
  applyThresholding(flat, { width: 4, height: 4 }, { method: 'otsu' });
  assert.deepEqual([...new Set(flat)], [0], 'nothing is brighter than its only value');

  const [width, height, radius, offset] = [13, 9, 2, 3];
  const grey = Uint8Array.from({ length: 2 * width * height }, () => 256 * uniform());
  const expected = adaptiveByDefinition(grey, width, height, radius, offset);
  applyThresholding(grey, { width, height }, { method: 'adaptive', radius, offset });
  assert.deepEqual(grey, expected, 'two frames, each by itself');

  const data = Uint8Array.from({ length: 256 }, (_, i) => (i % 16 < 8 ? 50 : 150));
  const { pixels } = await decode(
    await greyPng(data, 16, 16),
    spec({ thresholding: { method: 'otsu' } }),
    limits,
  );
  assert.deepEqual(
    new Uint8Array(pixels),
    data.map((v) => (v === 150 ? 255 : 0)),
  );
});

/** Between-class variance of the cut after `threshold`. */
function between(counts: Uint32Array, threshold: number): number {
  const part = (from: number, to: number) => {
    let [n, sum] = [0, 0];
    for (let v = from; v < to; v++) [n, sum] = [n + counts[v]!, sum + v * counts[v]!];
    return { n, mean: n === 0 ? 0 : sum / n };
  };
  const [dark, bright] = [part(0, threshold + 1), part(threshold + 1, 256)];
  const total = dark.n + bright.n;
  return (dark.n / total) * (bright.n / total) * (dark.mean - bright.mean) ** 2;
}

function adaptiveByDefinition(
  grey: Uint8Array,
  width: number,
  height: number,
  radius: number,
  offset: number,
) {
  return grey.map((value, i) => {
    const frame = Math.floor(i / (width * height));
    const [x, y] = [i % width, Math.floor(i / width) % height];
    let [sum, count] = [0, 0];
    for (let dy = -radius; dy <= radius; dy++)
      for (let dx = -radius; dx <= radius; dx++) {
        if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
        sum += grey[frame * width * height + (y + dy) * width + x + dx]!;
        count += 1;
      }
    return value > sum / count - offset ? 255 : 0;
  });
}

test('thresholding of colour is refused, with what to change', () => {
  const result = preprocessing.safeParse({ ...spec({ channels: 3 }), thresholding: { method: 'otsu' } });
  assert.equal(result.success, false);
  assert.match(result.error!.issues[0]!.message, /input\.channels is 3\. Set input\.channels to 1/);
  assert.deepEqual(result.error!.issues[0]!.path, ['channels']);
  assert.equal(
    preprocessing.parse({ ...spec({}), thresholding: { method: 'otsu' } }).thresholding!.method,
    'otsu',
  );
});
