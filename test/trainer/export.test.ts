/** Exported graphs: shapes, maps, frames, parity of every residual, what an image costs. */
import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { decode } from '../../agent/inspect/decode.ts';
import type { Recipe } from '../../config/recipe.ts';
import { RESIDUALS, type Residual } from '../../config/residual.ts';
import { registerOnnxBackend } from '../../convert/backend.ts';
import { countMultiplyAdds, measureCompute } from '../../trainer/compute.ts';
import { LIMITS } from '../../trainer/data/load.ts';
import { checkExport, exportGraph } from '../../trainer/export.ts';
import type { Picture } from '../../trainer/features.ts';
import { makeGoldenImages } from '../../trainer/golden.ts';
import type { Taps } from '../../trainer/losses/perceptual.ts';
import { buildAutoencoder } from '../../trainer/models/build.ts';
import { smallRecipe, wavePictures } from './small-recipe.ts';

before(async () => {
  registerOnnxBackend();
  tf.env().set('PROD', true);
  await tf.setBackend('onnx');
});

const build = (recipe: Recipe) =>
  buildAutoencoder(recipe, 1, { meanColour: [0.4, 0.5, 0.6].slice(0, recipe.input.channels), encoder: null });

const taps: Taps = (images) => {
  const coarse = tf.avgPool(images as tf.Tensor4D, 2, 2, 'same');
  return [
    tf.concat([coarse, tf.square(coarse)], 3),
    tf.avgPool(tf.concat([coarse, tf.sqrt(coarse)], 3), 2, 2, 'same'),
  ];
};

async function run(graph: Uint8Array, { input, batchSize }: Recipe, pictures: readonly Picture[]) {
  const { width, height, channels, frames } = input;
  assert.equal(pictures.length, batchSize);
  const session = await InferenceSession.create(graph, { logSeverityLevel: 3 });
  const shape = [pictures.length, ...(frames > 1 ? [frames] : []), height, width, channels];
  const image = new Tensor('uint8', Buffer.concat(pictures.map(({ pixels }) => pixels)), shape);
  const { score, map, reconstruction } = await session.run({ image });
  await session.release();
  return { score: score!, map: map!, reconstruction: reconstruction! };
}

for (const residual of Object.keys(RESIDUALS) as Residual[])
  test(`${residual}: score as in TensorFlow.js at batch 1 and 3, and a map over the image`, async () => {
    const recipe = smallRecipe(
      { kind: 'conv', filters: [4, 2] },
      { residual, batchSize: 3 },
      { width: 64, height: 48 },
    );
    const autoencoder = build(recipe);
    const graph = exportGraph(autoencoder, recipe, { taps });
    const pictures = wavePictures(recipe, 3);
    for (const batchSize of [1, 3])
      assert.ok((await checkExport(graph, autoencoder, { ...recipe, batchSize }, pictures, { taps })) < 1e-4);
    const { score, map, reconstruction } = await run(graph, recipe, pictures);
    assert.deepEqual(score.dims, [3]);
    assert.deepEqual(map.dims, residual === 'perceptual' ? [3, 24, 32] : [3, 48, 64]);
    assert.deepEqual([reconstruction.type, ...reconstruction.dims], ['uint8', 3, 48, 64, 1]);
    assert.equal((map.data as Float32Array)[0] === 0, residual === 'ssim'); // it sees no border
  });

test('of several frames, map and reconstruction are those of the middle one', async () => {
  const recipe = smallRecipe({ kind: 'convlstm', filters: [3] }, { batchSize: 1 }, { frames: 3 });
  const autoencoder = build(recipe);
  const graph = exportGraph(autoencoder, recipe, { taps: null });
  const [picture] = wavePictures(recipe, 1);
  const { score, map, reconstruction } = await run(graph, recipe, [picture!]);
  const x = tf.tensor5d(
    Float32Array.from(picture!.pixels, (v) => v / 255),
    [1, 3, 12, 12, 1],
  );
  const expected = (await autoencoder.reconstruct(x).data()).slice(144, 288);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs((reconstruction.data as Uint8Array)[i]! - 255 * value) < 0.51);
    const residual = (picture!.pixels[144 + i]! / 255 - value) ** 2;
    assert.ok(Math.abs((map.data as Float32Array)[i]! - residual) < 1e-5);
  }
  const mean = (map.data as Float32Array).reduce((a, b) => a + b) / 144;
  assert.notEqual((score.data as Float32Array)[0], mean); // the score is that of all frames
});

test('a wrong graph does not pass the check', async () => {
  const recipe = smallRecipe({ kind: 'dense', units: [4] });
  const graph = exportGraph(build(recipe), { ...recipe, residual: 'absolute' }, { taps: null });
  assert.ok((await checkExport(graph, build(recipe), recipe, wavePictures(recipe, 2), { taps: null })) > 0.1);
});

test('multiply-adds are those counted by hand', async () => {
  const conv = smallRecipe({ kind: 'conv', filters: [4, 2], pool: [2, 3] }, {}, { channels: 3 });
  // encode: 12 x 12 and 6 x 6; decode from 2 x 2 to 6 x 6, from there to 12 x 12, where the last convolution is
  const byHand = 144 * 9 * 3 * 4 + 36 * 9 * 4 * 2 + 4 * 9 * 2 * 2 + 36 * 9 * 2 * 4 + 144 * 9 * 4 * 3;
  assert.equal(await countMultiplyAdds(exportGraph(build(conv), conv, { taps: null }), conv.input), byHand);
  const dense = smallRecipe({ kind: 'dense', units: [20, 5] });
  const graph = exportGraph(build(dense), dense, { taps: null });
  const compute = await measureCompute(graph, dense.input);
  assert.equal(compute.multiplyAdds, 2 * (144 * 20 + 20 * 5));
  assert.ok(compute.milliseconds > 0);
});

test('golden images are stills of the input size that decode to themselves, black and white where that is asked', async () => {
  const inputs: Record<string, unknown>[] = [
    { channels: 1 },
    { channels: 3 },
    { frames: 3 },
    { thresholding: { method: 'otsu' } },
  ];
  for (const input of inputs) {
    const recipe = smallRecipe({ kind: 'convlstm', filters: [3] }, {}, input);
    const pngs = await makeGoldenImages(wavePictures(recipe, 4), recipe.input, 1);
    assert.equal(pngs.length, 3);
    for (const png of pngs) {
      const { pixels, width, height } = await decode(png, recipe.input, LIMITS);
      assert.deepEqual([width, height], [12, 12]);
      assert.equal(pixels.length, recipe.input.frames * 144 * recipe.input.channels);
      if (input.thresholding !== undefined) assert.deepEqual([...new Set(pixels)].sort(), [0, 255]);
      else assert.ok(new Set(pixels).size > 20);
      for (let frame = 1; frame < recipe.input.frames; frame++)
        assert.deepEqual(pixels.slice(frame * 144, frame * 144 + 144), pixels.slice(0, 144));
    }
  }
});
