/** The default recipe through the real command, on drawn phantoms. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { readBundle } from '../../agent/inspect/bundle.ts';
import { decode } from '../../agent/inspect/decode.ts';
import { LIMITS } from '../../trainer/data/load.ts';
import type { Metrics } from '../../trainer/metrics.ts';
import { drawPhantom, type Flaw } from '../demo/phantoms.ts';
import { type Ended, fitBundle, run, temporary } from './launcher.ts';

const hooks: (() => unknown)[] = [];
after(async () => {
  for (const hook of hooks) await hook();
});
const SHORT = ['--backend=onnx', '--epochs=2'];
/** The same run in all else, and in less than half the time; the folds of the recipe are those of the mixed sizes. */
const FEW_FOLDS = ['--set', 'split.folds=2'];
/** Enough that evidence of a statistic, which may be rare at either end, can be called rare. */
const COUNT = 24;
let folder: string;
let good: string;
let made: string;
let interrupted: Ended;
let left: string[];
before(async () => {
  folder = await temporary({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
  good = path.join(folder, 'good');
  await draw(good, COUNT);
  await draw(path.join(folder, 'test/good'), 4, 500);
  await draw(path.join(folder, 'test/poor'), 4, 600, 'out of focus');
  made = path.join(folder, 'made');
  // Interrupted once the run is begun, then resumed: from here on it is a run like any other.
  const tested = ['--test', path.join(folder, 'test')];
  let told = false;
  interrupted = await run(
    'trainer',
    ['fit', good, '--out', made, ...SHORT, ...FEW_FOLDS, ...tested],
    (text, child) => {
      if (!told && /^input: /m.test(text)) {
        told = true;
        child.kill('SIGINT');
      }
    },
  );
  left = await readdir(made);
  const ended = await fit(made, ...tested, '--resume');
  assert.equal(ended.code, 0, ended.stderr);
});

test('Ctrl-C keeps the settings and says how to go on; the resumed run is as one never interrupted', async () => {
  assert.equal(interrupted.code, 130, interrupted.stderr);
  assert.match(
    interrupted.stderr,
    /error: Interrupted while \S+ .*Nothing was kept but the settings\. Run the same command with --resume to begin again/,
  );
  assert.doesNotMatch(interrupted.stderr, /\n {4}at /, 'a stack trace was shown');
  assert.deepEqual(left, ['run.json', 'split.json']);
  const again = await fit(made);
  assert.match(again.stderr, /holds a run already .*--resume, choose another --out/);
});

const fit = (out: string, ...more: string[]) =>
  run('trainer', ['fit', good, '--out', out, ...SHORT, ...FEW_FOLDS, ...more]);
const bundleOf = (out: string) => path.join(out, 'bundle.onnx');

async function draw(into: string, count: number, first = 0, flaw?: Flaw): Promise<void> {
  await mkdir(into, { recursive: true });
  for (let i = 0; i < count; i++)
    await writeFile(path.join(into, `${first + i}.jpg`), await drawPhantom(first + i, flaw));
}

test('all images train and all calibrate; the bundle tells its voices and statistics', async () => {
  const { manifest } = await readBundle(bundleOf(made));
  const { calibration, voices, statistics, score } = manifest;
  assert.deepEqual(
    [score, calibration.scores.length, manifest.provenance.data.train],
    ['voices', COUNT, COUNT],
  );
  for (const [named, values] of [
    [voices, calibration.voices],
    [statistics, calibration.statistics],
  ] as const)
    for (const { name } of named!) {
      const of = values![name]!;
      assert.equal(of.length, COUNT);
      assert.deepEqual(
        of,
        of.toSorted((a, b) => a - b),
      );
    }
  const all = calibration.scores;
  assert.equal(new Set(all).size, all.length, 'no heap of equal scores');
});

test('agent score says what the evaluation says, and why', async () => {
  const metrics: Metrics = JSON.parse(await readFile(path.join(made, 'metrics.json'), 'utf8'));
  const ended = await run('agent', ['score', bundleOf(made), path.join(folder, 'test'), '--json']);
  const lines = ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, 8);
  for (const line of lines) {
    const { score, label } = metrics.evaluation!.images.find(({ path: file }) => file === line.path)!;
    assert.ok(Math.abs(score - line.score) <= 1e-6 * Math.abs(score));
    assert.ok(line.statistics.brightness > 0 && line.statistics.brightness < 1);
    const codes = line.evidence.map(({ code }: { code: string }) => code);
    if (label === 'poor') {
      assert.equal(line.verdict, 'review');
      assert.ok(codes.includes('sharpness-low'), `${line.path}: ${codes}`);
    }
  }
});

test('alone and in a batch an image gives the same, to 1e-3 in z', async () => {
  const { model, manifest } = await readBundle(bundleOf(made));
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const pixels: Uint8Array[] = [];
  for (const part of ['good', 'poor'])
    for (const name of (await readdir(path.join(folder, 'test', part))).sort())
      pixels.push(
        (await decode(await readFile(path.join(folder, 'test', part, name)), manifest.preprocessing, LIMITS))
          .pixels,
      );
  const voicesOf = async (some: readonly Uint8Array[]) => {
    const image = new Tensor('uint8', Buffer.concat(some), [some.length, 224, 224, 3]);
    const { voices, score } = await session.run({ image });
    assert.deepEqual([voices!.dims, score!.dims], [[some.length, 4], [some.length]]);
    return voices!.data as Float32Array;
  };
  const alone: number[] = [];
  for (const one of pixels) alone.push(...(await voicesOf([one])));
  for (const size of [3, 8]) {
    const together = await voicesOf(pixels.slice(0, size));
    for (const [i, z] of together.entries()) assert.ok(Math.abs(z - alone[i]!) < 1e-3, `${z}, ${alone[i]}`);
  }
  await session.release();
});

test('equal seeds give equal bundles, other seeds others', async () => {
  const digests: string[] = [];
  for (const seed of ['1', '2']) {
    const out = path.join(folder, `seed-${seed}`);
    await fitBundle(['fit', good, '--out', out, ...SHORT, ...FEW_FOLDS, '--seed', seed]);
    digests.push((await readBundle(bundleOf(out))).manifest.digest);
  }
  assert.equal(digests[0], (await readBundle(bundleOf(made))).manifest.digest);
  assert.notEqual(digests[0], digests[1]);
});

test('too few images are refused with how many it takes; grey and mixed sizes work', async () => {
  const few = path.join(folder, 'few');
  await draw(few, 18, 700);
  const refused = await run('trainer', ['fit', few, '--out', path.join(folder, 'few-run'), ...SHORT]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /alpha 0\.05 needs 19 good images, and there are 18 distinct ones/);
  const five = path.join(folder, 'five');
  await draw(five, 5, 720);
  const ended5 = await run('trainer', ['fit', five, '--out', path.join(folder, 'five-run'), ...SHORT]);
  assert.equal(ended5.code, 1);
  assert.match(
    ended5.stderr,
    /5 images form only \d groups? .*Give a folder with more different good images|needs 19 good images, and there are 5/,
  );
  const copies = path.join(folder, 'copies');
  await mkdir(copies);
  const one = await drawPhantom(740);
  for (let i = 0; i < 100; i++) await writeFile(path.join(copies, `${i}.jpg`), one);
  const same = await run('trainer', ['fit', copies, '--out', path.join(folder, 'copies-run'), ...SHORT]);
  assert.equal(same.code, 1);
  assert.match(
    same.stderr,
    /Only 1 distinct image can be used \(99 more are copies of them\).*Give a folder/,
  );
  const mixed = path.join(folder, 'mixed');
  await mkdir(mixed);
  for (let i = 0; i < 10; i++) {
    const phantom = sharp(await drawPhantom(800 + i)).resize(180 + 18 * i, 240, { fit: 'fill' });
    await (i % 2 === 0 ? phantom.greyscale() : phantom).png().toFile(path.join(mixed, `${i}.png`));
  }
  const out = path.join(folder, 'mixed-run');
  const short = ['--backend=onnx', '--epochs=1', '--set', 'threshold.alpha=0.1'];
  const ended = await run('trainer', ['fit', mixed, '--out', out, ...short]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /10 different sizes/);
  const { manifest } = await readBundle(bundleOf(out));
  assert.ok(manifest.calibration.scores.every(Number.isFinite));
});
