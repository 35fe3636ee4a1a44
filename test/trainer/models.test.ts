/** Every kind of model of trainer/models/build.ts that needs no encoder: built, trained, resumed, exported. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { ConfigError } from '../../config/errors.ts';
import type { Recipe } from '../../config/recipe.ts';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { imagesOf } from '../../trainer/batches.ts';
import { checkExport, exportGraph } from '../../trainer/export.ts';
import { computeFeatures } from '../../trainer/features.ts';
import { type FitOptions, fit } from '../../trainer/fit.ts';
import type { FrozenEncoder } from '../../trainer/models/autoencoder.ts';
import { buildAutoencoder, checkModel } from '../../trainer/models/build.ts';
import { readWeights } from '../../trainer/weights.ts';
import { smallRecipe, wavePictures } from './small-recipe.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'plumbline-models-'));
  registerOnnxBackend();
  tf.env().set('PROD', true);
  await tf.setBackend('onnx');
});
after(() => rm(folder, { recursive: true }));

const build = (recipe: Recipe, seed = 1) =>
  buildAutoencoder(recipe, seed, {
    meanColour: [0.4, 0.5, 0.6].slice(0, recipe.input.channels),
    encoder: null,
  });

function options(recipe: Recipe, name: string, more: Partial<FitOptions> = {}): FitOptions {
  const pictures = wavePictures(recipe, 14);
  return {
    recipe,
    seed: 3,
    split: { train: pictures.slice(0, 10), validation: pictures.slice(10) },
    taps: null,
    labelled: null,
    checkpointFile: path.join(folder, name),
    fingerprint: 'test',
    signal: new AbortController().signal,
    onFeature: () => {},
    onBatch: () => {},
    onEpoch: () => {},
    ...more,
  };
}

const KINDS: Record<string, Recipe> = {
  conv: smallRecipe({ kind: 'conv', filters: [6, 4] }, { residual: 'cross-entropy', batchSize: 1 }),
  'conv, odd size, three channels, dense bottleneck': smallRecipe(
    { kind: 'conv', filters: [6, 4], pool: [2, 3], convolutions: 2, latent: 5, activation: 'elu' },
    {},
    { width: 13, height: 11, channels: 3 },
  ),
  'conv-bn': smallRecipe({ kind: 'conv-bn', filters: [6, 4], latent: 8 }, { residual: 'absolute' }),
  dense: smallRecipe({ kind: 'dense', units: [32, 8], activation: 'tanh' }),
  vae: smallRecipe({ kind: 'vae', filters: [6, 4], latent: 4, beta: 0.1 }, { epochs: 25 }),
  'convlstm, three frames': smallRecipe(
    { kind: 'convlstm', filters: [4, 2] },
    { residual: 'absolute', epochs: 10, optimizer: { kind: 'adam', learningRate: 0.05 } },
    { frames: 3 },
  ),
  'patch-transformer': smallRecipe({ kind: 'patch-transformer', patch: 4, width: 16, depth: 1, heads: 2 }),
};

for (const [name, recipe] of Object.entries(KINDS)) {
  test(`${name}: training lowers the loss, a resumed run ends bit for bit as one never stopped`, async () => {
    const whole = build(recipe);
    const fitted = await fit(whole, options(recipe, `${name}-whole`));
    const losses = fitted.history.map(({ loss }) => loss);
    assert.ok(losses.at(-1)! < 0.97 * losses[0]!, `losses: ${losses}`);

    const before = recipe.epochs - 1;
    await fit(build(recipe), options({ ...recipe, epochs: before }, `${name}-parts`));
    const resumed = build(recipe, 2);
    const again = await fit(resumed, options(recipe, `${name}-parts`));
    assert.equal(again.resumedFrom, before);
    const figures = (history: typeof again.history) =>
      history.map(({ loss, validationLoss }) => [loss, validationLoss]);
    assert.deepEqual(figures(again.history), figures(fitted.history));
    assert.deepEqual(await readWeights(resumed.model), await readWeights(whole.model));
  });

  test(`${name}: the exported graph scores as TensorFlow.js does, at batch 1 and 3, with another seed otherwise`, async () => {
    const autoencoder = build(recipe);
    await fit(autoencoder, options({ ...recipe, epochs: 2 }, `${name}-export`));
    const graph = exportGraph(autoencoder, recipe, { taps: null });
    const pictures = wavePictures(recipe, 3, 2);
    for (const batchSize of [1, 3]) {
      const difference = await checkExport(graph, autoencoder, { ...recipe, batchSize }, pictures, {
        taps: null,
      });
      assert.ok(difference < 1e-4, `batch ${batchSize}: ${difference}`);
    }
    const other = await checkExport(graph, build(recipe, 2), recipe, pictures, { taps: null });
    assert.ok(other > 1e-3, `another model, but the scores agree to ${other}`);
  });
}

test('pooling rounds up, and the decoder crops back to the mirrored sizes: MNIST has a bottleneck of 4 x 4 x 8', () => {
  const { model } = build(
    smallRecipe({ kind: 'conv', filters: [16, 8], pool: [2, 4] }, {}, { width: 28, height: 28 }),
  );
  const shapes = model.layers.map(
    (layer) => `${layer.name} ${(layer.outputShape as number[]).slice(1).join('x')}`,
  );
  for (const expected of ['pool2 4x4x8', 'upsample1 16x16x8', 'crop1 14x14x8', 'reconstruction 28x28x1'])
    assert.ok(shapes.includes(expected), `${expected} is missing in ${shapes.join(', ')}`);
});

test('batch normalization keeps moving averages while training on the onnx backend, and inference uses them', async () => {
  const recipe = KINDS['conv-bn']!;
  const autoencoder = build(recipe);
  const moving = async () =>
    (await readWeights(autoencoder.model))
      .filter(({ name }) => name.includes('moving'))
      .map(({ data }) => [...data]);
  const before = await moving();
  await fit(autoencoder, options({ ...recipe, epochs: 1 }, 'moving'));
  const after = await moving();
  assert.equal(after.length, 2 * 4); // mean and variance after encode1, encode2, decode1, decode2
  for (const [i, values] of after.entries()) assert.notDeepEqual(values, before[i]);
  // one image alone and among others: the same reconstruction
  const x = tf.randomUniform([3, 12, 12, 1], 0, 1, 'float32', 1);
  const together = await autoencoder.reconstruct(x).data();
  const alone = await autoencoder.reconstruct(tf.slice(x, [0, 0, 0, 0], [1, 12, 12, 1])).data();
  for (const [i, value] of alone.entries()) assert.ok(Math.abs(value - together[i]!) < 1e-6);
});

test('the VAE draws noise in training only: two reconstructions are equal, two seeds train differently', async () => {
  const recipe = KINDS.vae!;
  const autoencoder = build(recipe);
  const first = await fit(autoencoder, options(recipe, 'vae-1'));
  const second = await fit(build(recipe), options(recipe, 'vae-2', { seed: 4 }));
  assert.notEqual(first.history.at(-1)!.loss, second.history.at(-1)!.loss);
  const x = tf.randomUniform([2, 12, 12, 1], 0, 1, 'float32', 1);
  assert.deepEqual(await autoencoder.reconstruct(x).data(), await autoencoder.reconstruct(x).data());
});

test('labelled images are told after each epoch and change nothing', async () => {
  const recipe = KINDS.conv!;
  const labelled = { good: wavePictures(recipe, 5, 7), poor: [{ pixels: new Uint8Array(144).fill(255) }] };
  const [plain, watched] = [build(recipe), build(recipe)];
  const without = await fit(plain, options(recipe, 'plain'));
  const { history } = await fit(watched, options(recipe, 'watched', { labelled }));
  assert.deepEqual(await readWeights(watched.model), await readWeights(plain.model));
  assert.equal(without.history[0]!.labelled, null);
  assert.ok(history.every((epoch) => epoch.labelled!.poor > epoch.labelled!.good));
});

/** Halves the image twice: a frozen encoder that needs no weights. It notes how often it was asked for. */
function halvingEncoder(recipe: Recipe, outputShape: number[]): FrozenEncoder & { encoded: number } {
  const encode = (images: tf.Tensor) => {
    const half = tf.avgPool(images as tf.Tensor4D, 4, 4, 'valid');
    return tf.concat([half, tf.square(half)], 3);
  };
  const encoder = {
    outputShape,
    encoded: 0,
    encode,
    encodeAll: async (pixels: readonly Uint8Array[], onImage: () => void) => {
      const all: Float32Array[] = [];
      for (const one of pixels) {
        const features = tf.tidy(() => encode(imagesOf([{ pixels: one }], recipe.input)));
        all.push((await features.data()) as Float32Array);
        encoder.encoded++;
        onImage();
      }
      return all;
    },
    origin: { name: 'halving', source: 'test', licence: 'none', sha256: '' },
  };
  return encoder;
}

for (const decoder of ['conv', 'vae'])
  test(`pretrained with decoder ${decoder}: features are computed once, told, and score as the exported graph does`, async () => {
    const recipe = smallRecipe(
      { kind: 'pretrained', encoder: 'halving', decoder, filters: [8, 4], beta: 0.01 },
      { epochs: 25 },
    );
    const encoder = halvingEncoder(recipe, [3, 3, 2]);
    const told: [number, number][] = [];
    const autoencoder = buildAutoencoder(recipe, 1, { meanColour: [0.4], encoder });
    const labelled = { good: wavePictures(recipe, 3, 8), poor: wavePictures(recipe, 2, 9) };
    const onFeature = (count: number, bytes: number) => void told.push([count, bytes]);
    const { history } = await fit(autoencoder, options(recipe, `frozen-${decoder}`, { labelled, onFeature }));
    assert.ok(history.at(-1)!.loss < 0.97 * history[0]!.loss);
    assert.equal(encoder.encoded, 14 + 5);
    assert.deepEqual(told.at(-1), [19, 19 * 18 * 4]);
    const graph = exportGraph(autoencoder, recipe, { taps: null });
    const difference = await checkExport(graph, autoencoder, recipe, labelled.good, { taps: null });
    assert.ok(difference < 1e-4, `${difference}`);
  });

test('features that would fill the memory are refused with what to do', async () => {
  const recipe = smallRecipe({ kind: 'pretrained', encoder: 'halving', filters: [8, 4] });
  const encoder = halvingEncoder(recipe, [3, 3, 5_000_000]);
  await assert.rejects(
    computeFeatures(encoder, wavePictures(recipe, 14), () => {}),
    /of 14 images take 2\.3 GiB of memory; 2\.0 GiB are allowed.*model\.tap.*\(11 fit\)/,
  );
});

test('models that cannot be built, or could only copy, are refused with what to change', () => {
  const refused: [Recipe, RegExp][] = [
    [
      smallRecipe({ kind: 'conv', filters: [4, 4], pool: [2] }),
      /model\.pool has 1 numbers for the 2 blocks.*\[2,2\]/,
    ],
    [
      smallRecipe({ kind: 'conv', filters: [4, 4, 4, 4, 4] }),
      /Block 5 would reduce by 2 what is 1 x 1 pixels/,
    ],
    [smallRecipe({ kind: 'conv', filters: [4], pool: [1] }), /bottleneck has 576 numbers, the image 144/],
    [smallRecipe({ kind: 'dense', units: [200, 144] }), /bottleneck has 144 numbers.*model\.units/],
    [smallRecipe({ kind: 'vae', filters: [4], latent: 144 }), /bottleneck has 144/],
    [smallRecipe({ kind: 'dense', units: [8] }, {}, { frames: 2 }), /sees one frame.*input\.frames=1/],
  ];
  for (const [recipe, message] of refused)
    assert.throws(
      () => checkModel(recipe),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
});
