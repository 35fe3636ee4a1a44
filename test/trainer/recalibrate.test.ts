/** `trainer recalibrate` through the real command, on a bundle written by hand. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import sharp from 'sharp';
import { readBundle } from '../../agent/inspect/bundle.ts';
import type { Recalibrated } from '../../trainer/recalibrate/recalibrate.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { smoothPixels } from '../support/images.ts';
import { run, temporary } from './launcher.ts';

/** Smooth images, as those of the bundle's calibration, `brightness` times as bright. */
async function drawSmooth(folder: string, count: number, brightness: number): Promise<void> {
  await mkdir(folder);
  for (let i = 0; i < count; i++) {
    const pixels = smoothPixels(32, 1000 + i).map((value) => value * brightness);
    const image = sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } });
    await image.png().toFile(path.join(folder, `p${i % 15}_${i}.png`));
  }
}

async function setUp(t: TestContext, options: Parameters<typeof makeTestBundle>[1] = { measures: true }) {
  const folder = await temporary(t);
  const bundle = await makeTestBundle(folder, options);
  const inside = (name: string) => path.join(folder, name);
  return { folder, inside, bundle };
}

const recalibrate = (...args: string[]) => run('trainer', ['recalibrate', ...args]);

test('the graph stays, calibration and threshold are those of the new images, and what happened is recorded', async (t) => {
  const { inside, bundle } = await setUp(t);
  await drawSmooth(inside('good'), 40, 0.5);
  await copyFile(inside('good/p0_0.png'), inside('good/copy.png'));
  await writeFile(inside('good/notes.txt'), 'no image');
  const { code, stdout, stderr } = await recalibrate(bundle.path, '--good', inside('good'), '--json');
  assert.equal(code, 0, stderr);
  const result: Recalibrated = JSON.parse(stdout);
  const made = await readBundle(inside('bundle-recalibrated.onnx'));
  const { manifest } = made;
  assert.equal(result.bundle.digest, manifest.digest);
  assert.deepEqual([result.images, result.copies, result.refused.length], [40, 1, 1]);
  const hashes = await Promise.all(
    (await readdir(inside('good')))
      .filter((name) => name.startsWith('p'))
      .map(async (name) =>
        createHash('sha256')
          .update(await readFile(inside(`good/${name}`)))
          .digest('hex'),
      ),
  );
  assert.deepEqual(manifest.provenance.recalibration, {
    images: 40,
    digest: `sha256:${createHash('sha256').update(hashes.sort().join('')).digest('hex')}`,
    from: bundle.manifest.digest,
  });
  const { recalibration, ...provenance } = manifest.provenance;
  assert.deepEqual(provenance, bundle.manifest.provenance);
  assert.deepEqual(manifest.golden, bundle.manifest.golden);
  const { scores, statistics, voices, mapAlarm } = manifest.calibration;
  assert.deepEqual(
    [scores.length, statistics?.brightness?.length, voices?.['texture-foreground']?.length],
    [40, 40, 40],
  );
  assert.notEqual(mapAlarm, bundle.manifest.calibration.mapAlarm);
  assert.deepEqual(manifest.threshold.rule, bundle.manifest.threshold.rule);
  assert.equal(manifest.threshold.upper, scores[38]);

  // The device gives the same scores as before, and other verdicts only by the new threshold.
  const score = async (file: string) => {
    const scored = await run('agent', ['score', file, inside('good/p0_0.png'), '--json']);
    return JSON.parse(scored.stdout).score as number;
  };
  assert.equal(await score(inside('bundle-recalibrated.onnx')), await score(bundle.path));

  // And half the light is seen, in words.
  const darker = result.shifts.find(({ name }) => name === 'brightness');
  assert.match(darker?.sentence ?? '', /^darker than all 39 good images/);
  assert.match(stderr, /shift: the new images are not like[\s\S]*darker than all 39 good images/);
});

test('images like the old ones are not called shifted', async (t) => {
  const { inside, bundle } = await setUp(t);
  await drawSmooth(inside('good'), 40, 1);
  const { code, stdout } = await recalibrate(
    bundle.path,
    '--good',
    inside('good'),
    '--out',
    inside('b.onnx'),
  );
  assert.equal(code, 0);
  assert.match(stdout, /differ from those of the old calibration in nothing/);
  assert.match(stdout, /for a look, as they weigh most: p\d+_\d+\.png \(score [\d.e-]+\), p/);
  assert.match(stdout, /at most 5 % promised; in 9 of 10 calibrations with n = 40/);
});

test('a group is one patient: what is promised goes by the patients', async (t) => {
  const { inside, bundle } = await setUp(t);
  await drawSmooth(inside('good'), 40, 1);
  const given = [bundle.path, '--good', inside('good'), '--group-by', '^(p\\d+)_'];
  const { stdout } = await recalibrate(...given, '--out', inside('new.onnx'));
  assert.match(stdout, /40 good ones of 15 groups/);
  assert.match(stdout, /at most 5 % promised; in 9 of 10 calibrations with 15 groups .* 0\.34 % and 18 %/);
  assert.equal((await readBundle(inside('new.onnx'))).manifest.calibration.groups, 15);
});

test('too few images are refused with the smallest alpha, which then works', async (t) => {
  const { inside, bundle } = await setUp(t);
  await drawSmooth(inside('good'), 12, 1);
  const given = [bundle.path, '--good', inside('good'), '--out', inside('new.onnx')];
  const { code, stderr } = await recalibrate(...given);
  assert.equal(code, 1);
  assert.match(stderr, /needs at least 19 good images, and there are 12.*--set threshold.alpha=0.077/);
  await assert.rejects(readFile(inside('new.onnx')));
  assert.equal((await recalibrate(...given, '--set', 'threshold.alpha=0.077')).code, 0);
  assert.deepEqual((await readBundle(inside('new.onnx'))).manifest.threshold.rule, {
    rule: 'conformal',
    alpha: 0.077,
  });
});

test('what is wrong is said: a file in the way, a key of the weights, a rule that needs labels, no images', async (t) => {
  const { folder, inside, bundle } = await setUp(t);
  await drawSmooth(inside('good'), 20, 1);
  await mkdir(inside('empty'));
  const given = [bundle.path, '--good', inside('good')];
  const before = await readFile(bundle.path);
  const cases: [string[], number, RegExp][] = [
    [[...given, '--out', bundle.path], 1, /exists already, and nothing is overwritten/],
    [[...given, '--out', inside('no/b.onnx')], 1, /folder .*no of --out does not exist/],
    [[...given, '--set', 'epochs=3'], 2, /--set epochs: .*Only keys of the threshold/],
    [[...given, '--set', 'threshold.alpha=2'], 2, /--set threshold.alpha: /],
    [[...given, '--set', 'threshold.rule=f1'], 1, /rule f1.*--set threshold.rule=conformal/],
    [[bundle.path, '--good', inside('empty')], 1, /needs at least 19 good images, and there are 0/],
    [[bundle.path], 2, /required option '--good/],
    [[...given, '--group-by', '('], 2, /--group-by/],
  ];
  const ended = await Promise.all(cases.map(([args]) => recalibrate(...args)));
  for (const [i, [, code, message]] of cases.entries()) {
    assert.match(ended[i]!.stderr, message);
    assert.equal(ended[i]!.code, code, ended[i]!.stderr);
  }
  assert.deepEqual(await readFile(bundle.path), before);
  assert.deepEqual((await readdir(folder)).sort(), ['bundle.onnx', 'empty', 'good']);
});

test('images that the model was made from are left out', async (t) => {
  const { inside, bundle } = await setUp(t);
  await drawSmooth(inside('good'), 25, 1);
  const sha256 = createHash('sha256')
    .update(await readFile(inside('good/p3_3.png')))
    .digest('hex');
  await writeFile(inside('split.json'), JSON.stringify({ images: [{ name: 'x', sha256, side: 'train' }] }));
  const record = {
    data: { folder: 'x' },
    bundle: { digest: bundle.manifest.digest },
    calibration: { images: [] },
  };
  await writeFile(inside('metrics.json'), JSON.stringify(record));
  const { stdout } = await recalibrate(bundle.path, '--good', inside('good'));
  assert.match(stdout, /images: 24 good ones; .*1 left out as the model was made from them/);
});
