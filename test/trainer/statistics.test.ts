import assert from 'node:assert/strict';
import test from 'node:test';
import { randomFor } from '../../trainer/random.ts';
import { auroc, aurocWithInterval, quantile } from '../../trainer/statistics/auroc.ts';
import { betaQuantile, falseAlarmRange, wilson } from '../../trainer/statistics/rates.ts';

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
