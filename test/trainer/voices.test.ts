/** The features of the default recipe against plain definitions. */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { randomFor } from '../../trainer/random.ts';
import { encoder } from '../../trainer/voices/encoder.ts';
import { encoderPatches } from '../../trainer/voices/encoder-patches.ts';
import { energy, logEnergyCells } from '../../trainer/voices/energy.ts';
import { fitLocalModel } from '../../trainer/voices/map.ts';
import { sharpness } from '../../trainer/voices/sharpness.ts';
import { measureStatistics, STATISTICS } from '../../trainer/voices/statistics.ts';
import { texture } from '../../trainer/voices/texture.ts';
import { EDGE, makeViews, VIEW } from '../../trainer/voices/views.ts';

await tf.setBackend('cpu');
tf.env().set('PROD', true);

type Pixel = (x: number, y: number, c: number) => number;
/** float32 `[1, 224, 224, 3]` of whole numbers, 0 to 255. */
function draw(pixel: Pixel): tf.Tensor {
  const values = new Float32Array(EDGE * EDGE * 3);
  for (let i = 0; i < values.length; i++) {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % EDGE, Math.floor(i / 3 / EDGE)];
    values[i] = Math.round(Math.min(255, Math.max(0, pixel(x, y, c))));
  }
  return tf.tensor4d(values, [1, EDGE, EDGE, 3]);
}
const random = randomFor(1, 'voices test');
const waves: Pixel = (x, y) => 120 + 60 * Math.sin(x / 9) * Math.cos(y / 7) + 20 * Math.sin((x + 2 * y) / 3);
const noisy: Pixel = (x, y, c) => waves(x, y, c) + 12 * (random() - 0.5);
const within = (got: number, expected: number, tolerance: number, what = '') =>
  assert.ok(Math.abs(got - expected) <= tolerance, `${what} ${got}, expected ${expected}`);

test('the foreground is the box of what is bright; without one the whole image is', () => {
  const [left, right, top, bottom] = [40, 190, 20, 210];
  const inside = (x: number, y: number) => x >= left && x < right && y >= top && y < bottom;
  const boxOf = (pixel: Pixel) => {
    const { start, stop } = makeViews(draw(pixel), false).box;
    const [[top, left], [bottom, right]] = [start.dataSync(), stop.dataSync()];
    return [left, right, top, bottom];
  };
  assert.deepEqual(
    boxOf((x, y, c) => (inside(x, y) ? waves(x, y, c) : 3)),
    [left, right, top, bottom],
  );
  assert.deepEqual(boxOf(waves), [0, EDGE, 0, EDGE]);
  assert.deepEqual(
    boxOf(() => 0),
    [0, EDGE, 0, EDGE],
    'black',
  );
  assert.deepEqual(
    boxOf((x, y) => (x < 30 && y < 30 ? 200 : 0)),
    [0, EDGE, 0, EDGE],
    'too small to be one',
  );
});

test('a box is stretched from its 1st to its 99th percentile, and resized as its pixels lie', () => {
  // A ramp over the box: position and value say the same.
  const ramp = makeViews(
    draw((x) => (x >= 48 && x < 176 ? 40 + (x - 48) : 0)),
    false,
  );
  const values = ramp.foregroundGrey.dataSync();
  for (let x = 4; x < VIEW - 4; x++) {
    const share = (x / (VIEW - 1) - 0.01) / 0.98;
    within(values[64 * VIEW + x]!, share, 0.03, `column ${x}:`);
  }
});

test('texture: shares of uniform local binary patterns, as in Ojala et al. 2002', () => {
  // Whole numbers far apart: no difference lies in the band around the threshold, which is 4.
  const side = 20;
  const levels = Array.from({ length: side * side }, () => 10 * Math.floor(random() * 6));
  const view = tf.tensor3d(levels, [1, side, side]);
  const features = texture(() => view, 1)
    .describe({} as never, [4, 1e9, 1e9])
    .dataSync();
  const counts = new Array<number>(10).fill(0);
  const ring = [
    [-1, -1],
    [-1, 0],
    [-1, 1],
    [0, 1],
    [1, 1],
    [1, 0],
    [1, -1],
    [0, -1],
  ] as const;
  for (let y = 1; y < side - 1; y++)
    for (let x = 1; x < side - 1; x++) {
      const bits = ring.map(([dy, dx]) =>
        Number(levels[(y + dy) * side + x + dx]! - levels[y * side + x]! > 4),
      );
      const changes = bits.filter((bit, i) => bit !== bits[(i + 1) % 8]).length;
      counts[changes <= 2 ? bits.reduce((sum, bit) => sum + bit, 0) : 9]! += 1;
    }
  const overall = features.slice(160, 170); // behind 16 cells of ten patterns each
  for (const [i, count] of counts.entries())
    within(overall[i]!, Math.sqrt(count / (side - 2) ** 2 + 1e-5), 1e-4, `pattern ${i}:`);
});

test('texture: 1e-6 more or less in a pixel changes no feature by more than 1e-4', () => {
  const drawn = draw(noisy);
  const noise = Float32Array.from({ length: EDGE * EDGE * 3 }, () => 255e-6 * (2 * random() - 1));
  const [before, after] = [drawn, tf.add(drawn, tf.tensor(noise, drawn.shape))].map((image) =>
    makeViews(image, false),
  );
  for (const view of ['foregroundGrey', 'centre'] as const) {
    const voice = texture((views) => views[view], 0.6);
    const levels = [...voice.measure!(before!).dataSync()];
    const [a, b] = [before!, after!].map((views) => voice.describe(views, levels).dataSync());
    for (const [i, value] of a!.entries())
      assert.ok(Math.abs(value - b![i]!) < 1e-4, `${view}, feature ${i}: ${value}, ${b![i]}`);
  }
});

test('texture: what is below the noise changes nothing', () => {
  const flat = new Float32Array(128 * 128).fill(0.5);
  const stirred = flat.map((value) => value + 2e-6 * (random() - 0.5));
  const describe = (values: Float32Array) =>
    texture(() => tf.tensor3d(values, [1, 128, 128]), 0.6)
      .describe({} as never, [0.01, 0.01, 0.01])
      .dataSync();
  const [before, after] = [describe(flat), describe(stirred)];
  assert.ok(before.every((value, i) => Math.abs(value - after[i]!) < 1e-4));
});

test('places: what changes within one cell of a view changes most the features of that place', () => {
  // Well inside of the cell in the second row and third column of four.
  const cell = 4 + 2;
  const spot: Pixel = (x, y, c) => (x > 124 && x < 156 && y > 68 && y < 100 ? noisy(x, y, c) : 120);
  const [flat, spotted] = [(() => 120) as Pixel, spot].map((pixel) => makeViews(draw(pixel), false));
  for (const [voice, overall] of [
    [texture(({ grey }) => grey, 0.6), 3 * 10],
    [energy, 0],
  ] as const) {
    const [before, after] = [flat!, spotted!].map((views) =>
      voice.describe(views, [0.01, 0.01, 0.01]).dataSync(),
    );
    const places = voice.places!(before!.length);
    assert.equal(places.length, 16);
    assert.equal(new Set(places.flat()).size, before!.length - overall, 'each column in one place');
    const change = places.map((columns) =>
      columns.reduce((sum, i) => sum + Math.abs(before![i]! - after![i]!), 0),
    );
    for (const [i, value] of change.entries())
      assert.ok(i === cell || value < 0.5 * change[cell]!, `${i}: ${change}`);
  }
});

test('sharpness falls by blur, at the finest scale most; energy of grey has 384 numbers, of colour 960', () => {
  const blurred: Pixel = (x, y, c) =>
    [-2, -1, 0, 1, 2].reduce(
      (sum, dx) => sum + [-2, -1, 0, 1, 2].reduce((s, dy) => s + waves(x + dx, y + dy, c), 0),
      0,
    ) / 25;
  const of = (pixel: Pixel) => [...sharpness.describe(makeViews(draw(pixel), false), []).dataSync()];
  const [sharp, soft] = [of(waves), of(blurred)];
  assert.equal(sharp.length, 3);
  assert.ok(sharp[0]! - soft[0]! > 0.2, `${sharp}; ${soft}`);
  assert.ok(sharp[0]! - soft[0]! > sharp[2]! - soft[2]!);
  assert.deepEqual(energy.describe(makeViews(draw(noisy), false), []).shape, [1, 384]);
  assert.deepEqual(energy.describe(makeViews(draw(noisy), true), []).shape, [1, 960]);
});

test('energy of colour: in each octave that of grey, then those of the two colours, which a grey picture has none of', () => {
  const cellsOf = (colour: boolean) => logEnergyCells(makeViews(draw(waves), colour));
  const [grey, colour] = [cellsOf(false), cellsOf(true)];
  const columns = (from: number) => [...tf.slice(colour, [0, 0, 0, from], [-1, -1, -1, 6]).dataSync()];
  for (const [octave, from] of [0, 6, 24, 42].entries()) {
    const expected = tf.slice(grey, [0, 0, 0, 6 * octave], [-1, -1, -1, 6]).dataSync();
    for (const [i, value] of columns(from).entries()) within(value, expected[i]!, 1e-3, `octave ${octave}:`);
  }
  for (const from of [12, 18, 30, 36, 48, 54])
    for (const value of columns(from)) within(value, Math.log(1e-2 + 1e-4), 1e-3, `columns from ${from}:`);
});

test('encoder: mean and deviation of each feature over the central 70 % of the foreground', () => {
  // A ramp over the box, which is 160 x 200: its middle goes from 15 to 85 % of what is stretched.
  const picture = draw((x, y) => (x >= 40 && x < 200 && y >= 20 && y < 220 ? 40 + (x - 40) : 3));
  const views = makeViews(picture, true);
  const difference = tf.max(tf.abs(tf.sub(views.foregroundAt(VIEW, 1), views.foreground))).dataSync()[0]!;
  within(difference, 0, 1e-6);
  const network = {
    ...{
      origin: { name: '', source: '', licence: '', sha256: '' },
      taps: ['a', 'b'],
      localTaps: ['b'],
      notes: [],
    },
    run: (images: tf.Tensor, taps: readonly string[]) => {
      assert.deepEqual([images.shape, taps], [[1, EDGE, EDGE, 3], ['b']]);
      return [tf.concat([images, tf.mul(images, 3)], 3) as tf.Tensor4D];
    },
  };
  const features = encoder(network, undefined).describe(views, []).dataSync();
  assert.equal(features.length, 12);
  for (const c of [0, 1, 2]) {
    within(features[c]!, 0.5, 0.01);
    within(features[3 + c]!, 1.5, 0.03);
    within(features[6 + c]!, 0.7 / 0.98 / Math.sqrt(12), 0.005);
    within(features[9 + c]!, (3 * 0.7) / 0.98 / Math.sqrt(12), 0.015);
  }
});

test('encoder-patches: a small change shows in its own place and those beside it', () => {
  const network = {
    ...{
      origin: { name: '', source: '', licence: '', sha256: '' },
      taps: ['a'],
      localTaps: ['a'],
      notes: [],
    },
    run: (images: tf.Tensor) => [tf.avgPool(images as tf.Tensor4D, 8, 8, 'valid')],
  };
  const { measure, describe } = encoderPatches(network);
  const measured = [...measure!(makeViews(draw(waves), true)).dataSync()];
  assert.equal(measured.length, 6);
  const of = (pixel: Pixel) => describe(makeViews(draw(pixel), true), measured).dataSync();
  const [before, after] = [
    of(waves),
    of((x, y, c) => waves(x, y, c) + (x >= 100 && x < 108 && y >= 36 && y < 44 ? 30 : 0)),
  ];
  assert.equal(before.length, 14 * 14 * 3);
  const changes = Array.from({ length: 14 * 14 }, (_, place) =>
    Math.max(...[0, 1, 2].map((c) => Math.abs(after[3 * place + c]! - before[3 * place + c]!))),
  );
  const most = Math.max(...changes);
  assert.equal(changes.indexOf(most), 2 * 14 + 6); // columns 96 to 112, rows 32 to 48
  for (const [place, change] of changes.entries()) {
    const beside = Math.abs(Math.floor(place / 14) - 2) <= 1 && Math.abs((place % 14) - 6) <= 1;
    assert.ok(beside || change < 0.2 * most, `${place}: ${change}, ${most}`); // elsewhere by the stretch alone
  }
});

test('statistics are what their names say', () => {
  const picture = draw((x, _, c) => (x < 112 ? 255 : 51 * c));
  const values = measureStatistics(makeViews(picture, true)).dataSync();
  const of = Object.fromEntries(STATISTICS.map((name, i) => [name, values[i]!]));
  const grey = (1 + 0.2) / 2; // halves of 1 and of the mean of 0, 0.2 and 0.4
  within(of.brightness!, grey, 1e-4);
  within(of.contrast!, 0.4, 1e-4);
  within(of.saturation!, 0.5, 1e-4);
  within(of['red-green']!, -0.1, 1e-4);
  within(of['blue-green']!, 0.1, 1e-4);
  within(of.noise!, 0, 5e-3);
  const grain = measureStatistics(makeViews(draw(noisy), true));
  const at = STATISTICS.indexOf('noise');
  // Uniform noise of width 12 in each channel by itself, a third of its variance in their mean.
  within(grain.dataSync()[at]!, 12 / Math.sqrt(12) / Math.sqrt(3) / 255, 2e-3);
});

test('the map is dark on what it was fitted to, and highest where something is that does not belong there', () => {
  const cellsOf = (pixel: Pixel) => logEnergyCells(makeViews(draw(pixel), false)).dataSync() as Float32Array;
  const { map } = fitLocalModel(Array.from({ length: 10 }, () => cellsOf(noisy)));
  const good = map(makeViews(draw(noisy), false)).dataSync();
  const stripes: Pixel = (x, y, c) =>
    x >= 140 && x < 180 && y >= 40 && y < 80 ? (x % 4 < 2 ? 200 : 40) : noisy(x, y, c);
  const values = map(makeViews(draw(stripes), false)).dataSync();
  const peak = values.indexOf(Math.max(...values));
  const [x, y] = [((peak % 28) + 0.5) * 8, (Math.floor(peak / 28) + 0.5) * 8];
  assert.ok(x > 126 && x < 194 && y > 26 && y < 94, `${x}, ${y}`); // or one cell of 14 pixels beside
  assert.ok(Math.max(...values) > 3 * Math.max(...good), `${Math.max(...values)}, ${Math.max(...good)}`);
  assert.ok(good.toSorted()[392]! < 0.2 * Math.max(...values));
});
