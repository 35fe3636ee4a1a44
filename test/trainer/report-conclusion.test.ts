import assert from 'node:assert/strict';
import test from 'node:test';
import type { Threshold, ThresholdRule } from '../../config/threshold.ts';
import { caughtAt } from '../../trainer/evaluation/baselines.ts';
import type { Baseline } from '../../trainer/evaluation/types.ts';
import type { EvaluationMetrics } from '../../trainer/metrics.ts';
import { balancedRange, conclude, headline, usable } from '../../trainer/report/conclusion.ts';
import { renderReport } from '../../trainer/report/report.ts';
import { bestRanking, nearestRule } from '../../trainer/report/rules.ts';
import { thresholdOrigin } from '../../trainer/report/threshold.ts';
import { wilson } from '../../trainer/statistics/rates.ts';
import { allShapes, auto, fundus as recipe } from './report-shapes.ts';
import { evaluationMetrics, fitMetrics, scores } from './reportMetrics.ts';

const all = allShapes();
const GOOD = scores(100, 0.01, 0.25, 2);

/** `one kind`, with other counts at its threshold and other trivial rules. */
function withCounts(
  alarms: number,
  caught: number,
  { rules = [], twoSided = false }: { rules?: readonly Baseline[]; twoSided?: boolean } = {},
): EvaluationMetrics {
  const base = evaluationMetrics({ recipe, good: GOOD, kinds: { poor: scores(100, 0.022, 0.4, 3) } });
  const rate = (hits: number) => ({ hits, count: 100, value: hits / 100, ...wilson(hits, 100) });
  const { calibration, evaluation } = base;
  return {
    ...base,
    calibration: {
      ...calibration,
      threshold: { ...calibration.threshold, lower: twoSided ? 0.001 : null },
    },
    evaluation: {
      ...evaluation!,
      detection: rate(caught),
      falseAlarms: rate(alarms),
      balancedAccuracy: (caught + 100 - alarms) / 200,
      baselines: rules,
    },
  };
}

const rule = (caught: number, auroc: number, name = 'File size'): Baseline => ({
  ...{ name, rule: 'small files are poor', auroc, caught },
});

test('the answer says plainly what the figures show', () => {
  assert.equal(usable(all['one kind']!), 'yes');
  assert.match(conclude(all['one kind']!).join(' '), /Of 100 poor captures about \d+ are caught/);
  assert.match(headline(all['wrong way round']!), /wrong way round.*Do not use it/);
  assert.match(conclude(all['no test']!).join(' '), /is not known/);
  assert.match(headline(all['one epoch, tiny']!), /^The test is too small to show/);
  assert.equal(usable(all['two-sided']!), 'yes');
  assert.equal(
    headline(withCounts(5, 83)),
    'It catches 83 of 100 poor captures and calls 5 of 100 good ones by mistake',
  );
  assert.equal(
    headline(withCounts(0, 100)),
    'It catches all 100 poor captures and calls none of 100 good ones by mistake',
  );
});

test('the third sentence says what the nearest trivial rule catches at as many false alarms', () => {
  const nearest = [rule(0.1, 0.9, 'Mean grey'), rule(0.79, 0.7), rule(0.2, 0.6, 'Other')];
  assert.match(
    conclude(withCounts(5, 83, { rules: nearest }))[2],
    /^The nearest trivial rule, file size \(small files are poor\), catches about 79 of 100 when it calls as many good ones; .*that rule with 0\.70, mean grey .* with 0\.90\.$/,
  );
  assert.match(
    conclude(withCounts(5, 60, { rules: nearest }))[2],
    /^A trivial rule, .*, more than the model,/,
  );
  assert.match(
    conclude(withCounts(0, 79, { rules: nearest }))[2],
    /just as many, when it, too, calls no good/,
  );
  assert.match(conclude(withCounts(5, 60))[2], /^No trivial rule could be set beside it/);
  assert.equal(nearestRule(nearest)?.caught, 0.79);
  assert.equal(bestRanking(nearest)?.name, 'Mean grey');
});

test('a threshold that calls over a quarter of the good or misses over half of the poor is not praised', () => {
  assert.equal(usable(withCounts(25, 50)), 'yes');
  assert.match(
    headline(withCounts(26, 90)),
    /^It ranks poor above good, but its threshold calls 26 of 100 good/,
  );
  assert.match(headline(withCounts(5, 49)), /but its threshold catches only 49 of 100 poor ones$/);
  assert.match(
    headline(withCounts(30, 40)),
    /calls 30 of 100 good ones and catches only 40 of 100 poor ones$/,
  );
  for (const [alarms, caught] of [[26, 90], [5, 49], [30, 40]] as const) // biome-ignore format: pairs
    assert.equal(usable(withCounts(alarms, caught)), 'weak');
});

test('a model no better than a trivial rule is not praised, by what is caught and by how it ranks', () => {
  for (const baseline of [rule(0.83, 0.6), rule(0.1, 0.999)]) {
    const metrics = withCounts(5, 83, { rules: [baseline] });
    assert.equal(usable(metrics), 'weak');
    assert.match(headline(metrics), /a trivial rule does as well or better$/);
  }
  assert.equal(usable(withCounts(5, 83, { rules: [rule(0.82, 0.6)] })), 'yes');
  const unknown = { ...rule(0, 0), auroc: null, caught: null };
  assert.equal(usable(withCounts(5, 83, { rules: [unknown] })), 'yes');
});

test('two bounds are judged by the balanced accuracy, not by the ranking', () => {
  const twoSided = (alarms: number, caught: number, rules: readonly Baseline[] = []) =>
    withCounts(alarms, caught, { rules, twoSided: true });
  assert.equal(usable(twoSided(10, 12)), 'no');
  assert.equal(usable(twoSided(5, 83, [rule(0.1, 0.999)])), 'yes', 'a rule that ranks better catches less');
  assert.match(conclude(twoSided(5, 83))[2], /balanced accuracy, 89 %/);
  assert.match(renderReport(twoSided(5, 83), []), /Balanced accuracy of its decisions/);
  assert.doesNotMatch(renderReport(twoSided(5, 83), []), /<dt>Ranks poor above good/);
});

test('the interval of the balanced accuracy is that of Newcombe, method 10', () => {
  // His table II, example (a): 56 of 70 against 48 of 80, difference 0.0524 to 0.3339.
  const rate = (hits: number, count: number) => ({
    hits,
    count,
    value: hits / count,
    ...wilson(hits, count),
  });
  const { low, high } = balancedRange({ detection: rate(56, 70), falseAlarms: rate(48, 80) });
  assert.ok(Math.abs(2 * low - 1 - 0.0524) < 1e-4 && Math.abs(2 * high - 1 - 0.3339) < 1e-4);
});

test('what a rule catches at a number of false alarms shares ties', () => {
  assert.equal(caughtAt(0, [1, 2], [3, 4]), 1);
  assert.equal(caughtAt(0, [3, 4], [1, 2]), 0);
  assert.equal(caughtAt(1, [1, 3], [2, 4]), 1);
  assert.equal(caughtAt(0, [1, 3], [2, 4]), 0.5);
  assert.equal(caughtAt(1, [5, 5], [5, 5]), 0.5, 'half of those that are equal');
  assert.equal(caughtAt(1, [5, 5, 5, 5], [9, 5, 5, 1]), (1 + 2 / 4) / 4);
  assert.equal(caughtAt(2, [1, 2], [0, 0]), 1, 'all good ones may be called');
});

test('each rule of thresholds says in the page what it is and what it promises', () => {
  const said: readonly [ThresholdRule, number | null, RegExp][] = [
    [
      { rule: 'conformal', alpha: 0.05 },
      null,
      /comes from the scores of 99 good images.*at most 5 % of good/,
    ],
    [{ rule: 'mean-std', k: 1 }, null, /is the mean plus 1 standard deviation of .*promises no/],
    [{ rule: 'mean-std', k: -0.5 }, null, /is the mean minus 0\.5 standard deviations/],
    [{ rule: 'quantile', q: 0.95 }, null, /is the 0\.95 quantile of the scores of 99 good images/],
    [{ rule: 'z-score', k: 3 }, 0.003, /^The bounds are the mean plus and minus 3 standard deviations/],
    [{ rule: 'mad', k: 3 }, null, /is the median plus 3 robust standard deviations \(1\.4826 times/],
    [{ rule: 'fixed', value: 0.015 }, null, /was fixed by hand; \d+ of 99 good images .*promises no/],
    [{ rule: 'f1' }, null, /was tuned on labelled images: .*; \d+ of 99 good images .*promises no/],
  ];
  for (const [rule, lower, pattern] of said) {
    const threshold: Omit<Threshold, 'revision'> = { rule, lower, upper: 0.015 };
    const metrics = fitMetrics({ recipe, threshold, good: GOOD, kinds: { poor: GOOD } });
    assert.match(thresholdOrigin(metrics), pattern);
    assert.match(thresholdOrigin(metrics), /that training never saw/);
  }
  assert.match(thresholdOrigin(fitMetrics({ recipe: auto })), /each scored by a model that training did not/);
});
