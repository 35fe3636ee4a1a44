import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { trace } from '../../convert/trace.ts';
import { compare } from '../../convert/verify.ts';
import { cacheFolder } from '../../trainer/backend/find.ts';
import {
  findKnown,
  type InstallSurroundings,
  installKnown,
  installModel,
} from '../../trainer/encoders/install.ts';
import { describeEncoder } from '../../trainer/encoders/list.ts';
import { type OpenedEncoder, openEncoder, openTaps } from '../../trainer/encoders/open.ts';
import { sha256 } from '../../trainer/encoders/store.ts';
import { useOnnx } from '../convert/support/backends.ts';
import { assertClose, randomArray, seeded } from '../convert/support/numbers.ts';
import { late, layersModel, writeGraphModel, writeLayersModel, writeOnnx } from './encoders/models.ts';
import { serve } from './encoders/wheel.ts';

await useOnnx();
await tf.setBackend('cpu');

const GREY = { width: 16, height: 16, channels: 1, frames: 1 } as const;
const COLOUR = { ...GREY, channels: 3 } as const;
const CLOSE = { relative: 1e-4, absolute: 1e-5 };

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-encoders-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function surroundings(t: TestContext): InstallSurroundings {
  const home = temporaryFolder(t);
  const environment = { XDG_CONFIG_DIRS: home, PIP_NO_INDEX: '1' };
  return { cache: join(home, 'cache'), environment, home, progress: () => {} };
}

const open = (t: TestContext, encoder: string, input: typeof GREY | typeof COLOUR, tap?: string) =>
  openEncoder(encoder, { input, tap, surroundings: surroundings(t), threads: 1 });

function pictures(count: number, length: number): Uint8Array[] {
  const random = seeded(count);
  return Array.from({ length: count }, () => Uint8Array.from({ length }, () => Math.floor(256 * random())));
}

/** `encodeAll` gives `expected` of each image, in order, and tells of each. */
async function assertEncodes(
  encoder: OpenedEncoder,
  shape: [number, number, number],
  expected: (images: tf.Tensor4D) => tf.Tensor,
): Promise<void> {
  const pixels = pictures(11, shape[0] * shape[1] * shape[2]);
  let told = 0;
  const features = await encoder.encodeAll(pixels, () => {
    told++;
  });
  assert.equal(told, pixels.length);
  for (const [i, picture] of pixels.entries()) {
    const images = tf.div(tf.tensor4d(Float32Array.from(picture), [1, ...shape]), 255) as tf.Tensor4D;
    const wanted = expected(images);
    assert.deepEqual(wanted.shape.slice(1), encoder.outputShape);
    assertClose(features[i]!, wanted.dataSync(), { ...CLOSE, what: `image ${i}` });
  }
}

test('a layers model: taps, grey repeated, deepest image of features by default', async (t) => {
  const model = layersModel();
  const folder = await writeLayersModel(temporaryFolder(t), model);
  const encoder = await open(t, folder, GREY);
  assert.deepEqual(encoder.taps, ['early', 'late']);
  assert.equal(encoder.tap, 'late');
  assert.deepEqual(encoder.outputShape, [4, 4, 6]);
  assert.match(encoder.notes.join(), /16 x 16 pixels,.*signed.*assumption/);
  const signed = (x: tf.Tensor) => late(model, tf.sub(tf.mul(tf.tile(x, [1, 1, 1, 3]), 2), 1));
  await assertEncodes(encoder, [16, 16, 1], signed);
  const early = await open(t, join(folder, 'model.json'), COLOUR, 'early');
  assert.deepEqual(early.outputShape, [8, 8, 4]);
  await assert.rejects(
    open(t, folder, GREY, 'lat'),
    /has no tap lat\. Did you mean late\? It has early, late/,
  );
});

test('images of another size are resized inside the graph', async (t) => {
  const model = layersModel();
  const folder = await writeLayersModel(temporaryFolder(t), model);
  const input = { width: 20, height: 12, channels: 3, frames: 1 } as const;
  const encoder = await openEncoder(folder, { input, surroundings: surroundings(t), threads: 1 });
  assert.match(encoder.notes[0]!, /sees 16 x 16 pixels, resized from 20 x 12/);
  await assertEncodes(encoder, [12, 20, 3], (x) =>
    late(model, tf.sub(tf.mul(tf.image.resizeBilinear(x, [16, 16], false, true), 2), 1)),
  );
});

test('a graph model: nodes as taps, executed as plain operations', async (t) => {
  const { path, filter } = writeGraphModel(temporaryFolder(t));
  const input = { width: 96, height: 128, channels: 3, frames: 1 } as const;
  const encoder = await openEncoder(path, { input, surroundings: surroundings(t), threads: 1 });
  assert.deepEqual(encoder.taps, ['conv', 'relu', 'pool']);
  assert.deepEqual(encoder.outputShape, [32, 24, 5]);
  assert.match(encoder.notes[0]!, /sees 96 x 128 pixels$/);
  const kernel = tf.tensor4d(filter, [3, 3, 3, 5]);
  await assertEncodes(encoder, [128, 96, 3], (x) =>
    tf.maxPool(tf.relu(tf.conv2d(tf.sub(tf.mul(x, 2), 1) as tf.Tensor4D, kernel, 2, 'same')), 2, 2, 'valid'),
  );
});

test('an ONNX file: inlined into the graph of a bundle', async (t) => {
  const model = layersModel();
  const path = writeOnnx(temporaryFolder(t), model);
  const encoder = await open(t, path, COLOUR);
  assert.deepEqual(encoder.outputShape, [4, 4, 6]);
  assert.equal(encoder.origin.sha256, sha256(readFileSync(path)));
  const signed = (x: tf.Tensor) => late(model, tf.sub(tf.mul(x, 2), 1));
  await assertEncodes(encoder, [16, 16, 3], signed);
  const spec = { name: 'image', shape: [null, 16, 16, 3] };
  const bytes = trace((x) => ({ score: tf.mean(encoder.encode(x), [1, 2, 3]) }), [spec]);
  const result = await compare((x) => ({ score: tf.mean(signed(x), [1, 2, 3]) }), bytes, [spec]);
  assert.ok(result.relative <= 1e-4, `${result.relative}`);
  const perceptual = { encoder: path, taps: ['x'] };
  await assert.rejects(
    openTaps(perceptual, surroundings(t)),
    /an ONNX file, through which no gradients flow/,
  );
});

test('what onImage throws ends the work', async (t) => {
  const encoder = await open(t, await writeLayersModel(temporaryFolder(t), layersModel()), COLOUR);
  let told = 0;
  const stop = () => {
    if (++told === 9) throw new Error('stopped');
  };
  await assert.rejects(encoder.encodeAll(pictures(40, 768), stop), /stopped/);
  assert.equal(told, 9);
});

test('taps for the perceptual residual let gradients through, frame by frame', async (t) => {
  const folder = await writeLayersModel(temporaryFolder(t), layersModel());
  const { taps, origin } = await openTaps({ encoder: folder, taps: ['early', 'late'] }, surroundings(t));
  assert.equal(origin.licence, 'not stated');
  const still = tf.tensor4d(randomArray(2 * 256, seeded(1), 0, 1), [2, 16, 16, 1]);
  assert.deepEqual(
    taps(still).map(({ shape }) => shape),
    [
      [2, 8, 8, 4],
      [2, 4, 4, 6],
    ],
  );
  assert.deepEqual(taps(tf.reshape(still, [1, 2, 16, 16, 1]))[1]!.dataSync(), taps(still)[1]!.dataSync());
  const loss = (x: tf.Tensor) => tf.sum(tf.square(taps(x)[1]!)) as tf.Scalar;
  const gradient = tf.grad(loss)(still).dataSync();
  const step = 1e-2;
  for (const index of [5, 100, 300]) {
    const moved = (by: number) => {
      const values = still.dataSync().slice();
      values[index]! += by;
      return loss(tf.tensor4d(values, [2, 16, 16, 1])).dataSync()[0]!;
    };
    const expected = (moved(step) - moved(-step)) / (2 * step);
    assert.ok(
      Math.abs(gradient[index]! - expected) <= 0.02 * Math.abs(expected) + 1e-3,
      `${gradient[index]} ${expected}`,
    );
  }
});

test('a model of the user has a name, a scaling and a licence once installed', async (t) => {
  const model = layersModel();
  const folder = await writeLayersModel(temporaryFolder(t), model);
  const around = surroundings(t);
  await installModel(folder, { name: 'mine', scaling: 'caffe', licence: 'MIT' }, around);
  rmSync(folder, { recursive: true });
  const shown = await describeEncoder('mine', around);
  assert.deepEqual([shown.name, shown.licence, shown.scaling], ['mine', 'MIT', 'caffe']);
  assert.match(shown.lines.join('\n'), /input +16 x 16 pixels, RGB\n.*blue first/s);
  assert.match(shown.lines.join('\n'), /taps +early, late/);
  const encoder = await openEncoder('mine', { input: COLOUR, surroundings: around, threads: 1 });
  await assertEncodes(encoder, [16, 16, 3], (x) =>
    late(model, tf.sub(tf.reverse(tf.mul(x, 255), 3), tf.tensor1d([103.939, 116.779, 123.68]))),
  );
});

test('a URL is installed on first use and named for its address', async (t) => {
  const model = layersModel();
  const folder = await writeLayersModel(temporaryFolder(t), model);
  const { url, asked } = await serve(t, ({ url }) => ({
    body: readFileSync(join(folder, new URL(url!, 'http://x').pathname.slice('/resnet50/'.length))),
  }));
  const around = surroundings(t);
  const options = { input: COLOUR, surroundings: around, threads: 1 };
  const address = `${url.replace('//', '//me:secret@')}/resnet50/model.json?token=secret`;
  const { origin } = await openEncoder(address, options);
  assert.match(origin.name, /^resnet50-[0-9a-f]{8}$/);
  assert.equal(origin.source, `${url}/resnet50/model.json`);
  assert.ok(asked.length === 2 && asked.every((path) => path.endsWith('?token=secret')));
  await openEncoder(address, options);
  await openEncoder(origin.name, options);
  assert.equal(asked.length, 2, 'nothing is fetched twice');
});

test('what is no encoder is refused with what to do', async (t) => {
  const folder = temporaryFolder(t);
  await assert.rejects(
    open(t, 'efficientnet-lite3', GREY),
    /no encoder efficientnet-lite3.*Did you mean efficientnet-lite\d\?/,
  );
  writeFileSync(join(folder, 'a.onnx'), 'hello');
  await assert.rejects(
    open(t, join(folder, 'a.onnx'), GREY),
    /a\.onnx cannot be used as an encoder: .*not an ONNX file/,
  );
  writeFileSync(join(folder, 'model.json'), '{}');
  await assert.rejects(open(t, folder, GREY), /no model\.json of TensorFlow\.js and no \.onnx file/);
});

test('a model that TensorFlow.js would compute wrongly is no encoder, and the message says why', async (t) => {
  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({ filters: 2, kernelSize: 3, inputShape: [16, 16, 3] }),
      tfl.layers.layerNormalization({ name: 'scaled' }),
    ],
  });
  const folder = await writeLayersModel(temporaryFolder(t), model);
  const file = join(folder, 'model.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"epsilon"', '"rms_scaling":true,"epsilon"'));
  await assert.rejects(open(t, folder, COLOUR), {
    name: 'EncoderError',
    message:
      /model\.json cannot be used as an encoder: .*layer scaled \(LayerNormalization\) has rms_scaling true/,
  });
});

const MOBILENET = join(import.meta.dirname, '../../../shared/models/mobilenet-v1-1.0-224-tfjs');

test('MobileNet v1, given by path', {
  skip: !existsSync(MOBILENET) && `${MOBILENET} is missing`,
}, async (t) => {
  const around = surroundings(t);
  await installKnown(findKnown('mobilenet-v1')!, MOBILENET, around);
  const input = { width: 64, height: 64, channels: 1, frames: 1 } as const;
  const encoder = await openEncoder('mobilenet-v1', { input, surroundings: around, threads: 1 });
  assert.deepEqual(encoder.outputShape, [7, 7, 1024]);
  const [features] = await encoder.encodeAll(pictures(1, 64 * 64), () => {});
  assert.ok(features!.some((value) => value > 0.1) && features!.every((value) => value >= 0 && value <= 6));
});

const cache = cacheFolder(process.env, homedir());

for (const variant of [0, 1, 2])
  test(`EfficientNet-Lite${variant} knows black from noise at every tap`, {
    skip:
      !existsSync(join(cache, 'encoders', `efficientnet-lite${variant}`)) &&
      `its weights are not here: trainer encoder install efficientnet-lite${variant}`,
  }, async (t) => {
    const around = { ...surroundings(t), cache };
    const input = { width: 128, height: 128, channels: 3, frames: 1 } as const;
    for (const [tap, side] of [
      ['stage3', 16],
      ['head', 4],
    ] as const) {
      const encoder = await openEncoder(`efficientnet-lite${variant}`, {
        tap,
        input,
        surroundings: around,
        threads: 2,
      });
      assert.deepEqual(encoder.outputShape.slice(0, 2), [side, side]);
      const [noise, black] = await encoder.encodeAll(
        [pictures(1, 3 * 128 * 128)[0]!, new Uint8Array(3 * 128 * 128)],
        () => {},
      );
      assert.ok(noise!.every(Number.isFinite));
      assert.ok(noise!.some((value, i) => Math.abs(value - black![i]!) > 1));
    }
  });
