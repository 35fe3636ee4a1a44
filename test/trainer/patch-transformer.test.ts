import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { before } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ConfigError } from '../../config/errors.ts';
import { type Recipe, recipe as recipeSchema } from '../../config/recipe.ts';
import { modelFiles } from '../../convert/files.ts';
import { buildPatchTransformer } from '../../trainer/models/patch-transformer.ts';
import { Attention, Positions } from '../../trainer/models/transformer/layers.ts';
import { complementaryMasks, randomMasks } from '../../trainer/models/transformer/masks.ts';
import { randomFor } from '../../trainer/random.ts';
import {
  enlargeWeights,
  exportDifference,
  gradients,
  onCpu,
  pictures,
  slopes,
  trainingLosses,
  useOnnx,
} from './model-checks.ts';

before(useOnnx);
const context = { meanColour: [0.5], encoder: null };
const SMALL = { patch: 4, width: 16, depth: 1, heads: 2, latent: 4, mask: 0.5 };

function recipe(model: object = {}, input: object = {}): Recipe {
  return recipeSchema.parse({
    name: 'test',
    description: '',
    intendedUse: '',
    input: { fit: 'fill', kernel: 'cubic', width: 16, height: 12, channels: 1, ...input },
    model: { kind: 'patch-transformer', ...SMALL, ...model },
    residual: 'absolute',
    optimizer: { kind: 'adam', learningRate: 0.01 },
    epochs: 1,
    batchSize: 4,
    split: { validation: 0.1, calibration: 0.2 },
    threshold: { rule: 'conformal', alpha: 0.05 },
  });
}

test('masks: as many hidden in every image, and patterns that hide every patch once', () => {
  const random = randomMasks(50, 12, 0.25, randomFor(1, 'masks'));
  const counts = Array.from({ length: 50 }, (_, i) =>
    random.subarray(i * 12, i * 12 + 12).reduce((sum, v) => sum + v),
  );
  assert.deepEqual(new Set(counts), new Set([3]));
  const each = Array.from({ length: 12 }, (_, patch) => random.filter((_, i) => i % 12 === patch));
  assert.ok(each.every((values) => values.includes(0) && values.includes(1)));
  assert.deepEqual(
    complementaryMasks(2, 3, 0.5).map((mask) => [...mask]),
    [
      [1, 0, 1, 0, 1, 0],
      [0, 1, 0, 1, 0, 1],
    ],
  );
  for (const [share, count] of [
    [0.9, 2],
    [0.3, 4],
    [0.25, 4],
    [0.1, 10],
  ] as const) {
    const masks = complementaryMasks(8, 12, share);
    assert.equal(masks.length, count);
    for (let patch = 0; patch < 96; patch++)
      assert.equal(
        masks.reduce((sum, mask) => sum + mask[patch]!, 0),
        1,
      );
  }
});

test('attention and positions are those of their formulas', async () => {
  const [tokens, width, heads] = [5, 8, 2];
  const [q, k, v] = [1, 2, 3].map((seed) => pictures([1, tokens, width, 1], seed));
  const flat = [q!, k!, v!].map((x) => tf.mul(tf.reshape(x, [1, tokens, width]), 4));
  const got = (await (new Attention({ heads }).apply(flat) as tf.Tensor).array()) as number[][][];
  const [queries, keys, values] = (await Promise.all(flat.map((x) => x.array()))) as number[][][][];
  for (let t = 0; t < tokens; t++)
    for (let i = 0; i < width; i++) {
      const head = Math.floor(i / 4) * 4;
      const weights = keys![0]!.map((key) => {
        let product = 0;
        for (let j = head; j < head + 4; j++) product += queries![0]![t]![j]! * key[j]!;
        return Math.exp(product / 2);
      });
      const total = weights.reduce((a, b) => a + b);
      const expected = weights.reduce((sum, w, s) => sum + (w / total) * values![0]![s]![i]!, 0);
      assert.ok(Math.abs(got[0]![t]![i]! - expected) < 1e-5);
    }
  const places = new Positions({ rows: 2, columns: 3 }).apply(tf.zeros([2, 6, 8])) as tf.Tensor;
  const rows = (await places.array()) as number[][][];
  const angles = (place: number) => [
    Math.sin(place),
    Math.sin(place / 100),
    Math.cos(place),
    Math.cos(place / 100),
  ];
  for (const [t, values] of rows[1]!.entries())
    [...angles(Math.floor(t / 3)), ...angles(t % 3)].forEach((expected, i) => {
      assert.ok(Math.abs(values[i]! - expected) < 1e-6, `token ${t}, ${i}`);
    });
});

test('each patch is drawn from the others: what is in it does not matter, what is beside it does', async () => {
  for (const mask of [0.5, 0.25]) {
    const built = buildPatchTransformer(recipe({ mask }), 1, context);
    enlargeWeights(built, 2);
    const images = pictures([1, 12, 16, 1], 1);
    const inPatch = (i: number) => Math.floor(i / 16 / 4) === 1 && Math.floor((i % 16) / 4) === 2;
    const changed = Float32Array.from(await images.data(), (v, i) => (inPatch(i) ? 1 - v * v : v));
    const before = await built.reconstruct(images).data();
    const after = await built.reconstruct(tf.tensor(changed, images.shape)).data();
    const moved = before.map((v, i) => Math.abs(v - after[i]!));
    assert.equal(Math.max(...moved.filter((_, i) => inPatch(i))), 0);
    assert.ok(Math.max(...moved.filter((_, i) => !inPatch(i))) > 1e-4);
  }
  const open = buildPatchTransformer(recipe({ mask: 0 }), 1, context);
  assert.equal(open.model.inputs.length, 1);
});

test('the loss is the mean over hidden patches, visible ones are handed through', async () => {
  const { model, inputs, losses } = buildPatchTransformer(recipe({ mask: 0.25 }), 1, context);
  const images = pictures([3, 12, 16, 1], 1);
  const [x, hidden] = inputs(images, null, randomFor(1, 'x'));
  const output = model.predict([x!, hidden!]) as tf.Tensor;
  const [mask, given, drawn] = await Promise.all([hidden!, images, output].map((t) => t.data()));
  let [sum, count] = [0, 0];
  given!.forEach((value, i) => {
    const [image, row, column] = [Math.floor(i / 192), Math.floor((i % 192) / 64), Math.floor((i % 16) / 4)];
    if (mask![image * 12 + row * 4 + column] === 0) assert.equal(drawn![i], value);
    else count++;
    sum += Math.abs(value - drawn![i]!);
  });
  const [loss] = await losses((a, b) => tf.abs(tf.sub(a, b)))[0]!(images, output).data();
  assert.equal(count, 3 * 3 * 16);
  assert.ok(Math.abs(loss! - sum / count) < 1e-6);
});

for (const mask of [0.5, 0])
  test(`with mask ${mask} it learns, the same every time, and exports`, async () => {
    const images = pictures([6, 12, 16, 1], 3);
    const options = { steps: 100, seed: 1, learningRate: 0.003 };
    const built = buildPatchTransformer(recipe({ mask, width: 32, latent: 8 }), 1, context);
    const untrained = await built.reconstruct(images).data();
    const losses = await trainingLosses(built, images, options);
    const end = losses.slice(-10).reduce((sum, loss) => sum + loss / 10, 0);
    assert.ok(end < 0.6 * losses[0]!, `losses ${losses}`);
    assert.notDeepEqual(await built.reconstruct(images).data(), untrained);
    const twin = buildPatchTransformer(recipe({ mask, width: 32, latent: 8 }), 1, context);
    assert.deepEqual(await trainingLosses(twin, images, { ...options, steps: 3 }), losses.slice(0, 3));
    const other = buildPatchTransformer(recipe({ mask, width: 32, latent: 8 }), 2, context);
    assert.notDeepEqual(await trainingLosses(other, images, { ...options, steps: 1 }), losses.slice(0, 1));
    for (const batch of [1, 3])
      assert.ok((await exportDifference(built, pictures([batch, 12, 16, 1], 9 + batch))) < 1e-4);
  });

test('three channels, another share and more heads export, too', async () => {
  const options = { mask: 0.3, heads: 4, depth: 2 };
  const built = buildPatchTransformer(recipe(options, { channels: 3 }), 1, {
    ...context,
    meanColour: [0.2, 0.5, 0.7],
  });
  enlargeWeights(built, 2);
  for (const batch of [1, 3])
    assert.ok((await exportDifference(built, pictures([batch, 12, 16, 3], batch))) < 1e-4);
});

test('the gradients are right', async () => {
  const built = buildPatchTransformer(recipe(), 3, context);
  enlargeWeights(built, 1.5);
  const inputs = () => built.inputs(pictures([2, 12, 16, 1], 5), null, randomFor(1, 'x'));
  const found = await slopes(built, inputs());
  for (const { weight, analytic, numeric } of found)
    assert.ok(
      Math.abs(analytic - numeric) < 0.02 * Math.abs(numeric) + 2e-3,
      `${weight}: ${analytic}, by differences ${numeric}`,
    );
  assert.ok(found.filter((s) => Math.abs(s.numeric) > 5e-3).length >= 0.85 * found.length);
  const got = await gradients(built, inputs());
  const expected = await onCpu(() => gradients(built, inputs()));
  for (const [name, values] of expected)
    values.forEach((v, i) => {
      assert.ok(Math.abs(v - got.get(name)![i]!) < 1e-3 * (1 + Math.abs(v)), `${name}, ${i}`);
    });
});

test('a saved model gives the same pictures', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'patch-transformer-'));
  const built = buildPatchTransformer(recipe(), 1, context);
  await built.model.save(modelFiles(folder));
  const loaded = await tfl.loadLayersModel(modelFiles(folder));
  const inputs = built.inputs(pictures([2, 12, 16, 1], 4), null, randomFor(1, 'x'));
  const [got, expected] = [loaded, built.model].map((m) => (m.predict(inputs) as tf.Tensor).data());
  assert.deepEqual(await got, await expected);
  await rm(folder, { recursive: true });
});

test('what does not fit is refused with what would', () => {
  const refused = (model: object, input: object, message: RegExp) =>
    assert.throws(
      () => buildPatchTransformer(recipe(model, input), 1, context),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  refused({}, { width: 18 }, /input\.width is 18.*such as 20/);
  refused({ width: 20, heads: 8 }, {}, /model\.width is 20.*such as 24/);
  refused({ width: 18, heads: 2 }, {}, /model\.width is 18.*such as 20/);
  refused({ patch: 12 }, { width: 12 }, /one patch/);
  refused({ mask: 0, latent: 16 }, {}, /can copy any image/);
});
