import assert from 'node:assert/strict';
import test from 'node:test';
import { captureOrder } from '../../trainer/evaluation/warnings/capture-order.ts';
import { cleanScene, inputOf } from './warnings-input.ts';

test('a drift is told with what the order is known by, for rules with two sides as for others', () => {
  const scene = cleanScene(7);
  scene.images = scene.images.map((image) => ({ ...image, score: image.score / (1 + image.order / 15) }));
  const input = inputOf(scene);
  const { upper } = input.threshold;
  const twoSided = { rule: { rule: 'z-score', k: 3 }, upper, lower: upper / 10, revision: 1 } as const;
  for (const threshold of [input.threshold, twoSided])
    for (const [orderedBy, told, unless] of [
      ['capture', /falls with the order of capture, known by the times of capture within the files/, /clock/],
      ['modification', /falls .* known by the times of modification of the files/, /copied since/],
      ['name', /falls .* known by the names of the files/, /names do not follow/],
    ] as const) {
      const evaluation = { ...input.evaluation, orderedBy };
      const drift = captureOrder({ ...input, threshold, evaluation });
      assert.match(drift?.message ?? '', told);
      assert.match(drift?.advice ?? '', unless);
      assert.equal(drift?.figures.orderedBy, orderedBy);
    }
});
