import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { Command } from 'commander';
import { addEvaluateCommands } from '../../trainer/evaluation/commands.ts';
import type { EvaluationMetrics } from '../../trainer/metrics.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { encode, noisyPixels, smoothPixels, writeCapture } from '../support/images.ts';

/** A stream that keeps what is written; no terminal, hence no bars. */
function sink(): NodeJS.WriteStream & { text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return Object.assign(stream as unknown as NodeJS.WriteStream, { text: () => chunks.join('') });
}

async function evaluate(args: readonly string[], stop = new AbortController().signal) {
  const [output, errors] = [sink(), sink()];
  const program = new Command('trainer').exitOverride();
  addEvaluateCommands(program, {
    stop,
    command: `trainer evaluate ${args.join(' ')}`,
    versions: { trainer: '0', node: process.version },
    output,
    errors,
  });
  await program.parseAsync(['evaluate', ...args], { from: 'user' });
  return { output: output.text(), errors: errors.text() };
}

/** A bundle, twelve good images, noise and snow, six images each of two patients. */
async function setUp(t: TestContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'evaluate-'));
  t.after(() => rm(folder, { recursive: true }));
  const inside = (...names: string[]) => path.join(folder, ...names);
  for (const name of ['run', 'good', 'noise', 'snow', 'train']) await mkdir(inside(name));
  const bundle = await makeTestBundle(inside('run'));
  for (let i = 0; i < 12; i++)
    await writeCapture(inside('good', `p${i % 4}_${i}.jpg`), 'smooth', 500 + i, 64);
  for (let i = 0; i < 6; i++) {
    await writeCapture(inside('noise', `q${i % 2}_${i}.jpg`), 'noisy', 600 + i, 64);
    await writeFile(inside('snow', `r${i % 2}_${i}.png`), await encode(noisyPixels(64, 700 + i), 64, 'png'));
  }
  await writeFile(inside('noise', 'notes.txt'), 'no image');
  for (let i = 0; i < 8; i++)
    await writeFile(inside('train', `t${i}.jpg`), await encode(smoothPixels(64, 800 + i), 64));
  const given = ['--good', inside('good'), '--bad', inside('noise'), '--bad', `snow=${inside('snow')}`];
  return { inside, bundle, given };
}

test('evaluate writes report and metrics, and says every figure', async (t) => {
  const { inside, bundle, given } = await setUp(t);
  const out = inside('out');
  const { output } = await evaluate([
    bundle.path,
    ...given,
    '--train',
    inside('train'),
    '--group-by',
    '^([a-z]\\d)_',
    '--out',
    out,
  ]);
  const metrics: EvaluationMetrics = JSON.parse(await readFile(path.join(out, 'metrics.json'), 'utf8'));
  const evaluation = metrics.evaluation!;
  assert.equal(metrics.bundle.digest, bundle.manifest.digest);
  assert.deepEqual(
    metrics.calibration.images.map(({ score }) => score),
    bundle.manifest.calibration.scores,
  );
  assert.equal(metrics.calibration.falseAlarms?.promised, 0.05);
  assert.equal(evaluation.images.length, 24);
  assert.equal(evaluation.groups, 8);
  assert.equal(evaluation.auroc?.value, 1);
  assert.deepEqual([evaluation.detection.hits, evaluation.detection.count], [12, 12]);
  assert.deepEqual(
    evaluation.kinds.map(({ kind, count }) => [kind, count]),
    [
      ['noise', 6],
      ['snow', 6],
    ],
  );
  assert.deepEqual(
    evaluation.refused.map(({ reason }) => reason),
    ['unsupported-format'],
  );
  assert.ok(evaluation.baselines.every(({ auroc }) => auroc !== null));
  assert.match(evaluation.unchecked.join(), /set the threshold is not known/);
  for (const said of [
    /AUROC +1\.000/,
    /AUPRC/,
    /resamples of 8 groups/,
    /caught at 1 % false alarms/,
    /labelled poor +0 +12 +12/,
    /precision +recall +F1 +support/,
    /snow +called 6 of 6/,
    /nearest training image/,
    /refused .*notes\.txt: unsupported-format/,
  ])
    assert.match(output, said);
  const report = await readFile(path.join(out, 'report.html'), 'utf8');
  assert.match(report, /^<!doctype html>/);
});

test('without training images it says which checks were not made; JSON alone goes to standard output', async (t) => {
  const { inside, bundle, given } = await setUp(t);
  const { output, errors } = await evaluate([bundle.path, ...given, '--out', inside('out'), '--json']);
  const { evaluation }: EvaluationMetrics = JSON.parse(output);
  assert.match(evaluation!.unchecked.join(), /not at hand.*--train DIR/);
  assert.match(errors, /not checked: The images that the model was trained on are not at hand/);
  assert.equal(evaluation!.groups, null);
  assert.equal(evaluation!.baselines.find(({ name }) => name === 'Nearest training image')?.auroc, null);
});

test('the run folder beside the bundle tells which images trained and which calibrated', async (t) => {
  const { inside, bundle, given } = await setUp(t);
  const { createHash } = await import('node:crypto');
  const images = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => ({
      name: `t${i}.jpg`,
      sha256: createHash('sha256')
        .update(await readFile(inside('train', `t${i}.jpg`)))
        .digest('hex'),
      side: i < 5 ? 'train' : 'calibration',
    })),
  );
  const { scores } = bundle.manifest.calibration;
  const record = {
    data: { folder: inside('train') },
    bundle: { digest: bundle.manifest.digest },
    calibration: { images: [5, 6, 7].map((i) => ({ name: `t${i}.jpg`, score: scores[i] })) },
  };
  await writeFile(inside('run', 'split.json'), JSON.stringify({ images }));
  await writeFile(inside('run', 'metrics.json'), JSON.stringify(record));
  const found = await evaluate([bundle.path, ...given, '--out', inside('out')]);
  assert.match(found.output, /compared with: 5 training and 3 calibration images/);
  assert.doesNotMatch(found.output, /not checked/);
  const metrics: EvaluationMetrics = JSON.parse(await readFile(inside('out', 'metrics.json'), 'utf8'));
  assert.equal(metrics.calibration.images[6]?.name, 't6.jpg');

  // One is changed: it is no longer the image that was trained on.
  await writeFile(inside('train', 't0.jpg'), await encode(smoothPixels(64, 900), 64));
  const changed = await evaluate([bundle.path, ...given, '--out', inside('out-2')]);
  assert.match(changed.output, /compared with: 4 training and 3 calibration images/);
  assert.match(changed.output, /not checked: 1 of the 8 images that the run names/);

  // The record of another bundle is no record of this one.
  await writeFile(inside('run', 'metrics.json'), JSON.stringify({ ...record, bundle: { digest: 'other' } }));
  const other = await evaluate([bundle.path, ...given, '--out', inside('out-3')]);
  assert.match(other.output, /not checked: The images that the model was trained on are not at hand/);
});

test('an evaluation is never overwritten, and equal input gives equal figures', async (t) => {
  const { inside, bundle, given } = await setUp(t);
  const first = await evaluate([bundle.path, ...given, '--out', inside('out'), '--json']);
  await assert.rejects(evaluate([bundle.path, ...given, '--out', inside('out')]), /Choose another --out/);
  const second = await evaluate([bundle.path, ...given, '--out', inside('out-2'), '--json']);
  const figures = (text: string) => JSON.parse(text).evaluation;
  assert.deepEqual(figures(first.output), figures(second.output));
});

test('what cannot be evaluated is refused with what to do', async (t) => {
  const { inside, bundle, given } = await setUp(t);
  const out = ['--out', inside('out')];
  await assert.rejects(evaluate([bundle.path, ...out]), /--good/);
  await assert.rejects(evaluate([inside('none.onnx'), ...given, ...out]), /ENOENT/);
  await assert.rejects(evaluate([bundle.path, '--good', inside('none'), ...out]), /does not exist/);
  await mkdir(inside('texts'));
  await writeFile(inside('texts', 'a.txt'), 'no image');
  await assert.rejects(
    evaluate([bundle.path, '--good', inside('texts'), '--bad', inside('snow'), ...out]),
    /None of the 1 file labelled good is an image .*Give JPEG/,
  );
});

test('stopped, it ends and writes nothing', async (t) => {
  const { inside, bundle, given } = await setUp(t);
  const stop = AbortSignal.abort();
  await assert.rejects(evaluate([bundle.path, ...given, '--out', inside('out')], stop), {
    name: 'InterruptedError',
  });
  await assert.rejects(readFile(inside('out', 'metrics.json')), { code: 'ENOENT' });
});
