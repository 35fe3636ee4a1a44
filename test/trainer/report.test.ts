import assert from 'node:assert/strict';
import test from 'node:test';
import { parseHTML } from 'linkedom';
import { summarizeTest } from '../../trainer/evaluate.ts';
import type { Metrics } from '../../trainer/metrics.ts';
import { loadRecipe } from '../../trainer/recipe.ts';
import { conclude, usable } from '../../trainer/report/conclusion.ts';
import { renderReport } from '../../trainer/report/report.ts';
import { binEdges, logTicks } from '../../trainer/report/scale.ts';

const NASTY = '<script>alert("x")</script>&\'';
const THRESHOLD = 0.5;
const recipe = await loadRecipe('fundus', []);

/** Figures of a run whose test images have these scores. */
function metricsWith(good: readonly number[], poor: readonly number[]): Metrics {
  const image = (label: 'good' | 'poor') => (score: number, i: number) => ({
    name: `${label}/${NASTY}${i}`,
    path: `/${label}/${i}`,
    label,
    score,
    p: 0.1,
    verdict: score > THRESHOLD ? ('review' as const) : ('pass' as const),
    sha256: '',
    properties: { bytes: i, mean: i, deviation: i, sharpness: i },
  });
  const images = [...good.map(image('good')), ...poor.map(image('poor'))];
  return {
    format: 1,
    trainer: '0',
    node: 'v0',
    command: `trainer fit '${NASTY}'`,
    recipe,
    seed: 1,
    backend: { wanted: 'auto', got: 'onnx', why: 'it is here', device: 'CPU', library: 'none' },
    data: {
      folder: NASTY,
      found: 9,
      refused: 1,
      refusedFiles: [{ name: NASTY, reason: 'corrupt', message: NASTY }],
      duplicates: 0,
      sizes: { smallest: '1 x 1', median: '2 x 2', largest: '3 x 3' },
      train: 4,
      validation: 2,
      calibration: 3,
      digest: 'sha256:0',
    },
    model: { parameters: 1, layers: [{ name: 'a', kind: 'b', shape: [1, 2], parameters: 1 }] },
    training: {
      history: [
        { epoch: 1, loss: 0.2, validationLoss: 0.3, seconds: 1 },
        { epoch: 2, loss: 0.1, validationLoss: 0.2, seconds: 1 },
      ],
      best: { epoch: 2, validationLoss: 0.2 },
      resumedFrom: 0,
      interrupted: false,
      seconds: 2,
      imagesPerSecond: 4,
    },
    bundle: { digest: 'sha256:1', bytes: 1e6, mapAlarm: 0.1 },
    calibration: {
      images: [0.1, 0.3, THRESHOLD].map((score, i) => ({ name: `${i}`, score })),
      falseAlarms: { promised: 0.25, low: 0.1, high: 0.4 },
      above: 0,
      threshold: { rule: { rule: 'conformal', alpha: 0.25 }, upper: THRESHOLD, lower: null, revision: 1 },
    },
    evaluation:
      images.length === 0
        ? null
        : { folder: 'test', images, refused: [], leaked: [], ...summarizeTest(images, 1) },
  };
}

const range = (count: number, from: number, to: number) =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / count);

const PICTURE = {
  title: 'Some',
  pictures: [
    {
      name: NASTY,
      score: 1,
      p: 0.5,
      verdict: 'review' as const,
      original: 'data:image/jpeg;base64,AAAA',
      reconstruction: 'data:image/jpeg;base64,AAAA',
      map: 'data:image/jpeg;base64,AAAA',
    },
  ],
};

test('the answer says plainly what the figures show', () => {
  const answer = (good: number[], poor: number[]) => {
    const metrics = metricsWith(good, poor);
    return [usable(metrics), conclude(metrics).join(' ')] as const;
  };
  const [works, worksText] = answer(range(30, 0, 0.5), range(30, 0.6, 1));
  assert.equal(works, 'yes');
  assert.match(worksText, /ranks poor captures above good ones/);
  assert.match(worksText, /calls 30 of 30 poor test captures for review, and 0 of 30 good ones by mistake/);
  const [chance, chanceText] = answer(range(30, 0, 1), range(30, 0, 1));
  assert.equal(chance, 'no');
  assert.match(chanceText, /does not separate poor from good captures better than chance .*Do not use it/);
  const [inverted, invertedText] = answer(range(30, 0.6, 1), range(30, 0, 0.5));
  assert.equal(inverted, 'no');
  assert.match(invertedText, /the wrong way round.*Do not use it/);
  const [untested, untestedText] = answer([], []);
  assert.equal(untested, 'unknown');
  assert.match(untestedText, /not known: it was not tested on any.*--test DIR/);
  assert.equal(answer(range(30, 0, 1), [])[0], 'unknown');
});

test('a trivial rule that does better is named', () => {
  const metrics = metricsWith(range(30, 0, 1), range(30, 0, 1));
  const better = {
    ...metrics.evaluation!,
    baselines: [{ name: 'File size', rule: 'small files are poor', auroc: 0.9 }],
  };
  const works = metricsWith(range(30, 0, 0.8), range(30, 0.4, 1));
  assert.equal(usable(works), 'yes');
  assert.equal(
    usable({ ...works, evaluation: { ...works.evaluation!, baselines: better.baselines } }),
    'weak',
  );
  const text = conclude({ ...metrics, evaluation: better }).join(' ');
  assert.match(
    text,
    /A trivial rule does better: file size alone \(small files are poor\) reaches AUROC 0\.90/,
  );
});

for (const [name, metrics] of [
  ['with a test', metricsWith(range(20, 0, 0.6), range(20, 0.3, 1))],
  ['without a test', metricsWith([], [])],
  ['with good test images only', metricsWith(range(20, 0, 0.6), [])],
] as const)
  test(`the page ${name} fetches nothing, runs nothing, escapes names and describes its pictures`, () => {
    const page = renderReport(metrics, [PICTURE]);
    const { document } = parseHTML(page);
    assert.equal(document.querySelectorAll('script, link, iframe').length, 0);
    assert.doesNotMatch(page, /<script/);
    for (const node of document.querySelectorAll('[src], [href]'))
      assert.match(node.getAttribute('src') ?? node.getAttribute('href')!, /^data:/);
    assert.doesNotMatch(page, /url\(|@import/);
    for (const image of document.querySelectorAll('img')) assert.ok(image.getAttribute('alt'));
    for (const chart of document.querySelectorAll('.chart > svg')) {
      assert.equal(chart.getAttribute('role'), 'img');
      assert.ok(chart.getAttribute('aria-label'));
    }
    for (const table of document.querySelectorAll('table'))
      assert.ok(table.querySelector('caption')?.textContent);
    assert.doesNotMatch(page, /NaN|undefined|\[object/);
    assert.equal(page, renderReport(metrics, [PICTURE]));
  });

test('the threshold is an edge of the histogram, linear and logarithmic', () => {
  for (const log of [false, true]) {
    const edges = binEdges(0.001, 0.9, 0.1234567, log, 34);
    assert.ok(edges.includes(0.1234567));
    assert.ok(edges[0]! <= 0.001 && edges.at(-1)! >= 0.9 - 1e-12);
    assert.deepEqual(
      edges,
      edges.toSorted((a, b) => a - b),
    );
  }
  assert.deepEqual(logTicks([0.0009, 0.06], 12), [0.001, 0.002, 0.005, 0.01, 0.02, 0.05]);
  assert.deepEqual(logTicks([0.0009, 0.06], 4), [0.001, 0.01]);
});
