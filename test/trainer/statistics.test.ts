import assert from 'node:assert/strict';
import test from 'node:test';
import { betaQuantile, falseAlarmRange } from '../../agent/inspect/falseAlarms.ts';
import { quantile } from '../../agent/inspect/quantile.ts';
import { type Random, randomFor } from '../../trainer/random.ts';
import { auroc } from '../../trainer/statistics/auroc.ts';
import {
  countGroups,
  differenceOfAuroc,
  estimateRanking,
  type GroupedImage,
} from '../../trainer/statistics/bootstrap.ts';
import { classify } from '../../trainer/statistics/classification.ts';
import { figuresOf, rank } from '../../trainer/statistics/ranking.ts';
import { wilson } from '../../trainer/statistics/rates.ts';
import { sweepThresholds } from '../../trainer/statistics/sweep.ts';

const close = (actual: number, expected: number, tolerance = 1e-12) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} against ${expected}`);

const scores = (count: number, draw: Random, from: number) =>
  Array.from({ length: count }, () => from + draw());

/** Few distinct values, so that ties are many. */
const tied = (count: number, draw: Random) => Array.from({ length: count }, () => Math.floor(draw() * 12));

const labelled = (good: readonly number[], poor: readonly number[]): GroupedImage[] => [
  ...good.map((score) => ({ score, poor: false, group: null })),
  ...poor.map((score) => ({ score, poor: true, group: null })),
];

/** By the definition: every pair, ties half. */
function aurocByPairs(good: readonly number[], poor: readonly number[]): number {
  let wins = 0;
  for (const p of poor) for (const g of good) wins += p > g ? 1 : p === g ? 0.5 : 0;
  return wins / (good.length * poor.length);
}

/** By the definition: at each distinct score, gain in recall times precision, counted anew every time. */
function averagePrecisionByCounting(good: readonly number[], poor: readonly number[]): number {
  const at = (of: readonly number[], t: number) => of.filter((s) => s >= t).length;
  const distinct = [...new Set([...good, ...poor])].sort((a, b) => b - a);
  let [sum, before] = [0, 0];
  for (const t of distinct) {
    const recall = at(poor, t) / poor.length;
    sum += ((recall - before) * at(poor, t)) / (at(poor, t) + at(good, t));
    before = recall;
  }
  return sum;
}

/** Best share of poor images above a threshold that has at most `share` of the good ones above it. */
function detectionByTrying(good: readonly number[], poor: readonly number[], share: number): number {
  let best = 0;
  for (const t of [...good, ...poor, Number.NEGATIVE_INFINITY])
    if (good.filter((s) => s > t).length <= share * good.length + 1e-9)
      best = Math.max(best, poor.filter((s) => s > t).length / poor.length);
  return best;
}

test('AUROC, average precision and detection equal their definitions, with ties, on random scores', () => {
  const random = randomFor(1, 'figures');
  for (let round = 0; round < 200; round++) {
    const good = tied(1 + Math.floor(random() * 20), random);
    const poor = tied(1 + Math.floor(random() * 20), random);
    const images = labelled(good, poor);
    const figures = figuresOf(rank(images), [0.01, 0.1, 0.3], new Uint8Array(images.length).fill(1));
    close(auroc(good, poor), aurocByPairs(good, poor));
    close(figures.auroc, aurocByPairs(good, poor));
    close(figures.auprc, averagePrecisionByCounting(good, poor));
    for (const [i, share] of [0.01, 0.1, 0.3].entries())
      close(figures.detection[i]!, detectionByTrying(good, poor, share));
  }
});

test('a weight of n counts an image n times, of none not at all', () => {
  const random = randomFor(2, 'weights');
  for (let round = 0; round < 100; round++) {
    const images = labelled(tied(8, random), tied(9, random));
    const weight = images.map((_, i) => (i === 0 || i === 8 ? 1 : Math.floor(random() * 4)));
    const spelledOut = images.flatMap((image, i) => Array.from({ length: weight[i]! }, () => image));
    const weighted = figuresOf(rank(images), [0.1, 0.3], weight);
    const plain = figuresOf(rank(spelledOut), [0.1, 0.3], new Uint8Array(spelledOut.length).fill(1));
    close(weighted.auroc, plain.auroc);
    close(weighted.auprc, plain.auprc);
    assert.deepEqual(weighted.detection, plain.detection);
  }
});

test('AUROC is signed: scores the wrong way round give less than one half', () => {
  assert.equal(auroc([3, 4], [1, 2]), 0);
  assert.equal(auroc([1, 2], [3, 4]), 1);
  assert.equal(auroc([1, 1], [1, 1]), 0.5);
  assert.equal(estimateRanking(labelled([3, 4], [1, 2]), [], 1).auroc.value, 0);
});

test('average precision of a worked example', () => {
  // scikit-learn's documentation of average_precision_score: labels 0 0 1 1, scores .1 .4 .35 .8 give 0.8333.
  const { auprc } = estimateRanking(labelled([0.1, 0.4], [0.35, 0.8]), [], 1);
  close(auprc.value, 0.5 + 0.5 * (2 / 3));
});

test('without groups the interval is that of drawing both labels again, and follows from the seed', () => {
  const random = randomFor(2, 'scores');
  const [good, poor] = [scores(40, random, 0), scores(60, random, 0.4)];
  const first = estimateRanking(labelled(good, poor), [0.1], 7);
  assert.deepEqual(estimateRanking(labelled(good, poor), [0.1], 7), first);
  assert.notDeepEqual(estimateRanking(labelled(good, poor), [0.1], 8), first);
  // An independent bootstrap, by the definitions and with other random numbers, agrees within its own noise.
  const other = randomFor(99, 'reference');
  const again = (from: number[]) => from.map(() => from[Math.floor(other() * from.length)]!);
  const drawn = Array.from({ length: 2000 }, () => [again(good), again(poor)] as const);
  for (const [estimate, by, tolerance] of [
    [first.auroc, aurocByPairs, 0.01],
    [first.auprc, averagePrecisionByCounting, 0.01],
    [first.detection[0]!, (g: number[], p: number[]) => detectionByTrying(g, p, 0.1), 0.04],
  ] as const) {
    const values = drawn.slice(0, by === aurocByPairs ? 2000 : 600).map(([g, p]) => by(g, p));
    values.sort((a, b) => a - b);
    close(estimate.low, quantile(values, 0.025), tolerance);
    close(estimate.high, quantile(values, 0.975), tolerance);
  }
});

/** Variance of an AUROC, and covariance of two, by placements (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44). */
function delong(good: readonly number[][], poor: readonly number[][]): number[][] {
  const over = (p: number, g: number) => (p > g ? 1 : p === g ? 0.5 : 0);
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const ofPoor = poor.map((ps, m) => ps.map((p) => mean(good[m]!.map((g) => over(p, g)))));
  const ofGood = good.map((gs, m) => gs.map((g) => mean(poor[m]!.map((p) => over(p, g)))));
  const covariance = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, v, i) => sum + (v - mean(a)) * (b[i]! - mean(b)), 0) / (a.length - 1);
  return good.map((_, i) =>
    good.map(
      (_, j) =>
        covariance(ofPoor[i]!, ofPoor[j]!) / poor[0]!.length +
        covariance(ofGood[i]!, ofGood[j]!) / good[0]!.length,
    ),
  );
}

test('intervals of one AUROC and of a difference are as wide as those of DeLong, within 10 %', () => {
  const random = randomFor(5, 'delong');
  const good = scores(200, random, 0);
  const poor = scores(300, random, 0.3);
  const noise = (from: readonly number[]) => from.map((s) => s + 0.4 * random());
  const [good2, poor2] = [noise(good), noise(poor)];
  const images = labelled(good, poor);
  const [[v1, cov], [, v2]] = delong([good, good2], [poor, poor2]) as [[number, number], [number, number]];
  const width = ({ low, high }: { low: number; high: number }) => (high - low) / 2 / 1.96;
  const single = width(estimateRanking(images, [], 1).auroc) / Math.sqrt(v1);
  assert.ok(single > 0.9 && single < 1.1, `ratio ${single}`);
  const difference = differenceOfAuroc(images, [...good2, ...poor2], 1);
  close(difference.value, aurocByPairs(good2, poor2) - aurocByPairs(good, poor));
  const paired = width(difference) / Math.sqrt(v1 + v2 - 2 * cov);
  assert.ok(paired > 0.9 && paired < 1.1, `ratio ${paired}`);
  assert.ok(
    width(difference) < 0.8 * Math.sqrt(v1 + v2),
    'pairing makes it narrower than two separate draws',
  );
});

test('a difference is told from chance, and nothing from nothing', () => {
  const random = randomFor(6, 'difference');
  const [good, poor] = [scores(100, random, 0), scores(100, random, 0.2)];
  const images = labelled(good, poor);
  const better = differenceOfAuroc(images, [...good, ...poor.map((s) => s + 0.3)], 1);
  assert.ok(better.low > 0 && better.p < 0.01);
  const same = differenceOfAuroc(images, [...good, ...poor], 1);
  assert.deepEqual([same.value, same.low, same.high, same.p], [0, 0, 0, 1]);
});

test('copies of an image within a group add no certainty; as images of their own they would', () => {
  const random = randomFor(7, 'groups');
  const images = labelled(scores(30, random, 0), scores(30, random, 0.3));
  const alone = estimateRanking(images, [], 1).auroc;
  const tenfold = (group: (i: number) => string | null) =>
    images.flatMap((image, i) => Array.from({ length: 10 }, () => ({ ...image, group: group(i) })));
  const width = ({ low, high }: { low: number; high: number }) => high - low;
  const grouped = estimateRanking(tenfold(String), [], 1).auroc;
  close(grouped.low, alone.low);
  close(grouped.high, alone.high);
  const ungrouped = estimateRanking(
    tenfold(() => null),
    [],
    1,
  ).auroc;
  assert.ok(width(ungrouped) < 0.5 * width(alone));
});

test('a group may hold both labels: it is drawn as one', () => {
  const random = randomFor(8, 'mixed');
  // Every patient has one good and one poor image, and patients differ by far more than their two images do.
  const patients = Array.from({ length: 25 }, (_, i) => ({ group: `p${i}`, level: 5 * random() }));
  const images = patients.flatMap(({ group, level }) => [
    { group, score: level, poor: false },
    { group, score: level + 0.5, poor: true },
  ]);
  const grouped = estimateRanking(images, [], 1).auroc;
  const separate = estimateRanking(
    images.map((image) => ({ ...image, group: null })),
    [],
    1,
  ).auroc;
  assert.ok(grouped.high - grouped.low < 0.7 * (separate.high - separate.low));
  assert.ok(grouped.low > 0.5, 'within every patient the poor image is above');
});

test('of one single group nothing follows for others: the interval is everything', () => {
  const images = labelled([1, 2, 3], [2, 3, 4]).map((image) => ({ ...image, group: image.poor ? 'b' : 'a' }));
  const { low, high } = estimateRanking(images, [], 1).auroc;
  assert.deepEqual([low, high], [0, 1]);
  const difference = differenceOfAuroc(images, [1, 2, 3, 4, 5, 6], 1);
  assert.deepEqual([difference.low, difference.high, difference.p], [-1, 1, 1]);
});

test('groups are counted with images that have none as groups of their own', () => {
  const image = (group: string | null) => ({ group });
  assert.equal(countGroups([image('a'), image('a'), image(null), image(null)]), 3);
  assert.equal(countGroups([image(null), image(null)]), null);
});

test('the threshold of the best F1 equals trying every one, and lies midway between two scores', () => {
  const random = randomFor(9, 'sweep');
  for (let round = 0; round < 100; round++) {
    const good = tied(2 + Math.floor(random() * 20), random);
    const poor = tied(2 + Math.floor(random() * 20), random);
    const distinct = [...new Set([...good, ...poor])].sort((a, b) => a - b);
    if (distinct.length < 2) continue;
    const { sweep, chosen } = sweepThresholds(good, poor);
    const f1 = (t: number) => {
      const [tp, fp] = [poor.filter((s) => s > t).length, good.filter((s) => s > t).length];
      return (2 * tp) / (tp + fp + poor.length);
    };
    close(chosen.f1, Math.max(...distinct.slice(0, -1).map(f1)));
    close(f1(chosen.threshold), chosen.f1);
    const above = distinct.findIndex((s) => s > chosen.threshold);
    close(chosen.threshold, (distinct[above]! + distinct[above - 1]!) / 2);
    assert.equal(sweep.length, distinct.length - 1);
    for (const { threshold, precision, recall, f1 } of sweep) {
      const called = [...good, ...poor].filter((s) => s > threshold).length;
      const caught = poor.filter((s) => s > threshold).length;
      close(precision, caught / called);
      close(recall, caught / poor.length);
      close(f1, (2 * precision * recall) / (precision + recall || 1));
    }
  }
});

test('a sweep over thousands keeps 200 points at most, ascending, with the chosen one', () => {
  const random = randomFor(10, 'long sweep');
  const { sweep, chosen } = sweepThresholds(scores(3000, random, 0), scores(2000, random, 0.5));
  assert.ok(sweep.length <= 200 && sweep.length > 190);
  assert.ok(sweep.some(({ threshold }) => threshold === chosen.threshold));
  assert.ok(sweep.every(({ threshold }, i) => i === 0 || threshold > sweep[i - 1]!.threshold));
});

test('a sweep without anything to choose says what to do', () => {
  assert.throws(() => sweepThresholds([1, 2], []), /2 good and 0 poor .*--good and --bad/);
  assert.throws(() => sweepThresholds([1, 1], [1]), /All 3 labelled images have the same score/);
});

test('precision, recall and F1 of each label', () => {
  const { good, poor } = classify({ count: 10, called: 2 }, { count: 5, called: 4 });
  assert.deepEqual(poor, { precision: 4 / 6, recall: 4 / 5, f1: 8 / 11, support: 5 });
  assert.deepEqual(good, { precision: 8 / 9, recall: 8 / 10, f1: 16 / 19, support: 10 });
  const none = classify({ count: 3, called: 0 }, { count: 0, called: 0 }).poor;
  assert.deepEqual(none, { precision: null, recall: null, f1: null, support: 0 });
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
  close(betaQuantile(0.3, 1, 1), 0.3);
  close(betaQuantile(0.05, 1, 10), 1 - 0.95 ** (1 / 10));
  close(betaQuantile(0.95, 8, 1), 0.95 ** (1 / 8));
  const random = randomFor(3, 'beta');
  const third = Array.from({ length: 4000 }, () => {
    const sorted = Array.from({ length: 12 }, () => random()).sort((a, b) => a - b);
    return sorted[2]!;
  }).sort((a, b) => a - b);
  close(betaQuantile(0.05, 3, 10), quantile(third, 0.05), 0.01);
});

test('realised false alarms of alpha = 5 % with 100 images lie between 2.0 and 8.9 %', () => {
  const { low, high } = falseAlarmRange(5, 100);
  assert.equal((100 * low).toFixed(1), '2.0');
  assert.equal((100 * high).toFixed(1), '8.9');
});
