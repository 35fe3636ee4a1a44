import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { after, before } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { readBundle } from '../../agent/inspect/bundle.ts';
import { loadInspector } from '../../agent/inspect/inspect.ts';
import { conformalCount } from '../../agent/inspect/threshold.ts';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { modelFiles } from '../../convert/files.ts';
import { LIMITS } from '../../trainer/data/load.ts';
import type { Metrics } from '../../trainer/metrics.ts';
import { headline } from '../../trainer/report/conclusion.ts';
import { drawGood, drawPoor, run, SMALL, temporary } from './launcher.ts';

/** One run that most tests look at: 40 good images, tested on 8 good and 8 poor ones. */
const hooks: (() => unknown)[] = [];
after(async () => {
  for (const hook of hooks) await hook();
});
let folder: string;
let good: string;
let runFolder: string;
let said: string;
before(async () => {
  folder = await temporary({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
  good = path.join(folder, 'good');
  runFolder = path.join(folder, 'run');
  await drawGood(good, 40);
  await drawGood(path.join(folder, 'labelled/good'), 8, 500);
  await drawPoor(path.join(folder, 'labelled/poor'), 8);
  await writeFile(path.join(good, 'notes.txt'), 'no image');
  await writeFile(path.join(good, 'copy.jpg'), await readFile(path.join(good, 'good-1.jpg')));
  const ended = await fit(runFolder, '--epochs=3', '--test', path.join(folder, 'labelled'));
  assert.equal(ended.code, 0, ended.stderr);
  said = ended.stdout;
});

const fit = (out: string, ...more: string[]) =>
  run('trainer', ['fit', good, '--out', out, ...SMALL, ...more]);
const digestOf = async (out: string) => (await readBundle(path.join(out, 'bundle.onnx'))).manifest.digest;
const metricsOf = async (out: string): Promise<Metrics> =>
  JSON.parse(await readFile(path.join(out, 'metrics.json'), 'utf8'));

test('a run says first what it found, refused, split and got, then the layers, then every epoch', () => {
  const order = [
    /images: 41 in .*, 1 refused/,
    /refused notes\.txt: unsupported-format/,
    /sizes: All images have 64 x 64 pixels/,
    /split \(seed 1\): 24 train, 4 choose the epoch, 12 set the threshold, 1 left out as copies/,
    /backend: wanted onnx, got onnx \(onnxruntime .*because it was asked for/,
    /encode1 +Conv2D +32 x 32 x 4 +112/,
    /epoch 1\/3: loss 0\.\d+, validation 0\.\d+ \(best\), [\d.]+ images\/s, .* left/,
    /epoch 3\/3/,
    /threshold: .*from n = 12 good images/,
    /false alarms: at most 10 % promised; .* lies between/,
    /ranking, .*\n +AUROC +1\.000/,
    /good called by mistake .*promised: 10 %/,
    /trivial rules .*\n(.*\n)* +central sharpness +0\.000/,
    /bundle: .*bundle\.onnx \(sha256:/,
  ];
  let at = 0;
  for (const pattern of order) {
    const found = said.slice(at).search(pattern);
    assert.notEqual(found, -1, `${pattern} is missing or too early in:\n${said}`);
    at += found;
  }
});

test('the answer in one line stands right before the files, whether it was tested or not', async () => {
  const line = headline(await metricsOf(runFolder));
  assert.match(line, /^It /);
  assert.equal(said.split(`\n${line}\n`).length, 3, 'above the figures and below them');
  assert.ok(said.includes(`\n${line}\n\nbundle: `), said.slice(-600));
  const ended = await fit(path.join(folder, 'untested'), '--epochs=1');
  assert.match(
    ended.stdout,
    /\nTrained and calibrated, not yet tested on poor captures\n {2}Of 100 good captures at most 10 .*\n {2}.*\n {2}.*\n\nbundle: /,
  );
});

test('the bundle proves itself, and its calibration scores are those of its calibration images', async () => {
  const split = JSON.parse(await readFile(path.join(runFolder, 'split.json'), 'utf8'));
  const names: string[] = split.images
    .filter((i: { side: string }) => i.side === 'calibration')
    .map((i: { name: string }) => i.name);
  const inspector = await loadInspector({
    bundlePath: path.join(runFolder, 'bundle.onnx'),
    executionProvider: 'cpu',
    threads: 1,
    limits: LIMITS,
  });
  try {
    const { manifest } = inspector.bundle;
    const scores: number[] = [];
    for (const name of names) {
      const inspection = await inspector.inspect(path.join(good, name));
      assert.equal(inspection.outcome, 'scored');
      if (inspection.outcome === 'scored') scores.push(inspection.score);
    }
    scores.sort((a, b) => a - b);
    assert.deepEqual(manifest.calibration.scores, scores);
    assert.equal(manifest.threshold.upper, scores[12 - conformalCount(0.1, 12)]);
    assert.equal(manifest.golden.samples.length, 3);
    assert.deepEqual(
      [manifest.provenance.data.train, manifest.provenance.data.refused, manifest.provenance.data.duplicates],
      [24, 1, 1],
    );
    const { map, mapWidth, mapHeight } = await inspector.scorer.score(new Uint8Array(32 * 32 * 3), 1);
    assert.deepEqual([mapWidth, mapHeight, map.length], [32, 32, 1024]);
  } finally {
    await inspector.close();
  }
});

test('the scores of the evaluation are those of agent score', async () => {
  const { evaluation } = await metricsOf(runFolder);
  const bundle = path.join(runFolder, 'bundle.onnx');
  const ended = await run('agent', ['score', bundle, path.join(folder, 'labelled'), '--json']);
  assert.equal(ended.code, 0, ended.stderr);
  const lines = ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, 16);
  for (const { path: file, score, p, verdict } of lines) {
    const image = evaluation!.images.find((i) => i.path === file);
    assert.ok(image, file);
    assert.ok(Math.abs(image.score - score) <= 1e-6 * score, `${file}: ${image.score} against ${score}`);
    assert.deepEqual([image.p, image.verdict], [p, verdict]);
  }
});

test('the test figures follow from verdicts; black and white blocks are told from smooth waves', async () => {
  const { evaluation } = await metricsOf(runFolder);
  const { images, auroc, detection, falseAlarms, accuracy } = evaluation!;
  const count = (label: string, verdict: string) =>
    images.filter((i) => i.label === label && i.verdict === verdict).length;
  assert.deepEqual([detection.hits, detection.count], [count('poor', 'review'), 8]);
  assert.deepEqual([falseAlarms.hits, falseAlarms.count], [count('good', 'review'), 8]);
  assert.equal(accuracy.hits, count('poor', 'review') + count('good', 'pass'));
  assert.equal(evaluation!.flagEverything, 0.5);
  assert.equal(auroc!.value, 1);
  // Nothing is sharper than such blocks: the rule "blurred is poor" must say so with the sign it was given.
  assert.equal(evaluation!.baselines.find((b) => b.name === 'Central sharpness')!.auroc, 0);
});

test('the model loads again in TensorFlow.js and reconstructs as the bundle does', async () => {
  registerOnnxBackend({ name: 'fit-test' });
  await tf.setBackend('fit-test');
  const model = await loadLayersModel(modelFiles(path.join(runFolder, 'model')));
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7) % 256);
  const input = tf.tensor4d(
    Float32Array.from(pixels, (v) => v / 255),
    [1, 32, 32, 3],
  );
  const output = await (model.predict(input) as tf.Tensor).data();
  const inspector = await loadInspector({
    bundlePath: path.join(runFolder, 'bundle.onnx'),
    executionProvider: 'cpu',
    threads: 1,
    limits: LIMITS,
  });
  const { reconstruction, score } = await inspector.scorer.score(pixels, 1);
  await inspector.close();
  let sum = 0;
  for (const [i, value] of output.entries()) {
    assert.ok(Math.abs(value * 255 - reconstruction![i]!) < 0.51);
    sum += (value - pixels[i]! / 255) ** 2;
  }
  assert.ok(Math.abs(sum / output.length - score[0]!) < 1e-6);
});

test('the same seed gives the same digest, another seed another one', async () => {
  const [again, other] = [path.join(folder, 'again'), path.join(folder, 'other')];
  assert.equal((await fit(again, '--epochs=3')).code, 0);
  assert.equal(await digestOf(again), await digestOf(runFolder));
  assert.equal((await fit(other, '--epochs=3', '--seed=2')).code, 0);
  assert.notEqual(await digestOf(other), await digestOf(runFolder));
});

test('a resumed run ends bit for bit as one that was never stopped', async () => {
  // Steps of one image: many of them, so that Adam's running powers would drift from recomputed ones.
  const [out, whole] = [path.join(folder, 'resumed'), path.join(folder, 'never-stopped')];
  assert.equal((await fit(out, '--epochs=1', '--batch=1')).code, 0);
  const before = await digestOf(out);
  const ended = await run('trainer', ['fit', good, '--out', out, '--resume', '--epochs=3']);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /resumed after epoch 1/);
  assert.equal((await fit(whole, '--epochs=3', '--batch=1')).code, 0);
  assert.equal(await digestOf(out), await digestOf(whole));
  assert.notEqual(await digestOf(out), before);
});

test('the bundle has the weights of the epoch with the lowest validation loss, not of the last', async () => {
  const out = path.join(folder, 'best');
  // Steps so large that training goes up and down.
  const rough = ['--epochs=12', '--batch=2', '--set=optimizer.learningRate=0.03'];
  assert.equal((await fit(out, ...rough)).code, 0);
  const { training } = await metricsOf(out);
  const losses = training.history.map((e) => e.validationLoss);
  const { manifest } = await readBundle(path.join(out, 'bundle.onnx'));
  const { bestEpoch, validationLoss } = manifest.provenance;
  assert.notEqual(bestEpoch, losses.length, `the last epoch was the best one: ${losses}`);
  assert.equal(losses[bestEpoch - 1], Math.min(...losses));
  // The score is the loss: what the bundle gives for the validation images must be what training measured.
  const split = JSON.parse(await readFile(path.join(out, 'split.json'), 'utf8'));
  const names = split.images.filter((i: { side: string }) => i.side === 'validation');
  const files = names.map((i: { name: string }) => path.join(good, i.name));
  const scored = await run('agent', ['score', path.join(out, 'bundle.onnx'), ...files, '--json']);
  const scores = scored.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).score as number);
  const mean = scores.reduce((sum, s) => sum + s, 0) / scores.length;
  assert.ok(Math.abs(mean / validationLoss - 1) < 1e-4, `${mean} against ${validationLoss}`);
});

test('Ctrl-C ends training, keeps the best weights and writes everything; --resume goes on from there', async () => {
  const out = path.join(folder, 'interrupted');
  let sent = false;
  const ended = await run(
    'trainer',
    ['fit', good, '--out', out, ...SMALL, '--epochs=5000', `--test=${path.join(folder, 'labelled')}`],
    (stdout, child) => {
      if (sent || !stdout.includes('epoch 1/')) return;
      sent = true;
      child.kill('SIGINT');
    },
  );
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stderr, /ending after this batch/);
  assert.match(ended.stdout, /interrupted: \d+ of 5000 epochs; the best weights so far are kept/);
  const { training, evaluation } = await metricsOf(out);
  assert.equal(training.interrupted, true);
  assert.ok(evaluation !== null && evaluation.images.length > 0, 'the labelled images were not tested on');
  await stat(path.join(out, 'report.html'));
  const { manifest } = await readBundle(path.join(out, 'bundle.onnx'));
  const lowest = Math.min(...training.history.map((e) => e.validationLoss));
  assert.equal(manifest.provenance.validationLoss, lowest);
  assert.equal(training.history[manifest.provenance.bestEpoch - 1]!.validationLoss, lowest);

  const epochs = `--epochs=${training.history.length + 2}`;
  assert.equal((await fit(out, '--resume', epochs)).code, 0);
  const whole = path.join(folder, 'whole');
  assert.equal((await fit(whole, epochs)).code, 0);
  assert.equal(await digestOf(out), await digestOf(whole));
});

test('a second Ctrl-C ends at once', async () => {
  const out = path.join(folder, 'twice');
  // Large images: exporting, calibrating and testing after the first Ctrl-C take long enough for a second one.
  const big = ['input.width=512', 'input.height=512', 'model.filters=16,16', 'batchSize=4'];
  const args = [
    ...SMALL,
    ...big.map((change) => `--set=${change}`),
    `--test=${path.join(folder, 'labelled')}`,
  ];
  let sent = false;
  const ended = await run('trainer', ['fit', good, '--out', out, ...args], (stdout, child) => {
    if (sent || !stdout.includes('epoch 1/')) return;
    sent = true;
    child.kill('SIGINT');
    void once(child.stderr!, 'data').then(() => child.kill('SIGINT'));
  });
  assert.equal(ended.code, 130);
  assert.doesNotMatch(ended.stderr, /error:/);
  await assert.rejects(stat(path.join(out, 'report.html')));
});

test('a run is never overwritten, and resumed only as what it is', async () => {
  const metrics = await readFile(path.join(runFolder, 'metrics.json'));
  const again = await fit(runFolder);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /holds a run already .*--resume/);
  const other = await fit(runFolder, '--resume', '--seed=9', '--set=optimizer.learningRate=0.5');
  assert.equal(other.code, 1);
  assert.match(other.stderr, /seed was 1, now 9/);
  assert.match(other.stderr, /optimizer\.learningRate was 0\.001, now 0\.5/);
  assert.deepEqual(await readFile(path.join(runFolder, 'metrics.json')), metrics);
  const images = path.join(folder, 'images');
  await cp(good, images, { recursive: true });
  const among = await run('trainer', ['fit', images, '--out', images]);
  assert.match(among.stderr, /--out .* is the folder of the images/);
  const none = await fit(path.join(folder, 'none'), '--resume');
  assert.equal(none.code, 1);
  assert.match(none.stderr, /holds no run to resume/);
});

test('resuming on another backend is refused, or on another release of it; by default it is the one of the run', async () => {
  const out = path.join(folder, 'other-backend');
  assert.equal((await fit(out, '--epochs=1')).code, 0);
  const file = path.join(out, 'run.json');
  const record = JSON.parse(await readFile(file, 'utf8'));
  const { backend } = record;
  const resumed = async (begun: object, ...more: string[]) => {
    await writeFile(file, JSON.stringify({ ...record, backend: { ...backend, ...begun } }));
    return run('trainer', ['fit', good, '--out', out, '--resume', ...more]);
  };
  const other = await resumed({ got: 'tfjs-node', library: 'TensorFlow 2.9.1' }, '--backend=onnx');
  assert.equal(other.code, 1);
  assert.match(
    other.stderr,
    /begun on the backend tfjs-node \(TensorFlow 2\.9\.1 on the CPU\) and would go on on onnx .*bit for bit.* --backend tfjs-node/,
  );
  assert.equal(JSON.parse(await readFile(file, 'utf8')).backend.got, 'tfjs-node', 'the record stays');
  const release = await resumed({ library: 'onnxruntime 1.0.0' });
  assert.equal(release.code, 1);
  assert.match(release.stderr, /onnx \(onnxruntime 1\.0\.0 on the CPU\) and would go on on onnx/);
  await writeFile(file, JSON.stringify({ ...record, format: 1, backend: undefined }));
  const older = await fit(out, '--resume');
  assert.equal(older.code, 1);
  assert.match(older.stderr, /begun by another release .*format 1, this one writes 2.*another --out/);
  const same = await resumed({});
  assert.equal(same.code, 0, same.stderr);
  assert.match(same.stdout, /backend: wanted onnx, got onnx/);
});

test('resuming on other images is refused', async () => {
  const out = path.join(folder, 'moved');
  const some = path.join(folder, 'some');
  await drawGood(some, 30);
  const args = ['fit', some, '--out', out, ...SMALL, '--epochs=1'];
  assert.equal((await run('trainer', args)).code, 0);
  await drawGood(some, 31);
  const sides = await readFile(path.join(out, 'split.json'));
  const ended = await run('trainer', [...args, '--resume']);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /not the run that was begun: its images .* are others/);
  assert.deepEqual(await readFile(path.join(out, 'split.json')), sides, 'nothing is written');
});

test('bad input: each refused with what to do, nothing written', async (t) => {
  const empty = path.join(folder, 'empty');
  const one = path.join(folder, 'one');
  const text = path.join(folder, 'text');
  const same = path.join(folder, 'same');
  await mkdir(empty);
  await drawGood(one, 1);
  await mkdir(text);
  for (let i = 0; i < 30; i++) await writeFile(path.join(text, `${i}.jpg`), `text ${i}`);
  await drawGood(same, 1);
  for (let i = 0; i < 30; i++)
    await writeFile(path.join(same, `copy-${i}.jpg`), await readFile(path.join(same, 'good-0.jpg')));
  const out = path.join(folder, 'refused');
  const cases: [string, string[], number, RegExp][] = [
    ['a missing folder', [path.join(folder, 'missing')], 1, /does not exist\. Give a folder of images/],
    ['a file for a folder', [path.join(one, 'good-0.jpg')], 1, /is a file; expected a folder/],
    [
      'an empty folder',
      [empty],
      1,
      /empty is empty: expected good images in it \(JPEG, .*Put at least 4 there/,
    ],
    ['one image', [one], 1, /Only 1 distinct image/],
    ['copies of one image', [same], 1, /Only 1 distinct image .*30 more are copies/],
    ['text named .jpg', [text], 1, /found 30 files, none of them a usable image/],
    ['an alpha too small', [good, '--set=threshold.alpha=0.001'], 1, /--set threshold\.alpha=0\.0477/],
    ['an unknown recipe', [good, '--recipe=fundsu'], 2, /Did you mean fundus/],
    ['an unknown key', [good, '--set=epoch=2'], 2, /Did you mean epochs/],
    ['an unknown backend', [good, '--backend=onxn'], 2, /Did you mean onnx/],
    ['a seed that is none', [good, '--seed=x'], 2, /whole number/],
    [
      'a test folder without labels',
      [good, `--test=${empty}`],
      1,
      /holds no folders\. Put the labelled test images into .*empty\/good/,
    ],
    [
      'an out folder below a file',
      [good, `--out=${path.join(one, 'good-0.jpg', 'x')}`],
      1,
      /cannot be written/,
    ],
  ];
  for (const [name, args, code, message] of cases)
    await t.test(name, async () => {
      const options = args.some((a) => a.startsWith('--backend')) ? SMALL.slice(1) : SMALL;
      const ended = await run('trainer', ['fit', '--out', out, ...options, ...args]);
      assert.match(ended.stdout + ended.stderr, message);
      assert.equal(ended.code, code, ended.stderr);
      assert.doesNotMatch(ended.stderr, /\n {4}at /, 'a stack trace was shown');
      await assert.rejects(stat(path.join(out, 'run.json')));
    });
});

test('--json prints the metrics alone; what goes on is told on standard error', async () => {
  const small = SMALL.slice(0, -2); // without alpha
  const args = ['--epochs=1', '--json', '--set=threshold.rule=mean-std'];
  const ended = await run('trainer', ['fit', good, '--out', path.join(folder, 'json'), ...small, ...args]);
  assert.equal(ended.code, 0, ended.stderr);
  const metrics: Metrics = JSON.parse(ended.stdout);
  assert.equal(metrics.calibration.falseAlarms, null);
  assert.match(ended.stderr, /this rule promises no false-alarm rate/);
});
