import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KERNELS } from '../../convert/kernels/table.ts';
import { BLOCK_CASES, PLACE_CASES, VOLUME_CASES } from './cases/drawn.ts';
import { ELEMENTWISE_CASES } from './cases/elementwise.ts';
import { IMAGE_CASES } from './cases/images.ts';
import { LAYER_CASES } from './cases/layers.ts';
import { SHAPE_CASES } from './cases/shape.ts';
import { useOnnx } from './support/backends.ts';
import { compareCase } from './support/differential.ts';
import { drawing } from './support/draw.ts';
import { isGradient, watchRecords } from './support/records.ts';

const onnx = await useOnnx();
const recorded = watchRecords(onnx);

/** Largest difference of a family's kernels: single precision, with functions approximated or sums ordered in another way. */
const TOLERANCES = {
  elementwise: 5e-6,
  'shape, reduction and index': 2e-5,
  'pooling, border and resizing': 5e-5,
  'layer and loss': 5e-5,
  volume: 2e-5,
  'block, crop and window': 1e-5,
  'place, count and remaining': 1e-5,
} as const;
type Family = keyof typeof TOLERANCES;

const GIVEN = {
  elementwise: ELEMENTWISE_CASES,
  'shape, reduction and index': SHAPE_CASES,
  'pooling, border and resizing': IMAGE_CASES,
  'layer and loss': LAYER_CASES,
};
for (const [family, cases] of Object.entries(GIVEN))
  describe(`${family} kernels agree with TensorFlow.js`, () => {
    cases.forEach((c, i) => {
      test(c.name, () => compareCase(c, onnx, 1000 + i, TOLERANCES[family as Family]));
    });
  });

/** Each case of shapes of its own is drawn this often. */
const DRAWS = 4;

const DRAWN = {
  volume: VOLUME_CASES,
  'block, crop and window': BLOCK_CASES,
  'place, count and remaining': PLACE_CASES,
};
for (const [family, cases] of Object.entries(DRAWN))
  describe(`${family} kernels agree with TensorFlow.js on drawn shapes`, () => {
    cases.forEach(({ name, draw }, i) => {
      for (let seed = 1; seed <= DRAWS; seed++)
        test(`${name}, ${seed}`, () =>
          compareCase({ name, ...draw(drawing(100 * i + seed)) }, onnx, seed, TOLERANCES[family as Family]));
    });
  });

/** No kernels of TensorFlow.js: a foreign ONNX graph (embed.test.ts), and a loop (control.test.ts). */
const OWN = ['PlumblineLoop', 'PlumblineEmbeddedOnnx'];

test('every kernel of the table was recorded by some case above, or is one of gradients.test.ts', () => {
  const missing = Object.keys(KERNELS).filter((kernel) => !recorded.has(kernel) && !isGradient(kernel));
  assert.deepEqual(missing, OWN);
});
