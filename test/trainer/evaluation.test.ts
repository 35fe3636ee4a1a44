/** What an evaluation says of scores and labels. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { summarize } from '../../trainer/evaluation/summarize.ts';
import { image, options } from './evaluationImages.ts';

test('rates, confusion, report and balanced accuracy follow from labels and verdicts', () => {
  const summary = summarize(
    [
      image({ score: 3 }),
      image({ score: 4, verdict: 'review' }),
      image({ label: 'poor', kind: 'blur', score: 5, verdict: 'review' }),
      image({ label: 'poor', kind: 'blur', score: 2 }),
      image({ label: 'poor', kind: 'dark', score: 6, verdict: 'review' }),
    ],
    options,
  );
  assert.deepEqual([summary.detection.hits, summary.detection.count], [2, 3]);
  assert.deepEqual([summary.falseAlarms.hits, summary.falseAlarms.count], [1, 2]);
  assert.deepEqual([summary.accuracy.hits, summary.accuracy.count], [3, 5]);
  assert.equal(summary.flagEverything, 0.6);
  assert.equal(summary.balancedAccuracy, (2 / 3 + 1 / 2) / 2);
  assert.equal(summary.auroc?.value, 4 / 6);
  assert.deepEqual(
    summary.report.map(({ label, precision, recall, support }) => [label, precision, recall, support]),
    [
      ['good', 1 / 2, 1 / 2, 2],
      ['poor', 2 / 3, 2 / 3, 3],
    ],
  );
  assert.deepEqual(
    summary.kinds.map(({ kind, count, detection, auroc }) => [kind, count, detection.hits, auroc?.value]),
    [
      ['blur', 2, 1, 0.5],
      ['dark', 1, 1, 1],
    ],
  );
  assert.deepEqual(
    summary.detectionAt.map(({ falseAlarms, value }) => [falseAlarms, value]),
    [0.01, 0.05, 0.1].map((share) => [share, 2 / 3]),
  );
  assert.ok(summary.images.every((i) => !('properties' in i)));
});

test('with one label alone there is no ranking, and the rates are there all the same', () => {
  const summary = summarize([image({ verdict: 'review' }), image({})], options);
  assert.deepEqual([summary.auroc, summary.auprc, summary.balancedAccuracy], [null, null, null]);
  assert.deepEqual([summary.detectionAt, summary.baselines, summary.kinds], [[], [], []]);
  assert.deepEqual([summary.falseAlarms.hits, summary.detection.count, summary.flagEverything], [1, 0, 0]);
});
