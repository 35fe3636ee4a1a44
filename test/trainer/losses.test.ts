/** Residuals against plain JavaScript, and their gradients against finite differences, on two backends. */
import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { Residual } from '../../config/residual.ts';
import { registerOnnxBackend } from '../../convert/backend.ts';
import type { Taps } from '../../trainer/losses/perceptual.ts';
import { makeResidual, meanOfEach } from '../../trainer/losses/residual.ts';
import { divergence, normalNoise } from '../../trainer/models/variational.ts';
import { randomFor } from '../../trainer/random.ts';

before(() => {
  registerOnnxBackend();
  tf.env().set('PROD', true);
});

type Shape = [number, number, number, number];

/** Values at `[n, row, column, channel]` of an image batch. */
type At = (n: number, row: number, column: number, c: number) => number;

const draw = (shape: readonly number[], seed: number): Float32Array => {
  const random = randomFor(seed, 'values');
  return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 0.05 + 0.9 * random());
};

const reader =
  (values: Float32Array, [, height, width, channels]: Shape): At =>
  (n, row, column, c) =>
    values[((n * height + row) * width + column) * channels + c]!;

/** Two made taps: all pixels in two channels, and every second one in three. */
const taps: Taps = (images) => {
  const [, height, width] = images.shape as Shape;
  const fine = tf.concat([images, tf.add(tf.square(images), 0.3)], 3) as tf.Tensor4D;
  const coarse = tf.avgPool(
    tf.concat([images, images, tf.add(images, 0.5)], 3) as tf.Tensor4D,
    2,
    2,
    'valid',
  );
  assert.deepEqual([height % 2, width % 2], [0, 0]);
  return [
    fine,
    tf.mul(
      coarse,
      [1, 0.5, 2].flatMap((v) => new Array(images.shape[3]!).fill(v)),
    ),
  ];
};

/** Mean residual of each image, written down a second time. */
const PLAIN: Record<Exclude<Residual, 'perceptual'>, (x: At, y: At, shape: Shape, n: number) => number> = {
  squared: each((x, y) => (x - y) ** 2),
  absolute: each((x, y) => Math.abs(x - y)),
  'cross-entropy': each((x, y) => -(x * Math.log(y) + (1 - x) * Math.log(1 - y))),
  gradient: (x, y, [, height, width, channels], n) => {
    let sum = 0;
    for (let c = 0; c < channels; c++)
      for (let i = 0; i + 1 < height; i++)
        for (let j = 0; j + 1 < width; j++) {
          const across = (v: At) => v(n, i, j + 1, c) - v(n, i, j, c);
          const down = (v: At) => v(n, i + 1, j, c) - v(n, i, j, c);
          sum += (Math.abs(across(x) - across(y)) + Math.abs(down(x) - down(y))) / 2;
        }
    return sum / ((height - 1) * (width - 1) * channels);
  },
  ssim: (x, y, [, height, width, channels], n) => {
    const side = Math.min(11, height, width) - ((Math.min(11, height, width) + 1) % 2);
    const half = (side - 1) / 2;
    let [sum, count] = [0, 0];
    for (let c = 0; c < channels; c++)
      for (let i = half; i < height - half; i++)
        for (let j = half; j < width - half; j++) {
          let [w, mx, my, xx, yy, xy] = [0, 0, 0, 0, 0, 0];
          for (let di = -half; di <= half; di++)
            for (let dj = -half; dj <= half; dj++) {
              const weight = Math.exp(-(di * di + dj * dj) / (2 * 1.5 * 1.5));
              const [a, b] = [x(n, i + di, j + dj, c), y(n, i + di, j + dj, c)];
              w += weight;
              mx += weight * a;
              my += weight * b;
              xx += weight * a * a;
              yy += weight * b * b;
              xy += weight * a * b;
            }
          [mx, my] = [mx / w, my / w];
          const [vx, vy, cov] = [xx / w - mx * mx, yy / w - my * my, xy / w - mx * my];
          const ssim =
            ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
          sum += 1 - ssim;
          count += 1;
        }
    return sum / count;
  },
};

function each(f: (x: number, y: number) => number) {
  return (x: At, y: At, [, height, width, channels]: Shape, n: number): number => {
    let sum = 0;
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        for (let c = 0; c < channels; c++) sum += f(x(n, i, j, c), y(n, i, j, c));
    return sum / (height * width * channels);
  };
}

for (const backend of ['cpu', 'onnx']) {
  const on = async () => void (await tf.setBackend(backend));

  for (const [kind, plain] of Object.entries(PLAIN) as [
    keyof typeof PLAIN,
    (typeof PLAIN)[keyof typeof PLAIN],
  ][])
    test(`${kind} on ${backend}: as in plain JavaScript, to 1e-5`, async () => {
      await on();
      for (const shape of [
        [2, 14, 13, 2],
        [2, 8, 10, 1],
      ] as Shape[]) {
        const [x, y] = [draw(shape, 1), draw(shape, 2)];
        const scores = await meanOfEach(
          makeResidual(kind, null)(tf.tensor4d(x, shape), tf.tensor4d(y, shape)),
        ).data();
        for (const [n, score] of scores.entries()) {
          const expected = plain(reader(x, shape), reader(y, shape), shape, n);
          assert.ok(Math.abs(score / expected - 1) < 1e-5, `${shape}: ${score}, expected ${expected}`);
        }
      }
    });

  for (const kind of [...Object.keys(PLAIN), 'perceptual'] as Residual[])
    test(`${kind} on ${backend}: the gradient at batch 2 is that of finite differences, to 1 %`, async () => {
      await on();
      const shape: Shape = [2, 8, 8, 1];
      const x = tf.tensor4d(draw(shape, 1), shape);
      const values = draw(shape, 2);
      const residual = makeResidual(kind, taps);
      const loss = (y: tf.Tensor) => tf.mean(residual(x, y)) as tf.Scalar;
      const gradient = await tf.grad(loss)(tf.tensor4d(values, shape)).data();
      const largest = Math.max(...gradient.map(Math.abs));
      assert.ok(largest > 1e-4, `the gradient is flat: ${largest}`);
      const step = 2e-3;
      for (const i of [0, 9, 27, 63, 64, 90, 127]) {
        const at = async (change: number) => {
          const moved = values.slice();
          moved[i]! += change;
          return (await loss(tf.tensor4d(moved, shape)).data())[0]!;
        };
        const difference = ((await at(step)) - (await at(-step))) / (2 * step);
        const error = Math.abs(gradient[i]! - difference);
        assert.ok(error < 0.01 * largest, `value ${i}: ${gradient[i]}, by differences ${difference}`);
      }
    });

  test(`frames on ${backend} are compared one by one`, async () => {
    await on();
    const shape = [2, 3, 12, 12, 1];
    const [x, y] = [tf.tensor5d(draw(shape, 1), shape as never), tf.tensor5d(draw(shape, 2), shape as never)];
    for (const kind of ['ssim', 'squared', 'gradient'] as const) {
      const residual = makeResidual(kind, null);
      const together = residual(x, y);
      assert.deepEqual(together.shape.slice(0, 2), [2, 3]);
      const still = (v: tf.Tensor) => tf.squeeze(tf.slice(v, [1, 2, 0, 0, 0], [1, 1, 12, 12, 1]), [1]);
      const alone = await residual(still(x), still(y)).data();
      const within = (await together.data()).slice(-alone.length);
      for (const [i, value] of alone.entries()) assert.ok(Math.abs(value - within[i]!) < 1e-6);
    }
  });

  test(`perceptual on ${backend}: zero for equal images, otherwise the squared distance of unit vectors`, async () => {
    await on();
    const pixel = (a: number, b: number) => tf.tensor4d([a, b], [1, 1, 1, 2]);
    const residual = makeResidual('perceptual', (images) => [images as tf.Tensor4D]);
    const value = async (a: tf.Tensor, b: tf.Tensor) => (await residual(a, b).data())[0]!;
    assert.ok((await value(pixel(0.3, 0.4), pixel(0.6, 0.8))) < 1e-6); // same direction
    assert.ok(Math.abs((await value(pixel(1, 0), pixel(0, 1))) - 2) < 1e-6); // at right angles
  });
}

test('a residual that needs an encoder says so', () => {
  assert.throws(() => makeResidual('perceptual', null), /needs the taps of an encoder/);
});

test('cross-entropy stays finite where the reconstruction is certain and wrong', async () => {
  await tf.setBackend('onnx');
  const value = await makeResidual('cross-entropy', null)(
    tf.ones([1, 1, 1, 1]),
    tf.zeros([1, 1, 1, 1]),
  ).data();
  assert.ok(Math.abs(value[0]! + Math.log(1e-7)) < 1e-3);
});

test('the divergence is zero for the standard normal, and otherwise as the formula says', async () => {
  await tf.setBackend('onnx');
  const of = async (values: number[][], count: number) =>
    (await divergence(tf.tensor2d(values), count).data())[0]!;
  assert.ok(Math.abs(await of([[0, 0, 1, 1]], 1)) < 1e-7);
  const expected =
    (0.5 * (0.25 + 4 - 1 - 2 * Math.log(2)) + 0.5 * (1 + 0.25 - 1 - 2 * Math.log(0.5))) / 2 / 10;
  assert.ok(
    Math.abs(
      (await of(
        [
          [0.5, 2],
          [1, 0.5],
        ],
        10,
      )) - expected,
    ) < 1e-6,
  );
});

test('noise is standard normal and follows from the seed', async () => {
  const noise = async (seed: number) => [...(await normalNoise(500, 8, randomFor(seed, 'noise')).data())];
  const values = await noise(1);
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  assert.ok(Math.abs(mean) < 0.05 && Math.abs(variance - 1) < 0.06, `${mean}, ${variance}`);
  assert.deepEqual(await noise(1), values);
  assert.notDeepEqual(await noise(2), values);
});
