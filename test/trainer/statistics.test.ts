import assert from 'node:assert/strict';
import test from 'node:test';
import { propertiesOf } from '../../trainer/baselines.ts';
import { summarizeTest } from '../../trainer/evaluate.ts';
import { randomFor } from '../../trainer/random.ts';
import { auroc, aurocWithInterval, quantile } from '../../trainer/statistics/auroc.ts';
import { betaQuantile, falseAlarmRange, wilson } from '../../trainer/statistics/rates.ts';

import { encode, noisyPixels } from '../support/images.ts';

/** By the definition: every pair, ties half. */
function auroByPairs(good: readonly number[], poor: readonly number[]): number {
  let wins = 0;
  for (const p of poor) for (const g of good) wins += p > g ? 1 : p === g ? 0.5 : 0;
  return wins / (good.length * poor.length);
}

test('AUROC equals counting every pair, with ties, on random scores', () => {
  const random = randomFor(1, 'auroc');
  for (let round = 0; round < 200; round++) {
    const draw = (n: number) => Array.from({ length: n }, () => Math.floor(random() * 12));
    const good = draw(1 + Math.floor(random() * 20));
    const poor = draw(1 + Math.floor(random() * 20));
    assert.ok(Math.abs(auroc(good, poor) - auroByPairs(good, poor)) < 1e-12);
  }
});

test('AUROC is signed: scores the wrong way round give less than one half', () => {
  assert.equal(auroc([3, 4], [1, 2]), 0);
  assert.equal(auroc([1, 2], [3, 4]), 1);
  assert.equal(auroc([1, 1], [1, 1]), 0.5);
});

test('the bootstrap interval is that of drawing both classes again, and follows from the seed', () => {
  const random = randomFor(2, 'scores');
  const good = Array.from({ length: 40 }, () => random());
  const poor = Array.from({ length: 60 }, () => random() + 0.4);
  const { value, low, high } = aurocWithInterval(good, poor, 7);
  assert.equal(value, auroc(good, poor));
  assert.deepEqual(aurocWithInterval(good, poor, 7), { value, low, high });
  // An independent bootstrap, by pairs and with other random numbers, agrees within its own noise.
  const other = randomFor(99, 'reference');
  const again = (from: number[]) => from.map(() => from[Math.floor(other() * from.length)]!);
  const values = Array.from({ length: 2000 }, () => auroByPairs(again(good), again(poor))).sort(
    (a, b) => a - b,
  );
  assert.ok(Math.abs(low - values[50]!) < 0.01, `${low} against ${values[50]}`);
  assert.ok(Math.abs(high - values[1949]!) < 0.01, `${high} against ${values[1949]}`);
});

test('quantiles lie between order statistics as NumPy has them', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
  assert.equal(quantile([1, 2, 3, 4], 0.95), 3.8499999999999996);
  assert.equal(quantile([5], 0.95), 5);
});

test('Wilson interval: published values', () => {
  // Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  for (const [hits, count, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    const interval = wilson(hits, count);
    assert.equal(interval.low.toFixed(4), low.toFixed(4));
    assert.equal(interval.high.toFixed(4), high.toFixed(4));
  }
});

test('beta quantiles: closed forms, and simulation by order statistics', () => {
  assert.ok(Math.abs(betaQuantile(0.3, 1, 1) - 0.3) < 1e-12);
  assert.ok(Math.abs(betaQuantile(0.05, 1, 10) - (1 - 0.95 ** (1 / 10))) < 1e-12);
  assert.ok(Math.abs(betaQuantile(0.95, 8, 1) - 0.95 ** (1 / 8)) < 1e-12);
  const random = randomFor(3, 'beta');
  const third = Array.from({ length: 4000 }, () => {
    const sorted = Array.from({ length: 12 }, () => random()).sort((a, b) => a - b);
    return sorted[2]!;
  }).sort((a, b) => a - b);
  assert.ok(Math.abs(betaQuantile(0.05, 3, 10) - quantile(third, 0.05)) < 0.01);
});

test('realised false alarms of alpha = 5 % with 100 images lie between 2.0 and 8.9 %', () => {
  const { low, high } = falseAlarmRange(5, 100);
  assert.equal((100 * low).toFixed(1), '2.0');
  assert.equal((100 * high).toFixed(1), '8.9');
});

test('trivial rules hold small values for poor, and are signed; rates follow from verdicts', () => {
  const image = (label: 'good' | 'poor', verdict: 'pass' | 'review', bytes: number, mean: number) => ({
    name: '',
    label,
    verdict,
    score: bytes,
    properties: { bytes, mean, deviation: 1, sharpness: bytes === 4 ? 1 : 2 },
  });
  const summary = summarizeTest(
    [
      image('good', 'pass', 3, 10),
      image('good', 'review', 4, 20),
      image('poor', 'review', 1, 15),
      image('poor', 'review', 2, 30),
      image('poor', 'pass', 2, 30),
    ],
    1,
  );
  assert.deepEqual(
    summary.baselines.map(({ name, auroc }) => [name, Number(auroc.toFixed(4))]),
    [
      ['File size', 1],
      ['Mean grey', 0.1667],
      ['Standard deviation of grey', 0.5],
      ['Central sharpness', 0.25],
    ],
  );
  assert.equal(summary.auroc!.value, 0);
  assert.deepEqual([summary.detection.hits, summary.detection.count], [2, 3]);
  assert.deepEqual([summary.falseAlarms.hits, summary.falseAlarms.count], [1, 2]);
  assert.deepEqual([summary.accuracy.hits, summary.accuracy.count], [3, 5]);
  assert.equal(summary.flagEverything, 0.6);
});

test('sharpness falls with blur, and is measured in the centre alone', async () => {
  const draw = (blurCentre: boolean, blurRim: boolean) => {
    const pixels = noisyPixels(256, 1);
    for (let y = 0; y < 256; y++)
      for (let x = 0; x < 256; x++) {
        const inCentre = Math.max(Math.abs(x - 127.5), Math.abs(y - 127.5)) < 80;
        if (inCentre ? blurCentre : blurRim) pixels.fill(128, (y * 256 + x) * 3, (y * 256 + x) * 3 + 3);
      }
    return encode(pixels, 256, 'png').then(propertiesOf);
  };
  const sharp = await draw(false, false);
  const rim = await draw(false, true);
  const centre = await draw(true, false);
  assert.ok(Math.abs(sharp.sharpness - rim.sharpness) < 0.01);
  assert.ok(centre.sharpness < sharp.sharpness - 1);
  assert.ok(rim.deviation < sharp.deviation);
});
