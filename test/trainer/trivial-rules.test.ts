/** The rules that anybody could have written, which stand beside every model. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { measureBaselines } from '../../trainer/evaluation/baselines.ts';
import { nearestDistances } from '../../trainer/evaluation/nearest.ts';
import { randomFor } from '../../trainer/random.ts';
import { auroc } from '../../trainer/statistics/auroc.ts';
import { image, properties } from './evaluationImages.ts';

test('trivial rules have fixed directions and are never flipped', () => {
  const rules = measureBaselines(
    [
      image({ properties: properties({ bytes: 3, mean: 10, sharpness: 2 }) }),
      image({ properties: properties({ bytes: 4, mean: 20, sharpness: 1 }) }),
      image({ label: 'poor', properties: properties({ bytes: 1, mean: 15, sharpness: 2 }) }),
      image({ label: 'poor', properties: properties({ bytes: 2, mean: 30, sharpness: 2 }) }),
    ],
    null,
    0,
  );
  assert.deepEqual(
    rules.map(({ name, auroc }) => [name, auroc]),
    [
      ['File size', 1],
      ['Mean grey', 0.25],
      ['Standard deviation of grey', 0.5],
      ['Central sharpness', 0.25],
      ['Distance of mean grey', null],
      ['Distance of standard deviation', null],
      ['Distance to the mean image', null],
      ['Nearest training image', null],
    ],
  );
});

test('rules that need training images equal their definitions', () => {
  const random = randomFor(1, 'thumbnails');
  const draw = (level: number) => Uint8Array.from({ length: 1024 }, () => level + random() * 60);
  const training = Array.from({ length: 12 }, () => draw(random() * 100));
  const images = Array.from({ length: 30 }, (_, i) =>
    image({
      label: i < 15 ? 'good' : 'poor',
      properties: properties({ thumbnail: draw(random() * 190) }),
    }),
  );
  const known = training.map((thumbnail) => image({ properties: properties({ thumbnail }) }));
  // Training and calibration images both are images that the model was made from.
  const reference = {
    train: known.slice(0, 8),
    calibration: known.slice(8).map((i) => ({ ...i, score: null })),
  };
  const average = (values: ArrayLike<number>) =>
    Array.from(values).reduce((s, v) => s + v, 0) / values.length;
  const deviation = (v: Uint8Array) => {
    const mean = average(v);
    return Math.sqrt(average(Array.from(v, (x) => (x - mean) ** 2)));
  };
  const [meanGrey, meanDeviation] = [average(training.map(average)), average(training.map(deviation))];
  const meanImage = Array.from({ length: 1024 }, (_, i) => average(training.map((pixels) => pixels[i]!)));
  const squared = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0);
  const expected = [
    (v: Uint8Array) => Math.abs(average(v) - meanGrey),
    (v: Uint8Array) => Math.abs(deviation(v) - meanDeviation),
    (v: Uint8Array) => squared(v, meanImage),
    (v: Uint8Array) => Math.min(...training.map((t) => squared(v, t))),
  ].map((rule) => {
    const of = (label: string) =>
      images.filter((i) => i.label === label).map((i) => rule(i.properties.thumbnail));
    return auroc(of('good'), of('poor'));
  });
  const measured = measureBaselines(images, reference, 0).slice(4);
  for (const [i, { auroc }] of measured.entries()) assert.ok(Math.abs(auroc! - expected[i]!) < 1e-12);
});

test('the search for the nearest picture finds what trying all finds', () => {
  const random = randomFor(2, 'nearest');
  const draw = () => Uint8Array.from({ length: 1024 }, (_, i) => (i % 7) * 9 * random() + 100 * random());
  const among = Array.from({ length: 60 }, draw);
  const pictures = [
    ...Array.from({ length: 40 }, draw),
    new Uint8Array(1024),
    new Uint8Array(1024).fill(255),
  ];
  pictures.push(among[17]!);
  const all = pictures.map((p) =>
    Math.min(...among.map((a) => p.reduce((sum, v, i) => sum + (v - a[i]!) ** 2, 0))),
  );
  assert.deepEqual(nearestDistances(pictures, among), all);
  assert.equal(all.at(-1), 0);
});

test('the nearest picture is found though others are nearer in their sum', () => {
  const random = randomFor(3, 'brighter');
  const picture = Uint8Array.from({ length: 1024 }, () => 100 + random() * 50);
  const brighter = picture.map((v) => v + 10); // its distance is just the bound that sums give
  const reordered = picture.toReversed(); // the same sum
  assert.deepEqual(nearestDistances([picture], [reordered, brighter]), [1024 * 100]);
  const short = [picture, reordered, brighter].map((pixels) => pixels.subarray(0, 21)); // no whole number of runs
  assert.deepEqual(nearestDistances([short[0]!], [short[2]!]), [21 * 100]);
});
