import assert from 'node:assert/strict';
import test from 'node:test';
import { countedRange, operatingPoints } from '../../trainer/report/curves.ts';
import { html } from '../../trainer/report/html.ts';
import {
  counted,
  equation,
  figure,
  large,
  ofHundred,
  range,
  share,
  short,
  shortened,
  size,
} from '../../trainer/report/numbers.ts';
import { binEdges, logTicks } from '../../trainer/report/scale.ts';

const near = (a: number, b: number) => Math.abs(a - b) < 1e-9;

test('bins have one width, hold all scores, and end at the threshold', () => {
  const edges = binEdges(2, 12, { lower: null, upper: 7.3 }, false, 20);
  assert.ok(edges.includes(7.3));
  assert.ok(edges[0]! <= 2 && edges.at(-1)! >= 12);
  const widths = edges.slice(1).map((edge, i) => edge - edges[i]!);
  assert.ok(widths.every((width) => near(width, 0.5)));
});

test('on a logarithmic scale the ratio of bins is one, and all edges are positive', () => {
  for (const upper of [0.05, 0.11, 0.013, 0.017]) {
    const edges = binEdges(0.001, 1, { lower: null, upper }, true, 30);
    assert.ok(edges.includes(upper), 'the threshold itself, not what its logarithm gives back');
    assert.ok(edges[0]! > 0 && edges[0]! <= 0.001 && edges.at(-1)! >= 1);
    const ratios = edges.slice(1).map((edge, i) => edge / edges[i]!);
    assert.ok(ratios.every((ratio) => near(ratio, 1000 ** (1 / 30))));
  }
});

test('both bounds are edges, near each other or far apart', () => {
  for (const lower of [0.9, 5, 6.999]) {
    const edges = binEdges(1, 10, { lower, upper: 7 }, false, 20);
    assert.ok(edges.includes(lower) && edges.includes(7));
    assert.deepEqual(
      edges,
      edges.toSorted((a, b) => a - b),
    );
    assert.ok(edges.length < 100);
  }
});

test('scores that are all equal have bins too', () => {
  const edges = binEdges(0.5, 0.5, { lower: null, upper: 0.5 }, false, 34);
  assert.ok(edges.length >= 3 && edges[0]! < 0.5 && edges.at(-1)! > 0.5);
  assert.ok(binEdges(0, 0, { lower: null, upper: 0 }, false, 34).every(Number.isFinite));
});

test('logarithmic ticks are 1, 2, 5 times powers of ten, and fewer where they would crowd', () => {
  assert.deepEqual(logTicks([0.02, 0.5], 12), [0.02, 0.05, 0.1, 0.2, 0.5]);
  assert.deepEqual(logTicks([0.001, 100], 8), [0.001, 0.01, 0.1, 1, 10, 100]);
  assert.deepEqual(logTicks([0.15, 4], 2), [0.3, 1, 3]);
});

test('operating points run from none called to all, ties together', () => {
  const points = operatingPoints([1, 2, 2], [2, 3]);
  assert.deepEqual(points, [
    { falseAlarms: 0, detection: 0, precision: 1 },
    { falseAlarms: 0, detection: 0.5, precision: 1 },
    { falseAlarms: 2 / 3, detection: 1, precision: 0.5 },
    { falseAlarms: 1, detection: 1, precision: 0.4 },
  ]);
  const many = operatingPoints(
    Array.from({ length: 3000 }, (_, i) => i),
    Array.from({ length: 3000 }, (_, i) => i + 0.5),
  );
  assert.equal(many.length, 400);
  assert.deepEqual([many[0]!.detection, many.at(-1)!.detection, many.at(-1)!.falseAlarms], [0, 1, 1]);
});

test('the counted share of false alarms is beta-binomial', () => {
  // One calibration image, the rate uniform: of two test images 0, 1 or 2 are called, each as likely.
  assert.deepEqual(countedRange(1, 1, 2, [0.3, 0.6]), { low: 0, high: 0.5 });
  assert.deepEqual(countedRange(1, 1, 2, [0.34, 0.7]), { low: 0.5, high: 1 });
  const { low, high } = countedRange(50, 999, 1_000_000, [0.05, 0.95]);
  assert.ok(low > 0.038 && low < 0.04 && high > 0.061 && high < 0.063, `${low} ${high}`); // 0.05 +- 1.645 * 0.0069
});

test('figures never become 0 or 1 by rounding', () => {
  assert.deepEqual([0, 1, 0.5, 0.9999, 0.0001].map((v) => figure(v)), [
    '0.000',
    '1.000',
    '0.500',
    '> 0.999',
    '< 0.001',
  ]); // biome-ignore format: one list
  assert.deepEqual([0, 1, 0.05, 0.123, 0.0002, 0.9997, 0.99999, 0.996].map(share), [
    '0 %',
    '100 %',
    '5 %',
    '12 %',
    '0.02 %',
    '99.97 %',
    'over 99.99 %',
    '99.6 %',
  ]);
  assert.deepEqual([0.001, 0.01, 0.789, 0.994, 0.999].map(ofHundred), [
    'fewer than 1',
    'about 1',
    'about 79',
    'about 99',
    'more than 99',
  ]);
  assert.equal(range({ low: 0.02, high: 0.09 }), '2 % to 9 %');
});

test('counts and sizes are written as people read them', () => {
  assert.deepEqual([counted(1, 'image'), counted(1234, 'image')], ['1 image', '1,234 images']);
  assert.deepEqual([0.0123456, 12.0, 1234567].map(short), ['0.0123', '12', '1230000']);
  assert.deepEqual([999, 12_340, 4_510_000].map(size), ['999 B', '12.3 kB', '4.51 MB']);
  assert.deepEqual([9_999, 12_345, 3_140_000, 2e9].map(large), [
    '9,999',
    '12.3 thousand',
    '3.14 million',
    '2 billion',
  ]);
});

test('a long name loses its middle, whole letters only', () => {
  assert.equal(shortened('abcdefghij', 10), 'abcdefghij');
  assert.equal(shortened('abcdefghijk', 10), 'abcde…hijk');
  assert.equal(shortened('🙂'.repeat(12), 5), '🙂🙂…🙂🙂');
});

test('text is escaped, pieces of HTML are not, and a percent sign stays with its number', () => {
  const name = `<a href="x">'&amp;`;
  assert.equal(html`<b>${name}</b>`.html, '<b>&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;</b>');
  assert.equal(html`${[html`<i>${'&'}</i>`, null, 5, 'x']}`.html, '<i>&amp;</i>5x');
  assert.equal(html`${'at 5 % of'}`.html, 'at 5\u00a0% of');
});

test('a figure below what its digits can show is said to be smaller, not equal', () => {
  assert.equal(equation('p', 0.5), 'p = 0.500');
  assert.equal(equation('p', 0.0001), 'p < 0.001');
  assert.equal(equation('p', 0), 'p = 0.000');
});
