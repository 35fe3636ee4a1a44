/** The kind `pretrained`, with each kind of encoder and decoder: trained on features, resumed, exported. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { Recipe } from '../../config/recipe.ts';
import { openEncoder, openTaps } from '../../trainer/encoders/open.ts';
import { checkExport, exportGraph } from '../../trainer/export.ts';
import { type FitOptions, fit } from '../../trainer/fit.ts';
import type { Autoencoder, FrozenEncoder } from '../../trainer/models/autoencoder.ts';
import { buildAutoencoder } from '../../trainer/models/build.ts';
import { buildPretrained } from '../../trainer/models/pretrained.ts';
import { useOnnx } from '../convert/support/backends.ts';
import { layersModel, writeGraphModel, writeLayersModel, writeOnnx } from './encoders/models.ts';
import { smallRecipe, wavePictures } from './small-recipe.ts';

let folder: string;
const encoders: Record<string, string> = {};

before(async () => {
  await useOnnx();
  folder = await mkdtemp(path.join(tmpdir(), 'plumbline-pretrained-'));
  const model = layersModel();
  encoders.layers = await writeLayersModel(path.join(folder, 'layers'), model);
  encoders.graph = writeGraphModel(path.join(folder, 'graph')).path;
  encoders.onnx = writeOnnx(folder, model);
});
after(() => rm(folder, { recursive: true }));

const surroundings = () => ({ cache: folder, environment: {}, home: folder, progress: () => {} });

const open = (kind: string, { input }: Recipe, tap?: string): Promise<FrozenEncoder> =>
  openEncoder(encoders[kind]!, { tap, input, surroundings: surroundings(), threads: 1 });

function recipe(
  decoder: string,
  more: Record<string, unknown> = {},
  size = { width: 16, height: 20 },
): Recipe {
  return smallRecipe(
    {
      kind: 'pretrained',
      encoder: 'as opened',
      decoder,
      filters: [8, 4],
      ...(decoder === 'vae' && { latent: 6, beta: 0.1 }),
    },
    { epochs: 12, optimizer: { kind: 'adam', learningRate: 0.02 }, ...more },
    size,
  );
}

const build = (recipe: Recipe, encoder: FrozenEncoder): Autoencoder =>
  buildAutoencoder(recipe, 1, { meanColour: [0.4], encoder });

function options(recipe: Recipe, name: string): FitOptions {
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
  };
}

for (const [kind, decoder, tap] of [
  ['layers', 'conv', 'late'],
  ['layers', 'conv-bn', 'early'],
  ['layers', 'vae', undefined],
  ['graph', 'conv', 'pool'],
  ['onnx', 'conv', undefined],
] as const)
  test(`${kind}, ${decoder}: trains on features, and the exported graph holds encoder and decoder`, async () => {
    // The graph model takes any size, from 96 on as it is.
    const size = kind === 'graph' ? { width: 96, height: 96 } : undefined;
    const chosen = recipe(decoder, {}, size);
    const autoencoder = build(chosen, await open(kind, chosen, tap));
    assert.ok(autoencoder.encoder !== null);
    const before = tf.memory().numTensors;
    const { history } = await fit(autoencoder, options(chosen, `${kind}-${decoder}`));
    assert.ok(tf.memory().numTensors - before < 100, 'tensors do not pile up');
    const losses = history.map(({ loss }) => loss);
    assert.ok(losses.at(-1)! < 0.97 * losses[0]!, `losses: ${losses}`);
    const pictures = wavePictures(chosen, 3, 2);
    const graph = exportGraph(autoencoder, chosen, { taps: null });
    for (const batchSize of [1, 3]) {
      const recipe = { ...chosen, batchSize };
      const difference = await checkExport(graph, autoencoder, recipe, pictures, { taps: null });
      assert.ok(difference < 1e-4, `batch ${batchSize}: ${difference}`);
    }
  });

test('reconstruction from features at hand equals that from images', async () => {
  const chosen = recipe('vae');
  const encoder = await open('layers', chosen);
  const { reconstruct } = build(chosen, encoder);
  const x = tf.randomUniform([2, 20, 16, 1], 0, 1, 'float32', 3);
  const [fromImages, fromFeatures] = [reconstruct(x), reconstruct(x, encoder.encode(x))];
  assert.deepEqual(fromImages.shape, [2, 20, 16, 1]);
  assert.deepEqual(await fromFeatures.data(), await fromImages.data());
});

test('the perceptual residual trains through the taps of an encoder', async () => {
  const chosen = recipe('conv', {
    residual: 'perceptual',
    perceptual: { encoder: encoders.layers },
    epochs: 6,
  });
  const { taps } = await openTaps(chosen.perceptual!, surroundings());
  const conv: Recipe = { ...chosen, model: smallRecipe({ kind: 'conv', filters: [6, 2] }).model };
  // Not 0.4: the random encoder has no feature that is alive on a flat image darker than mid-grey.
  const autoencoder = buildAutoencoder(conv, 1, { meanColour: [0.7], encoder: null });
  const { history } = await fit(autoencoder, { ...options(conv, 'perceptual'), taps });
  assert.ok(history.at(-1)!.loss < history[0]!.loss, `${history.map(({ loss }) => loss)}`);
  const graph = exportGraph(autoencoder, conv, { taps });
  const difference = await checkExport(graph, autoencoder, conv, wavePictures(conv, 3, 2), { taps });
  assert.ok(difference < 1e-4, `${difference}`);
});

test('a model without its encoder, and a decoder larger than the image, are refused', async () => {
  const chosen = recipe('conv');
  assert.throws(() => buildPretrained(chosen, 1, { meanColour: [0.5], encoder: null }), /needs an encoder/);
  const tiny = smallRecipe({ kind: 'pretrained', encoder: 'x', filters: [4] }, {}, { width: 8, height: 8 });
  const encoder = await openEncoder(encoders.graph!, {
    tap: 'relu',
    input: tiny.input,
    surroundings: surroundings(),
    threads: 1,
  });
  assert.throws(() => build(tiny, encoder), /Choose a later tap/);
});
