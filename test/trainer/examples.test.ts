/** Poor examples: the weights that follow from them, and what `trainer fit --examples` makes of them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import sharp from 'sharp';
import { type Bundle, readBundle } from '../../agent/inspect/bundle.ts';
import { loadInspector } from '../../agent/inspect/inspect.ts';
import type { Metrics } from '../../trainer/metrics.ts';
import { randomFor } from '../../trainer/random.ts';
import { solve } from '../../trainer/statistics/solve.ts';
import { fusedScore, rankExamples, weighVoices } from '../../trainer/voices/weights.ts';
import { drawGood, drawPoor, fitBundle, run, temporary } from './launcher.ts';

/** Normal numbers around `means`, one row for each image. */
function rows(count: number, means: readonly number[], seed: number): number[][] {
  const uniform = randomFor(seed, 'rows');
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: count }, () => means.map((mean) => mean + normal()));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

test('solve: the matrix times the solution is the right side', () => {
  const uniform = randomFor(1, 'solve');
  for (let n = 1; n <= 8; n++) {
    const matrix = Array.from({ length: n }, () => Array.from({ length: n }, () => uniform() - 0.5));
    const right = Array.from({ length: n }, () => uniform());
    const x = solve(matrix, right);
    for (const [i, row] of matrix.entries())
      assert.ok(Math.abs(sum(row.map((value, j) => value * x[j]!)) - right[i]!) < 1e-9);
  }
  assert.deepEqual(
    solve(
      [
        [0, 1],
        [1, 0],
      ],
      [2, 3],
    ),
    [3, 2],
  ); // needs a pivot
});

test('weights: mean 1, at least 0.2, the same in any order, and going with the voices', () => {
  for (let seed = 0; seed < 30; seed++) {
    const voices = 1 + (seed % 7);
    const good = rows(60, new Array(voices).fill(0), seed);
    const means = Array.from({ length: voices }, (_, v) => (v === 0 ? 4 : (seed * (v + 1)) % 5) - 1);
    const poor = rows(1 + (seed % 12), means, seed + 100);
    const weights = weighVoices(good, poor);
    assert.ok(Math.abs(sum(weights) / voices - 1) < 1e-9);
    assert.ok(weights.every((weight) => weight >= 0.2 - 1e-12));
    const near = (other: readonly number[], order: (v: number) => number) =>
      assert.ok(other.every((weight, v) => Math.abs(weight - weights[order(v)]!) < 1e-9));
    near(weighVoices(good.toReversed(), poor.toReversed()), (v) => v);
    const turned = (some: readonly number[][]) => some.map((row) => row.toReversed());
    near(weighVoices(turned(good), turned(poor)), (v) => voices - 1 - v);
  }
});

test('the voice that tells examples apart gets loud, and louder the more examples there are', () => {
  const good = rows(300, [0, 0, 0], 1);
  const loud = (count: number) => weighVoices(good, rows(count, [4, 0, 0], 2))[0]!;
  const weights = [1, 3, 10, 40].map(loud);
  assert.ok(weights[0]! > 1 && weights[3]! > 2);
  assert.deepEqual(weighVoices(good, []), [1, 1, 1]);
  // One example goes half of the way at most, whatever it shows.
  for (let seed = 0; seed < 20; seed++)
    for (const weight of weighVoices(good, rows(1, [seed - 10, 3, 5], seed)))
      assert.ok(weight >= 0.6 - 1e-9 && weight <= 1 + 0.4 * 2 + 1e-9);
});

test('examples that look good, or one wild one, do no harm', () => {
  const good = rows(300, [0, 0, 0], 1);
  assert.deepEqual(weighVoices(good, rows(10, [-9, -9, -9], 2)), [1, 1, 1]);
  const tame = rows(9, [3, 0, 0], 3);
  const wild = weighVoices(good, [...tame, [0, 1e6, 0]]);
  assert.ok(wild[0]! > wild[1]!, String(wild));
});

test('ranks are those of scores, each example left out in turn', () => {
  const good = rows(50, [0, 0], 1);
  const poor = rows(6, [2, 0], 2);
  const { before, after, higher, lower } = rankExamples(good, poor);
  const share = (row: readonly number[], weights: readonly number[]) =>
    good.filter((one) => fusedScore(one, weights) < fusedScore(row, weights)).length / good.length;
  assert.ok(Math.abs(before.value - sum(poor.map((row) => share(row, [1, 1]))) / 6) < 1e-12);
  const left = poor.map((row, i) =>
    share(
      row,
      weighVoices(
        good,
        poor.filter((_, j) => j !== i),
      ),
    ),
  );
  assert.ok(Math.abs(after.value - sum(left) / 6) < 1e-12);
  assert.ok(before.low < before.value && after.value < after.high && higher + lower <= 6);
  // All above all others: yet three examples say little.
  const three = rankExamples(good, rows(3, [50, 50], 3)).before;
  assert.equal(three.value, 1);
  assert.ok(three.low < 0.5);
});

/** Enough to weigh voices and to be calibrated. */
const GOOD = 12;
let folder: string;
const inside = (...names: string[]) => path.join(folder, ...names);

const hooks: (() => unknown)[] = [];
after(async () => {
  for (const hook of hooks) await hook();
});

before(async () => {
  folder = await temporary({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
  await drawGood(inside('data/train_good'), GOOD);
  await drawGood(inside('data/test_good'), 6, 500);
  await drawPoor(inside('data/test_anomalous'), 8);
  // Two examples are test images too, one of them saved again as another file; two are not.
  await mkdir(inside('examples'));
  await copyFile(inside('data/test_anomalous/poor-0.jpg'), inside('examples/a.jpg'));
  await sharp(inside('data/test_anomalous/poor-1.jpg')).png().toFile(inside('examples/b.png'));
  await copyFile(inside('data/test_anomalous/poor-0.jpg'), inside('examples/again.jpg'));
  await drawGood(inside('examples/other'), 2, 900);
});

const QUICK = ['--set', 'epochs=1', '--set', 'split.folds=2', '--set', 'threshold.alpha=0.2'];

const digestOf = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

test('fit --examples: weights in graph and manifest, calibrated with them, and no example in the test', async () => {
  const args = ['fit', inside('data'), '--backend', 'onnx', ...QUICK];
  const given = [...args, '--examples', inside('examples'), '--out', inside('weighed')];
  const [{ code, stdout, stderr }] = await Promise.all([
    run('trainer', given),
    fitBundle([...args, '--out', inside('plain')]),
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /examples: 4 poor images in .*, 0 refused, 1 left out as copies/);
  assert.match(stdout, /2 labelled images are left out of the test/);
  assert.match(stdout, /voices, as the examples weigh them: sharpness \d/);
  assert.match(stdout, /AUROC of the examples against good images: .* rank higher, \d lower/);

  const metrics: Metrics = JSON.parse(await readFile(inside('weighed/metrics.json'), 'utf8'));
  const { images } = metrics.evaluation!;
  assert.equal(images.length, 12);
  const examples = await Promise.all(
    (await readdir(inside('examples'), { withFileTypes: true, recursive: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => digestOf(path.join(entry.parentPath, entry.name))),
  );
  assert.ok(images.every(({ sha256 }) => !examples.includes(sha256)));
  assert.ok(
    images.every(({ name }) => !/poor-[01]\.jpg/.test(name)),
    'the one saved again neither',
  );
  assert.equal(metrics.examples?.leftOut, 2);
  assert.match(await readFile(inside('weighed/report.html'), 'utf8'), /What the examples changed/);

  const { manifest } = await readBundle(inside('weighed/bundle.onnx'));
  const unweighed: Bundle = await readBundle(inside('plain/bundle.onnx'));
  const { weights, images: count } = manifest.provenance.examples!;
  assert.equal(count, 4);
  assert.equal(unweighed.manifest.provenance.examples, undefined);
  const { voices } = manifest.calibration;
  assert.deepEqual(voices, unweighed.manifest.calibration.voices, 'z of voices are as without examples');
  assert.notDeepEqual(manifest.calibration.scores, unweighed.manifest.calibration.scores);
  assert.equal(manifest.threshold.upper, manifest.calibration.scores[GOOD - 2]);

  // What the device computes is the sum that the weights in the manifest say.
  const inspector = await loadInspector({
    bundlePath: inside('weighed/bundle.onnx'),
    executionProvider: 'cpu',
    threads: 1,
    limits: { pixels: 1e9, bytes: 1e9 },
  });
  const { scores } = await inspector.inspectWithMap(inside('data/test_anomalous/poor-3.jpg'));
  await inspector.close();
  const ordered = manifest.voices!.map(({ name }) => weights[name]!);
  assert.ok(ordered.some((weight) => Math.abs(weight - 1) > 0.05));
  const expected = fusedScore(scores!.voices!, ordered);
  assert.ok(Math.abs(scores!.score[0]! / expected - 1) < 1e-4);
});

test('what cannot be is said before training', async () => {
  const cases: [string[], RegExp][] = [
    [
      [...QUICK, '--examples', inside('data/train_good')],
      /12 of 12 examples .* are among the good images too/,
    ],
    [[...QUICK, '--examples', inside('nowhere')], /nowhere does not exist/],
    [
      ['--examples', inside('examples'), '--recipe', 'fundus'],
      /weighs the voices of a recipe, and fundus has none/,
    ],
  ];
  for (const [i, [more, message]] of cases.entries()) {
    const args = ['fit', inside('data'), '--backend', 'onnx', ...more, '--out', inside(`no-${i}`)];
    const { code, stderr } = await run('trainer', args);
    assert.match(stderr, message);
    assert.equal(code, 1);
  }
});
