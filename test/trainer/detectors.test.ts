import assert from 'node:assert/strict';
import test from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers'; // registers the gradients
import { shrunkCovariance } from '../../trainer/detectors/covariance.ts';
import type { Detector, FitDetectorOptions, Losses } from '../../trainer/detectors/detector.ts';
import { type DetectorOptions, fitDetectors } from '../../trainer/detectors/fit.ts';
import { type Matrix, matrixOf } from '../../trainer/detectors/matrix.ts';
import { oneCycle } from '../../trainer/detectors/one-cycle.ts';
import { makeSketch } from '../../trainer/detectors/sketch.ts';
import { randomFor } from '../../trainer/random.ts';
import { fuse, robustScaleOf } from '../../trainer/voices/fusion.ts';

await tf.setBackend('cpu');
tf.env().set('PROD', true);

const random = randomFor(1, 'detectors test');
const normal = () => Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
/** Correlated columns of different scale. */
const rowsOf = (count: number, columns: number): Float32Array[] =>
  Array.from({ length: count }, () => {
    const shared = normal();
    return Float32Array.from({ length: columns }, (_, i) => (1 + i) * (normal() + 0.7 * shared) + 3 * i);
  });

const OPTIONS: FitDetectorOptions = {
  ...{ places: null, seed: 1, epochs: 20, learningRate: 0.01, batchSize: 16 },
  ...{ signal: new AbortController().signal, onBatch: () => {} },
};

async function fit(rows: Matrix, detector: DetectorOptions, options = OPTIONS) {
  const losses: number[] = [];
  const training = fitDetectors([{ features: rows, validation: null, name: 'test' }], detector, options);
  while (true) {
    const { done, value } = await training.next();
    if (done) return { detector: value[0]!, losses };
    losses.push(value[0]!.loss);
  }
}

const scores = (detector: Detector, rows: readonly Float32Array[]): number[] => [
  ...tf.tidy(() =>
    detector.score(tf.tensor2d(matrixOf(rows).data, [rows.length, rows[0]!.length])).dataSync(),
  ),
];

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const column = (rows: readonly Float32Array[], c: number) => rows.map((row) => row[c]!);
const close = (got: number, expected: number, relative: number) =>
  assert.ok(Math.abs(got - expected) <= relative * Math.abs(expected), `${got}, expected ${expected}`);

test('autoencoders side by side are what each is alone', async () => {
  const sets = [40, 60].map((count, k) => ({
    features: matrixOf(rowsOf(count, 6)),
    validation: k === 0 ? matrixOf(rowsOf(10, 6)) : null,
    name: `set ${k}`,
  }));
  const fitted = async (some: typeof sets) => {
    const training = fitDetectors(
      some,
      { kind: 'autoencoder', hidden: 8, bottleneck: 2, noise: 0.3 },
      { ...OPTIONS, epochs: 3 },
    );
    const told: (readonly Losses[])[] = [];
    while (true) {
      const { done, value } = await training.next();
      if (done) return { detectors: value, told };
      told.push(value);
    }
  };
  const together = await fitted(sets);
  const far = rowsOf(5, 6);
  for (const [k, set] of sets.entries()) {
    const alone = await fitted([set]);
    for (const [epoch, losses] of alone.told.entries()) {
      close(together.told[epoch]![k]!.loss, losses[0]!.loss, 1e-4);
      const { validationLoss } = losses[0]!;
      if (k === 1) assert.equal(validationLoss, null);
      else close(together.told[epoch]![k]!.validationLoss!, validationLoss!, 1e-4);
    }
    const expected = scores(alone.detectors[0]!, far);
    for (const [i, got] of scores(together.detectors[k]!, far).entries()) close(got, expected[i]!, 1e-4);
  }
});

test('gaussian: the Euclidean norm of standardised features, far out too, more below the mean if so asked', async () => {
  const rows = rowsOf(50, 3);
  const { detector } = await fit(matrixOf(rows), { kind: 'gaussian', above: 0.25 });
  const far = [...rowsOf(3, 3), Float32Array.of(1e4, 0, 0), Float32Array.of(-1e4, 0, 0)];
  for (const [i, got] of scores(detector, far).entries()) {
    const z = [0, 1, 2].map((c) => {
      const values = column(rows, c);
      const m = mean(values);
      const standardised = (far[i]![c]! - m) / Math.sqrt(mean(values.map((v) => (v - m) ** 2)));
      return standardised > 0 ? 0.25 * standardised : standardised;
    });
    close(got, Math.hypot(...z), 0.02); // n or n - 1 in the deviation
  }
});

test('the covariance is shrunk as Ledoit and Wolf 2004 do it', () => {
  const [count, p] = [30, 5];
  const rows = rowsOf(count, p);
  const centred = rows.map((row) => Float32Array.from(row, (v, c) => v - mean(column(rows, c))));
  const got = shrunkCovariance(matrixOf(centred));
  // Their lemma 3.2 to 3.4, with norms divided by p.
  const S = Array.from({ length: p }, (_, i) =>
    Array.from({ length: p }, (_, j) => mean(centred.map((row) => row[i]! * row[j]!))),
  );
  const norm = (m: number[][]) => mean(m.map((row) => row.reduce((sum, v) => sum + v * v, 0)));
  const mu = mean(S.map((row, i) => row[i]!));
  const d2 = norm(S.map((row, i) => row.map((v, j) => v - (i === j ? mu : 0))));
  const each = centred.map((row) => norm(S.map((s, i) => s.map((v, j) => row[i]! * row[j]! - v))));
  const b2 = Math.min(mean(each) / count, d2);
  for (let i = 0; i < p; i++)
    for (let j = 0; j < p; j++) {
      const expected = (b2 / d2) * (i === j ? mu : 0) + (1 - b2 / d2) * S[i]![j]!;
      assert.ok(
        Math.abs(got[i * p + j]! - expected) < 1e-4 * mu,
        `${i}, ${j}: ${got[i * p + j]}, ${expected}`,
      );
    }
});

test('knn: the mean distance to the nearest, by brute force', async () => {
  const rows = rowsOf(40, 4);
  const { detector } = await fit(matrixOf(rows), { kind: 'knn', neighbours: 3, memory: 1000 });
  const ask = rowsOf(5, 4);
  const standard = [0, 1, 2, 3].map((c) => {
    const m = mean(column(rows, c));
    return { m, s: Math.sqrt(mean(column(rows, c).map((v) => (v - m) ** 2))) };
  });
  const z = (row: Float32Array) => standard.map(({ m, s }, c) => (row[c]! - m) / s);
  for (const [i, got] of scores(detector, ask).entries()) {
    const distances = rows.map((row) => Math.hypot(...z(row).map((v, c) => v - z(ask[i]!)[c]!)));
    close(got, mean(distances.sort((a, b) => a - b).slice(0, 3)), 0.02); // n or n - 1 in the deviation
  }
});

test('padim: the largest Mahalanobis distance of a place, as mahalanobis alone gives it', async () => {
  const rows = rowsOf(60, 6);
  const places = [
    [0, 2, 4],
    [1, 3, 5],
  ];
  const { detector } = await fit(matrixOf(rows), { kind: 'padim' }, { ...OPTIONS, places });
  const ask = rowsOf(5, 6);
  const pick = (some: readonly Float32Array[], place: readonly number[]) =>
    some.map((row) => Float32Array.from(place, (c) => row[c]!));
  const alone: number[][] = [];
  for (const place of places) {
    const one = await fit(matrixOf(pick(rows, place)), { kind: 'mahalanobis' });
    alone.push(scores(one.detector, pick(ask, place)));
  }
  for (const [i, got] of scores(detector, ask).entries())
    close(got, Math.max(alone[0]![i]!, alone[1]![i]!), 1e-3);
  await assert.rejects(
    fit(matrixOf(rows), { kind: 'padim' }),
    /padim asks for a voice with places, and test has none/,
  );
});

test('every detector: what is good scores lower than what breaks the pattern; equal input, equal scores', async () => {
  const all = rowsOf(230, 12);
  const [rows, fresh] = [all.slice(0, 200), all.slice(200)];
  // Each column as usual, and no longer going together.
  const broken = fresh.map((row) => row.map((v, i) => (i % 2 === 0 ? v : 6 * i - v)));
  const kinds: DetectorOptions[] = [
    { kind: 'mahalanobis' },
    { kind: 'pca', directions: 4 },
    { kind: 'padim' },
    { kind: 'knn', neighbours: 3, memory: 100 },
    { kind: 'autoencoder', hidden: 16, bottleneck: 3, noise: 0.1 },
  ];
  const options = { ...OPTIONS, places: [0, 1].map((half) => [0, 1, 2, 3, 4, 5].map((c) => 6 * half + c)) };
  for (const kind of kinds) {
    const { detector, losses } = await fit(matrixOf(rows), kind, options);
    const [good, poor] = [scores(detector, fresh), scores(detector, broken)];
    assert.ok(good.every((score) => score > 0));
    assert.ok(mean(poor) > 1.1 * mean(good), `${kind.kind}: ${mean(good)}, ${mean(poor)}`);
    const again = await fit(matrixOf(rows), kind, options);
    assert.deepEqual(scores(again.detector, fresh), good, kind.kind);
    if (kind.kind !== 'autoencoder') continue;
    assert.equal(losses.length, OPTIONS.epochs);
    assert.ok(losses.at(-1)! < losses[0]!, `${losses}`);
    const other = await fit(matrixOf(rows), kind, { ...OPTIONS, seed: 2 });
    assert.notDeepEqual(scores(other.detector, fresh), good);
  }
});

test('mahalanobis: of many features a sketch, which keeps distances and is the same in the graph', async () => {
  const rows = rowsOf(60, 700).map((row) => row.map((v, i) => (v - 3 * i) / (1 + i)));
  const sketch = makeSketch(700, 64, randomFor(1, 'sketch'));
  const { data } = sketch.applyMatrix(matrixOf(rows));
  const inGraph = sketch.apply(tf.tensor2d(matrixOf(rows).data, [60, 700])).dataSync();
  assert.equal(data.length, 60 * 64);
  for (const [i, value] of inGraph.entries()) assert.ok(Math.abs(value - data[i]!) < 1e-4);
  const length = (values: Float32Array) => values.reduce((sum, v) => sum + v * v, 0);
  const shares = rows.map((row, i) => length(data.subarray(64 * i, 64 * (i + 1))) / length(row));
  close(mean(shares), 1, 0.2);
  const { detector } = await fit(matrixOf(rows), { kind: 'mahalanobis' });
  assert.deepEqual([detector.features, detector.parameters], [700, 512 * 512 + 2 * 700]);
  const odd = rows.slice(0, 5).map((row) => row.map((v, i) => (i % 10 === 0 ? v + 4 : v)));
  assert.ok(Math.min(...scores(detector, odd)) > Math.max(...scores(detector, rows)));
});

test('places: one odd place is told, however far out; all places moved alike are not', async () => {
  const count = 8;
  const rows = rowsOf(80, 4 * count);
  const { detector } = await fit(matrixOf(rows), { kind: 'places', places: count });
  const [usual] = rowsOf(1, 4 * count);
  const scaled = (columns: (i: number) => boolean) =>
    usual!.map((v, i) => (columns(i) ? v + 20 * (1 + i) * (i % 2 === 0 ? 1 : -1) : v));
  const [good, one, all] = scores(detector, [
    usual!,
    scaled((i) => i >= 8 && i < 12),
    scaled(() => true),
  ]) as [number, number, number];
  assert.ok(one > 5 * good, `${one}, ${good}`);
  assert.ok(all < 0.5 * one, `${all}, ${one}`);
  const lone = await fit(matrixOf(rows.map((row) => row.subarray(8, 12))), { kind: 'places', places: 1 });
  assert.ok(
    scores(lone.detector, [usual!.subarray(8, 12)])[0]! < 0.01,
    'a single place stands out from nothing',
  );
  await assert.rejects(fit(matrixOf(rows), { kind: 'places', places: 5 }), /not those of 5 places/);
});

test('the rate rises from a 25th to its highest and falls to next to nothing', () => {
  close(oneCycle(1, 0), 1 / 25, 1e-9);
  close(oneCycle(1, 0.3), 1, 1e-9);
  close(oneCycle(1, 1), 1 / 25 / 1e4, 1e-6);
  for (let i = 1; i <= 100; i++)
    assert.ok(
      i <= 30
        ? oneCycle(1, i / 100) > oneCycle(1, (i - 1) / 100)
        : oneCycle(1, i / 100) < oneCycle(1, (i - 1) / 100),
    );
});

test('fusion: near the sum of squares above zero where it is large, and never a tie among good images', () => {
  const z = Array.from({ length: 200 }, () => [normal(), normal(), normal()]);
  const far = [9, -9, 12];
  const fused = tf.tidy(() => [...fuse(tf.tensor2d([...z, far]), null).dataSync()]);
  close(fused.at(-1)!, 81 + 144, 1e-3);
  assert.equal(new Set(fused).size, fused.length);
  const { median, deviation } = robustScaleOf([1, 2, 3, 4, 1000].map(Math.exp));
  close(median, 3, 1e-4);
  close(deviation, 1.4826, 1e-3);
});
