import assert from 'node:assert/strict';
import test from 'node:test';
import {
  kolmogorovSmirnov,
  mannWhitney,
  spearman,
  twoSided,
  upperNormalQuantile,
} from '../../trainer/evaluation/warnings/two-sample.ts';
import { randomFor } from '../../trainer/random.ts';
import { normal } from './warnings-input.ts';

const near = (a: number, b: number, tolerance: number) =>
  assert.ok(Math.abs(a - b) <= tolerance, `${a}, expected ${b}`);

test('tails of the normal distribution: tabled values', () => {
  near(twoSided(0), 1, 1e-6);
  near(twoSided(1.959963985), 0.05, 1e-7);
  near(twoSided(3.290526731), 0.001, 1e-9);
  near(upperNormalQuantile(0.025), 1.959963985, 1e-5);
  near(upperNormalQuantile(1e-5), 4.264890794, 1e-4);
});

test('Kolmogorov-Smirnov: the distance by hand, the p-value at the tabled critical distance', () => {
  assert.equal(kolmogorovSmirnov([1, 2, 3, 4], [3, 4, 5, 6]).distance, 0.5);
  assert.equal(kolmogorovSmirnov([1, 1, 1], [1, 1]).distance, 0);
  // Critical distance at 5 %: 1.358 sqrt((n + m) / (n m)), Smirnov 1948.
  const line = (n: number, from: number) => Array.from({ length: n }, (_, i) => from + i);
  const { distance, p } = kolmogorovSmirnov(line(10000, 0), line(10000, 192));
  near(distance, 0.0192, 1e-9);
  near(p, 0.05, 0.002);
});

test('without a difference, p-values are small as rarely as they say', () => {
  const random = randomFor(1, 'null');
  const rounds = 2000;
  const below = { mannWhitney: 0, kolmogorovSmirnov: 0, spearman: 0, tied: 0 };
  for (let i = 0; i < rounds; i++) {
    const a = Array.from({ length: 40 }, () => normal(random));
    const b = Array.from({ length: 70 }, () => normal(random));
    below.mannWhitney += mannWhitney(a, b) < 0.05 ? 1 : 0;
    below.kolmogorovSmirnov += kolmogorovSmirnov(a, b).p < 0.05 ? 1 : 0;
    below.spearman += spearman(a, b.slice(0, 40)).p < 0.05 ? 1 : 0;
    const coarse = (values: number[]) => values.map((v) => Math.round(v));
    below.tied += mannWhitney(coarse(a), coarse(b)) < 0.05 ? 1 : 0;
  }
  // 5 % of 2000 is 100, with a standard deviation of 10; Kolmogorov-Smirnov is known to be conservative.
  for (const [name, hits] of Object.entries(below))
    assert.ok(hits <= 130 && hits >= (name === 'kolmogorovSmirnov' ? 40 : 70), `${name}: ${hits}`);
});

test('differences are found, in place and in spread, and a trend in either direction', () => {
  const random = randomFor(2, 'shift');
  const a = Array.from({ length: 80 }, () => normal(random));
  assert.ok(
    mannWhitney(
      a,
      a.map((v) => v + 1),
    ) < 1e-6,
  );
  assert.ok(
    kolmogorovSmirnov(
      a,
      a.map((v) => 4 * v),
    ).p < 1e-3,
  );
  const order = a.map((_, i) => i);
  assert.equal(spearman(order, order).rho, 1);
  assert.equal(spearman(order, order.toReversed()).rho, -1);
  // By hand: ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24).
  near(spearman([1, 2, 3, 4, 5], [20, 10, 40, 30, 50]).rho, 0.8, 1e-12);
});

test('nothing to tell: empty or constant samples', () => {
  assert.equal(mannWhitney([], [1]), 1);
  assert.equal(mannWhitney([2, 2], [2, 2, 2]), 1);
  assert.deepEqual(kolmogorovSmirnov([], [1]), { distance: 0, p: 1 });
  assert.deepEqual(spearman([1, 1, 1], [1, 2, 3]), { rho: 0, p: 1 });
});
