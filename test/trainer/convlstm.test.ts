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
import { buildConvLstm } from '../../trainer/models/convlstm.ts';
import { summarize } from '../../trainer/models/summary.ts';
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
const noContext = { meanColour: [0.5], encoder: null };

function recipe(input: Partial<Recipe['input']> = {}, filters = [4, 3]): Recipe {
  const size = { width: 16, height: 16, channels: 1, frames: 1 };
  return recipeSchema.parse({
    name: 'test',
    description: '',
    intendedUse: '',
    input: { fit: 'fill', kernel: 'cubic', ...size, ...input },
    model: { kind: 'convlstm', filters },
    residual: 'absolute',
    optimizer: { kind: 'adam', learningRate: 0.01 },
    epochs: 1,
    batchSize: 4,
    split: { validation: 0.1, calibration: 0.2 },
    threshold: { rule: 'conformal', alpha: 0.05 },
  });
}

test('the net is a ladder of states down to a bottleneck and up again', () => {
  const { model } = buildConvLstm(recipe({ width: 64, height: 64, frames: 5 }, [16, 8]), 1, noContext);
  assert.deepEqual(
    summarize(model).map((l) => `${l.kind} ${l.shape.join('x')}`),
    [
      ...['InputLayer 5x64x64x1', 'ConvLSTM2D 5x64x64x16', 'TimeDistributed 5x32x32x16'],
      ...['ConvLSTM2D 5x32x32x8', 'TimeDistributed 5x16x16x8', 'ConvLSTM2D 5x16x16x8'],
      ...['TimeDistributed 5x32x32x8', 'ConvLSTM2D 5x32x32x16', 'TimeDistributed 5x64x64x16'],
      'TimeDistributed 5x64x64x1',
    ],
  );
});

test('a ConvLSTM2D layer computes the recurrence of Shi et al. with the gates of Keras', async () => {
  const { model } = buildConvLstm(recipe({ width: 8, height: 8, channels: 3, frames: 4 }), 7, noContext);
  const layer = model.getLayer('encode1');
  const x = pictures([1, 4, 8, 8, 3], 2);
  const [kernel, recurrent, bias] = await Promise.all(layer.getWeights().map((w) => w.data<'float32'>()));
  const expected = recurrence(await x.data<'float32'>(), kernel!, recurrent!, bias!, 4, 8, 3, 4);
  for (const backend of ['onnx', 'cpu']) {
    await tf.setBackend(backend);
    const got = await (layer.apply(tf.tensor(await x.data(), x.shape)) as tf.Tensor).data();
    assert.equal(got.length, expected.length);
    got.forEach((v, i) => {
      assert.ok(Math.abs(v - expected[i]!) < 1e-5, `${backend}, ${i}: ${v}, expected ${expected[i]}`);
    });
  }
  await tf.setBackend('onnx');
});

test('initial weights follow from the seed, the first picture from the mean colour', async () => {
  const first = async (seed: number) => {
    const { model } = buildConvLstm(recipe(), seed, noContext);
    return Promise.all(model.getWeights().map(async (w) => [...(await w.data())]));
  };
  assert.deepEqual(await first(1), await first(1));
  assert.notDeepEqual((await first(1))[1], (await first(2))[1]);
  const built = buildConvLstm(recipe(), 1, { ...noContext, meanColour: [0.25] });
  for (const v of await built.reconstruct(tf.zeros([2, 16, 16, 1])).data())
    assert.ok(Math.abs(v - 0.25) < 1e-6);
});

for (const frames of [1, 5]) {
  const shape = frames === 1 ? [16, 16, 1] : [frames, 16, 16, 1];

  test(`with ${frames} frame(s) it learns, the same every time, and exports`, async () => {
    const images = pictures([6, ...shape], 3);
    const options = { steps: 32, seed: 1, learningRate: 0.01 };
    const built = buildConvLstm(recipe({ frames }), 1, noContext);
    const losses = await trainingLosses(built, images, options);
    assert.ok(losses.at(-1)! < 0.8 * losses[0]!, `losses ${losses}`);
    const twin = buildConvLstm(recipe({ frames }), 1, noContext);
    assert.deepEqual(await trainingLosses(twin, images, { ...options, steps: 3 }), losses.slice(0, 3));
    for (const batch of [1, 3])
      assert.ok((await exportDifference(built, pictures([batch, ...shape], 9 + batch))) < 1e-4);
  });

  test(`with ${frames} frame(s) the gradients are right`, async () => {
    const built = buildConvLstm(recipe({ width: 8, height: 8, frames }), 3, noContext);
    enlargeWeights(built, 4);
    const small = (batch: number) =>
      built.inputs(pictures([batch, ...shape.slice(0, -3), 8, 8, 1], 5), null, Math.random);
    const pair = await slopes(built, small(2));
    for (const { weight, analytic, numeric } of pair)
      assert.ok(
        Math.abs(analytic - numeric) < 0.02 * Math.abs(numeric) + 1e-3,
        `${weight}: ${analytic}, by differences ${numeric}`,
      );
    const flat = pair.filter((s) => Math.abs(s.numeric) < 1e-3).map((s) => s.weight.replace(/_\d+$/, ''));
    const blocks = ['encode1', 'encode2', 'decode1', 'decode2'];
    assert.deepEqual(flat, frames === 1 ? blocks.map((block) => `${block}/recurrent_kernel`) : []);
    // One image only: for more, the cpu backend's gradient of nearest upsampling is wrong.
    const got = await gradients(built, small(1));
    const expected = await onCpu(() => gradients(built, small(1)));
    for (const [name, values] of expected)
      values.forEach((v, i) => {
        assert.ok(Math.abs(v - got.get(name)![i]!) < 1e-3 * (1 + Math.abs(v)), `${name}, ${i}`);
      });
  });
}

test('a saved model gives the same pictures', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'convlstm-'));
  const built = buildConvLstm(recipe({ frames: 2 }), 1, noContext);
  await built.model.save(modelFiles(folder));
  const loaded = await tfl.loadLayersModel(modelFiles(folder));
  const images = pictures([2, 2, 16, 16, 1], 4);
  assert.deepEqual(
    await (loaded.predict(images) as tf.Tensor).data(),
    await built.reconstruct(images).data(),
  );
  await rm(folder, { recursive: true });
});

test('a size that cannot be halved often enough is refused', () => {
  assert.throws(
    () => buildConvLstm(recipe({ width: 18 }), 1, noContext),
    (error) => error instanceof ConfigError && /input\.width is 18.*such as 16 or 20/.test(error.message),
  );
});

/** h of every frame: plain loops over [frames, size, size, channels]; gates in Keras' order i, f, c, o. */
function recurrence(
  x: Float32Array,
  kernel: Float32Array,
  recurrent: Float32Array,
  bias: Float32Array,
  frames: number,
  size: number,
  channels: number,
  filters: number,
): number[] {
  const conv = (v: ArrayLike<number>, w: Float32Array, depth: number, y: number, x: number, out: number) => {
    let sum = 0;
    for (let i = 0; i < 9; i++) {
      const [row, column] = [y + Math.floor(i / 3) - 1, x + (i % 3) - 1];
      if (row < 0 || row >= size || column < 0 || column >= size) continue;
      for (let d = 0; d < depth; d++)
        sum += v[(row * size + column) * depth + d]! * w[(i * depth + d) * 4 * filters + out]!;
    }
    return sum;
  };
  const gate = (v: number) => Math.min(1, Math.max(0, 0.2 * v + 0.5));
  let [h, c] = [new Float64Array(size * size * filters), new Float64Array(size * size * filters)];
  const outputs: number[] = [];
  for (let t = 0; t < frames; t++) {
    const frame = x.subarray(t * size * size * channels, (t + 1) * size * size * channels);
    const [nextH, nextC] = [h.slice(), c.slice()];
    for (let p = 0; p < size * size; p++)
      for (let f = 0; f < filters; f++) {
        const [i, forget, candidate, o] = [0, 1, 2, 3].map((g) => {
          const [row, column, out] = [Math.floor(p / size), p % size, g * filters + f];
          return (
            conv(frame, kernel, channels, row, column, out) +
            bias[out]! +
            conv(h, recurrent, filters, row, column, out)
          );
        }) as [number, number, number, number];
        const at = p * filters + f;
        nextC[at] = gate(forget) * c[at]! + gate(i) * Math.tanh(candidate);
        nextH[at] = gate(o) * Math.tanh(nextC[at]!);
      }
    [h, c] = [nextH, nextC];
    outputs.push(...h);
  }
  return outputs;
}
