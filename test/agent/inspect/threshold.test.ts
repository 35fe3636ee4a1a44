import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../../agent/inspect/judge.ts';
import { conformalP, deriveBounds, smallestAlpha } from '../../../agent/inspect/threshold.ts';
import { random } from '../../support/images.ts';

const ascending = (values: number[]) => values.sort((a, b) => a - b);

test('conformal: review exactly when p <= alpha, for random scores with ties', () => {
  const uniform = random(1);
  for (let round = 0; round < 500; round++) {
    const n = 5 + Math.floor(uniform() * 60);
    const levels = 2 + Math.floor(uniform() * 30); // few levels: many ties
    const scores = ascending(Array.from({ length: n }, () => Math.floor(uniform() * levels)));
    const alpha = Math.max(smallestAlpha(n), uniform() * 0.5);
    const bounds = deriveBounds({ rule: 'conformal', alpha }, scores);
    for (let score = -1; score <= levels; score += 0.5) {
      const p = (1 + scores.filter((s) => s >= score).length) / (n + 1);
      assert.equal(conformalP(score, scores), p);
      const { verdict } = judge(score, bounds, scores);
      assert.equal(
        verdict,
        p <= alpha + 1e-12 ? 'review' : 'pass',
        `n ${n}, alpha ${alpha}, score ${score}, p ${p}`,
      );
    }
  }
});

test('conformal: an exchangeable capture is called for review with probability at most alpha', () => {
  const uniform = random(2);
  const alpha = 0.1;
  let reviews = 0;
  const rounds = 20_000;
  for (let round = 0; round < rounds; round++) {
    const scores = ascending(Array.from({ length: 29 }, uniform));
    const { verdict } = judge(uniform(), deriveBounds({ rule: 'conformal', alpha }, scores), scores);
    if (verdict === 'review') reviews++;
  }
  // Exactly alpha here (29 + 1 divides by 10): 4 standard deviations of the simulation.
  assert.ok(
    Math.abs(reviews / rounds - alpha) < 4 * Math.sqrt((alpha * (1 - alpha)) / rounds),
    `${reviews / rounds}`,
  );
});

test('conformal: alpha that needs more scores is refused with the smallest possible one', () => {
  const scores = Array.from({ length: 18 }, (_, i) => i);
  assert.throws(
    () => deriveBounds({ rule: 'conformal', alpha: 0.05 }, scores),
    /smallest possible is 0\.0527.*at least 19/,
  );
  assert.equal(deriveBounds({ rule: 'conformal', alpha: smallestAlpha(18) }, scores).upper, 17);
  assert.equal(deriveBounds({ rule: 'conformal', alpha: 0.05 }, [...scores, 18]).upper, 18);
});

test('mean-std and quantile agree with NumPy (population sd; quantile type 7)', () => {
  const scores = [0, 1, 2, 3, 8];
  assert.ok(
    Math.abs(deriveBounds({ rule: 'mean-std', k: 1 }, scores).upper - (2.8 + 2.7856776554368237)) < 1e-12,
  );
  assert.ok(Math.abs(deriveBounds({ rule: 'quantile', q: 0.9 }, scores).upper - 6) < 1e-12);
  assert.equal(deriveBounds({ rule: 'fixed', value: 7 }, scores).upper, 7);
});

test('both sides: a score below the lower bound is called for review', () => {
  const bounds = { lower: 1, upper: 2 };
  assert.deepEqual(
    [0.5, 1, 1.5, 2, 2.5].map((s) => judge(s, bounds, [1, 2]).reason),
    ['below-threshold', null, null, null, 'above-threshold'],
  );
});

test('z-score has bounds on both sides, mad is robust, f1 cannot be had from good scores alone', () => {
  const scores = [1, 2, 3, 4, 100];
  const both = deriveBounds({ rule: 'z-score', k: 2 }, [0, 0, 2, 2]);
  assert.deepEqual(both, { lower: -1, upper: 3 });
  assert.deepEqual(judge(-1.5, both, [0, 0, 2, 2]).reason, 'below-threshold');
  const mad = deriveBounds({ rule: 'mad', k: 3 }, scores);
  assert.ok(Math.abs(mad.upper - (3 + 3 * 1.4826)) < 1e-12);
  assert.equal(mad.lower, null);
  assert.throws(() => deriveBounds({ rule: 'f1' }, scores), /needs labelled images.*--bad/);
});
