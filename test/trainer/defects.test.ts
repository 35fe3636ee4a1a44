import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFECTS, FAMILIES, SIZES } from '../../trainer/defects/families.ts';
import type { Canvas } from '../../trainer/defects/family.ts';
import { dilate, plant } from '../../trainer/defects/plant.ts';
import { peaksWithin } from '../../trainer/defects/try.ts';
import { randomFor } from '../../trainer/random.ts';

const [width, height] = [120, 90];

/** A textured disc in the middle of a dark surround. */
function subject(channels: 1 | 3, grey = true): Canvas {
  const random = randomFor(1, 'subject');
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const inside = Math.hypot((i % width) - 60, Math.floor(i / width) - 45) < 40;
    const value = inside ? 90 + 70 * random() : 3 * random();
    for (let c = 0; c < channels; c++) pixels[i * channels + c] = grey ? value : value * (1 - 0.2 * c);
  }
  return { pixels, width, height, channels };
}

const name = ({ family, size, strength }: (typeof DEFECTS)[number]) => `${family.name} ${size} ${strength}`;

test('a planted defect changes what its mask covers and nothing else, within its disc', () => {
  for (const canvas of [subject(1), subject(3, false)])
    for (const defect of DEFECTS) {
      const { pixels, mask, place } = plant(canvas, defect, 5);
      assert.equal(pixels.length, canvas.pixels.length);
      assert.equal(mask.length, width * height);
      const reach = Math.max(2, (defect.size * height) / 2);
      assert.equal(place.radius, reach);
      let covered = 0;
      for (const [i, inside] of mask.entries()) {
        const at = [...Array(canvas.channels).keys()].map((c) => i * canvas.channels + c);
        assert.equal(
          at.some((j) => pixels[j] !== canvas.pixels[j]),
          inside === 1,
          name(defect),
        );
        if (inside === 0) continue;
        covered += 1;
        assert.ok(Math.hypot((i % width) - place.x, Math.floor(i / width) - place.y) <= reach, name(defect));
      }
      assert.ok(covered > 0, `${name(defect)} changes something`);
    }
});

test('the same seed plants the same defect, another seed another one, and the picture stays as it was', () => {
  const drawn = subject(3);
  const canvas = { ...drawn, pixels: Buffer.from(drawn.pixels) }; // as sharp gives it: its slice() is no copy
  const before = Uint8Array.from(canvas.pixels);
  for (const defect of DEFECTS) {
    const once = plant(canvas, defect, 7);
    assert.deepEqual(plant(canvas, defect, 7), once, name(defect));
    assert.notDeepEqual(plant(canvas, defect, 8).mask, once.mask, name(defect));
  }
  assert.deepEqual(Uint8Array.from(canvas.pixels), before);
});

test('a defect lies within the image and on what is bright', () => {
  const canvas = subject(1);
  for (const size of [...SIZES, 0.6])
    for (let seed = 0; seed < 40; seed++) {
      const { place } = plant(canvas, { family: FAMILIES[0]!, size, strength: 0 }, seed);
      assert.ok(place.x >= place.radius && place.x <= width - 1 - place.radius);
      assert.ok(place.y >= place.radius && place.y <= height - 1 - place.radius);
      const far = Math.hypot(place.x - 60, place.y - 45);
      assert.ok(far + place.radius <= 42, `size ${size}, seed ${seed}: ${far} from the middle`);
    }
});

test('a picture without foreground takes a defect all the same', () => {
  const dark = { pixels: new Uint8Array(width * height), width, height, channels: 1 };
  assert.ok(plant(dark, { family: FAMILIES[1]!, size: 0.18, strength: 2 }, 1).mask.includes(1));
  assert.throws(() => plant(dark, { family: FAMILIES[1]!, size: 0.18, strength: 3 }, 1), RangeError);
});

test('grey stays grey', () => {
  const canvas = subject(3);
  for (const defect of DEFECTS) {
    const { pixels } = plant(canvas, defect, 3);
    for (let i = 0; i < pixels.length; i += 3)
      assert.ok(pixels[i] === pixels[i + 1] && pixels[i] === pixels[i + 2], name(defect));
  }
});

test('a stronger defect changes more', () => {
  const canvas = subject(1);
  const change = ({ pixels }: { pixels: Uint8Array }) =>
    pixels.reduce((sum, value, i) => sum + Math.abs(value - canvas.pixels[i]!), 0);
  for (const family of FAMILIES)
    for (const size of SIZES) {
      const [weak, strong] = [0, 2].map((strength) => change(plant(canvas, { family, size, strength }, 2)));
      assert.ok(weak! < strong!, `${family.name} ${size}: ${weak}, ${strong}`);
    }
});

test('the peak of a map counts within the defect and one cell around it', () => {
  const size = { width: 40, height: 40 };
  const mask = new Uint8Array(1600);
  mask[5 * 40 + 5] = 1;
  assert.equal(
    dilate(mask, size, 2).reduce((sum, value) => sum + value),
    25,
  );
  const peakAt = (cell: number) => {
    const map = new Float32Array(32);
    map[16 + cell] = 1;
    return { map, mapHeight: 4, mapWidth: 4 };
  };
  assert.ok(peaksWithin(mask, size, peakAt(0), 1));
  assert.ok(peaksWithin(mask, size, peakAt(5), 1));
  assert.ok(!peaksWithin(mask, size, peakAt(2), 1));
  assert.ok(!peaksWithin(mask, size, peakAt(15), 1));
});
