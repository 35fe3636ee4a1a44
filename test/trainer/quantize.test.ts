/** `trainer fit --quantize`: what ships, by which threshold, and what is refused. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { loadInspector } from '../../agent/inspect/inspect.ts';
import { conformalCount } from '../../agent/inspect/threshold.ts';
import { trace } from '../../convert/trace.ts';
import { calibrate, EXECUTION } from '../../trainer/calibrate.ts';
import { LIMITS, type LoadedImage } from '../../trainer/data/load.ts';
import type { LabelledSample } from '../../trainer/data/sample.ts';
import type { Metrics } from '../../trainer/metrics.ts';
import { judgeQuantized, type Pair } from '../../trainer/quantize/gate.ts';
import { quantizeCalibrated, requireAccepted, requireQuantizable } from '../../trainer/quantize/quantize.ts';
import { tellQuantization } from '../../trainer/quantize/tell.ts';
import { randomFor } from '../../trainer/random.ts';
import { loadRecipe } from '../../trainer/recipe.ts';
import { quantizationSection } from '../../trainer/report/quantization.ts';
import type { Graphs } from '../../trainer/train.ts';
import { drawGood, drawPoor, run, SMALL, temporary } from './launcher.ts';
import { smallRecipe } from './small-recipe.ts';

const readJson = async <T>(...parts: string[]): Promise<T> =>
  JSON.parse(await readFile(path.join(...parts), 'utf8'));

describe('trainer fit --quantize', () => {
  test('ships a bundle whose threshold, scores and proof are those of the graph in integers', async (t) => {
    const folder = await temporary(t);
    const [good, out] = [path.join(folder, 'good'), path.join(folder, 'run')];
    await drawGood(good, 40);
    await drawGood(path.join(folder, 'labelled/good'), 8, 500);
    await drawPoor(path.join(folder, 'labelled/poor'), 8);
    const fit = ['fit', good, '--out', out, ...SMALL, '--epochs=2', '--test', path.join(folder, 'labelled')];
    const ended = await run('trainer', [...fit, '--quantize']);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(
      ended.stdout,
      /\nquantised: 5 of 5 convolutions in 8-bit integers\n {2}costs: 0 of 28 verdicts change, 0 % \(0 % to 12 %\), on 16 labelled images and the 12 that set both thresholds; AUROC .*\n {2}gains: .*\n/,
    );
    const { quantization, bundle, model } = await readJson<Metrics>(out, 'metrics.json');
    const { comparison } = quantization!;
    assert.equal(bundle.bytes, comparison!.bundleBytes.quantized);
    assert.equal(model.compute.milliseconds, comparison!.milliseconds.quantized);
    assert.match(await readFile(path.join(out, 'report.html'), 'utf8'), /<h2>In 8-bit integers<\/h2>/);

    // Opening it proves its digest and its golden samples.
    const inspector = await loadInspector({
      bundlePath: path.join(out, 'bundle.onnx'),
      limits: LIMITS,
      ...EXECUTION,
    });
    t.after(() => inspector.close());
    const { manifest, model: bytes } = inspector.bundle;
    assert.deepEqual(manifest.provenance.quantization, { kind: 'int8', layers: 5, float: [] });
    assert.ok(Buffer.from(bytes).includes('QuantizeLinear'));
    const { images } = await readJson<{ images: { name: string; side: string }[] }>(out, 'split.json');
    const scores: number[] = [];
    for (const { name } of images.filter(({ side }) => side === 'calibration')) {
      const inspection = await inspector.inspect(path.join(good, name));
      if (inspection.outcome === 'scored') scores.push(inspection.score);
    }
    scores.sort((a, b) => a - b);
    assert.deepEqual(manifest.calibration.scores, scores);
    assert.equal(manifest.threshold.upper, scores[12 - conformalCount(0.1, 12)]);
    assert.notEqual(comparison!.threshold.float, comparison!.threshold.quantized);

    // Without labelled images, and without being told again that it is quantised.
    const resumed = await run('trainer', ['fit', good, '--out', out, '--resume', '--epochs=3']);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(
      resumed.stdout,
      /\nquantised: 5 of 5 .*\n {2}costs: \d+ of 12 verdicts change, .* on the images that set both thresholds, a weak test/,
    );
    assert.match(
      await readFile(path.join(out, 'report.html'), 'utf8'),
      /of 12 images, on the images that set both thresholds, a weak test/,
    );
  });

  test('is refused before it trains where the model has no convolution, and leaves the folder free', async (t) => {
    const folder = await temporary(t);
    const out = path.join(folder, 'run');
    await drawGood(path.join(folder, 'good'), 40);
    const dense = SMALL.map((word) => (word === 'model.filters=4,8' ? 'model.units=[8]' : word));
    const fit = ['fit', path.join(folder, 'good'), '--out', out, ...dense, '--set', 'model.kind=dense'];
    const refused = await run('trainer', [...fit, '--epochs=1', '--quantize']);
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(
      refused.stderr,
      /^error: --quantize is for recipes that train convolutions on pixels: the model has no convolution with constant weights, .*Leave it out/,
    );
    assert.doesNotMatch(refused.stdout, /epoch 1/);
    const without = await run('trainer', [...fit, '--epochs=1']);
    assert.equal(without.code, 0, without.stderr);
  });

  test('that was refused is told in the report and by an error, and the bundle in float32 is whole', async () => {
    const { quantization } = await quantizeBlind();
    const why = quantization.refused!;
    assert.throws(
      () => requireAccepted(quantization, 'run'),
      ({ message }: Error) =>
        message ===
        `--quantize was refused: ${why}. The bundle in run is the one in float32, complete and tested: use it, or train longer or on more images and try again.`,
    );
    const early = { refused: 'every layer is too sensitive', comparison: null };
    assert.throws(() => requireAccepted(early, 'run'), /complete and tested: use it\.$/);
    requireAccepted({ refused: null, comparison: quantization.comparison! }, 'run');
    assert.match(
      `${quantizationSection({ quantization } as Metrics)?.html}`,
      /<b>Refused\.<\/b> The bundle stays in float32/,
    );
  });

  test('is no use to a recipe of voices or of recurrent cells, and says so before it trains', async () => {
    assert.throws(
      () => requireQuantizable(recipe),
      /--quantize is for recipes that train convolutions on pixels: the graph of auto/,
    );
    const chest = await loadRecipe('chest-xray', []);
    assert.throws(() => requireQuantizable(chest), /the graph of chest-xray .* inside of recurrent cells/);
  });
});

const recipe = await loadRecipe('auto', []);

/**
 * Quantises a graph that is nearly blind to flat images by noisy ones, and has it judge flat ones: a step of 1/255 of
 * what it gives on noise is ten grey levels of a flat image.
 */
async function quantizeBlind() {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
  const { input, ...small } = smallRecipe(
    { kind: 'conv', filters: [1] },
    { threshold: { rule: 'conformal', alpha: 0.1 } },
  );
  const ruined = { ...small, input };
  const flat = (value: number) => new Uint8Array(12 * 12).fill(value);
  const uniform = randomFor(1, 'noise');
  const noisy = () => Uint8Array.from({ length: 12 * 12 }, () => 255 * uniform());
  const loaded = (pixels: Uint8Array, i: number) => ({ name: `image ${i}`, pixels }) as LoadedImage;
  const weights = tf.tensor4d([0, -3, 0, -3, 10, -3, 0, 0, 0], [3, 3, 1, 1]);
  const graph = trace(
    (image) => {
      const seen = tf.relu(tf.conv2d(tf.div(image!, 255) as tf.Tensor4D, weights, 1, 'valid'));
      const map = tf.mean(seen, 3);
      return { score: tf.mean(map, [1, 2]), map, reconstruction: tf.add(image!, 0) };
    },
    [{ name: 'image', shape: [null, 12, 12, 1], dtype: 'uint8' }],
    { outputTypes: { reconstruction: 'uint8' } },
  );
  const calibration = Array.from({ length: 20 }, (_, i) => loaded(flat(91 + i), i));
  const split = { train: Array.from({ length: 20 }, (_, i) => loaded(noisy(), i)), calibration };
  const graphs = { graph, unseen: [{ graph, images: calibration }] };
  const png = await sharp(flat(100), { raw: { width: 12, height: 12, channels: 1 } })
    .png()
    .toBuffer();
  const calibrateBy = ({ graph, unseen }: Graphs, more: object) =>
    calibrate(graph, {
      ...{ recipe: ruined, groups: 20, unseen, measurements: null, onImage: () => {} },
      golden: { real: false, pngs: [png] },
      tuning: { good: [], poor: [] },
      provenance: { ...PROVENANCE, ...more },
    });
  const sample = (label: LabelledSample['label'], value: number): LabelledSample => ({
    ...{ label, kind: label, name: `${label} ${value}`, path: null, group: null },
    read: () =>
      sharp(flat(value), { raw: { width: 12, height: 12, channels: 1 } })
        .png()
        .toBuffer(),
  });
  const test = Array.from({ length: 10 }, (_, i) => [
    sample('good', 92 + 2 * i),
    sample('poor', 112 + i),
  ]).flat();
  const inFloat = { graphs, calibrated: await calibrateBy(graphs, {}), quantization: null };
  const said: string[] = [];
  const console = { say: (line: string) => said.push(line), bar: () => ({ step: () => {}, end: () => {} }) };
  const stop = new AbortController().signal;
  const { quantization, ...shipped } = await quantizeCalibrated(
    inFloat,
    { recipe: ruined, seed: 1, split, test, calibrateBy, stop },
    console,
  );
  tellQuantization(console, quantization);
  return { inFloat, quantization, shipped, said };
}

test('a graph that integers ruin on images that it was not quantised by is refused, and float32 ships', async () => {
  const { inFloat, quantization, shipped, said } = await quantizeBlind();
  assert.match(quantization.refused ?? 'accepted', /^\d+ of 40 verdicts change, and 0\.5 % of them may/);
  assert.equal(shipped.calibrated, inFloat.calibrated);
  assert.equal(shipped.graphs, inFloat.graphs);
  assert.ok(
    quantization.comparison!.noise < 0.03,
    'nothing was wrong on the images that it was quantised by',
  );
  assert.match(said[0]!, /^quantisation REFUSED, the bundle stays in float32: \d+ of 40 verdicts change/);
  assert.match(said[1]!, /^ {2}tried: 1 of 1 convolutions in 8-bit integers$/);
});

const PROVENANCE = {
  recipe: {},
  data: { train: 20, validation: 0, calibration: 20, refused: 0, duplicates: 0, digest: '' },
  ...{ seed: 1, epochs: 1, bestEpoch: 1, validationLoss: 0, backend: 'none', trainer: '0', encoder: null },
};

describe('the gate', () => {
  const pairs = (count: number, changed: number): Pair[] =>
    Array.from({ length: count }, (_, i) => ({
      ...{ label: 'good', group: null, tested: false },
      float: { score: i, verdict: 'pass' },
      quantized: { score: i, verdict: i < changed ? 'review' : 'pass' },
    }));
  const tested = (shift: number): Pair[] =>
    Array.from({ length: 60 }, (_, i) => {
      const poor = i % 2 === 1;
      const score = i + (poor ? 20 : 0);
      return {
        ...{ label: poor ? 'poor' : 'good', group: null, tested: true },
        float: { score, verdict: 'pass' },
        quantized: { score: score - (poor ? shift : 0), verdict: 'pass' },
      };
    });

  test('refuses more changed verdicts than 0.5 % by more than chance', () => {
    for (const [count, changed, refused] of [
      [84, 0, false],
      [84, 1, false],
      [84, 2, true],
      [1000, 5, false],
      [1000, 15, true],
    ] as const) {
      const { refusals, verdicts } = judgeQuantized(pairs(count, changed), 1);
      assert.deepEqual([verdicts.compared, verdicts.changed], [count, changed]);
      assert.equal(refusals.length === 1, refused, `${changed} of ${count}: ${refusals}`);
    }
  });

  test('refuses an AUROC that falls, not one that stays or rises', () => {
    for (const [shift, refused] of [
      [10, true],
      [0, false],
      [-10, false],
      [0.1, false],
    ] as const) {
      const { refusals, auroc } = judgeQuantized(tested(shift), 1);
      assert.equal(refusals.length === 1, refused, `shifted by ${shift}: ${auroc!.value}`);
      if (refused) assert.match(refusals[0]!, /^the AUROC falls by 0\.\d{3}, and 0\.01 is allowed$/);
    }
  });

  test('knows no AUROC without both labels in the test', () => {
    assert.equal(judgeQuantized(pairs(20, 0), 1).auroc, null);
    const good = tested(0).filter(({ label }) => label === 'good');
    assert.equal(judgeQuantized(good, 1).auroc, null);
  });
});
