import assert from 'node:assert/strict';
import test from 'node:test';
import { parseHTML } from 'linkedom';
import { renderReport } from '../../trainer/report/report.ts';
import { allShapes, picturesOf } from './report-shapes.ts';
import { NASTY } from './reportMetrics.ts';

const all = allShapes();

for (const [name, metrics] of Object.entries(all))
  test(`the page, ${name}, runs nothing and is the same again`, async () => {
    const pictures = await picturesOf(name !== 'voices');
    const page = renderReport(metrics, pictures);
    assert.doesNotMatch(
      page.replaceAll(/(aria-label|alt|title)="[^"]*"/g, ''),
      /<script|NaN|undefined|\[object|url\(|@import/,
    );
    assert.equal(page, renderReport(metrics, pictures));
  });

test('names are text wherever they stand, and whole in titles and alternative texts', async () => {
  const { document } = parseHTML(renderReport(all['five kinds, eight warnings']!, await picturesOf(true)));
  assert.equal(document.querySelectorAll('script, u, body [onerror]').length, 0);
  const cells = [...document.querySelectorAll('tbody th')].map((cell) => cell.textContent);
  assert.ok(cells.includes(`${NASTY}30 images`), 'a kind is named in the table of kinds');
  const file = document.querySelector('.card .file')!;
  assert.equal(file.getAttribute('title'), `good/${NASTY}${'-long'.repeat(20)}.png`);
  assert.match(file.textContent!, /^good\/<script>aler.*….*-long-long\.png$/);
  assert.equal([...file.textContent!].length, 38);
  const alts = [...document.querySelectorAll('.card img')].map((image) => image.getAttribute('alt')!);
  assert.equal(alts.length, 6);
  assert.ok(alts[0]!.startsWith(`good/${NASTY}`) && alts[0]!.endsWith('as the model sees it'));
  assert.match(alts[2]!, /^Where the two differ; score 0\.0123, review$/);
  assert.match(document.querySelector('pre')!.textContent!, /trainer fit '<script>/);
});

test('what is rare about a picture stands under it, as text; a model that redraws nothing has two pictures of each', async () => {
  const { document } = parseHTML(renderReport(all.voices!, await picturesOf(false)));
  const card = document.querySelector('.card')!;
  assert.deepEqual(
    [...card.querySelectorAll('small')].map((small) => small.textContent),
    ['sharpness: lower than in 40 of 40 good images', `<b>${NASTY}`],
  );
  assert.equal(card.querySelectorAll('img').length, 2);
  const text = document.body.textContent!;
  assert.doesNotMatch(text, /redraw good images|to its reconstruction|what the model redraws/);
  assert.match(text, /each scored by a model that training did not show it/);
});

test('every chart has a description, and a caption that says how to read it', () => {
  for (const metrics of Object.values(all)) {
    const { document } = parseHTML(renderReport(metrics, []));
    for (const figure of document.querySelectorAll('figure.chart')) {
      const [wide, narrow] = [...figure.querySelectorAll('svg[role="img"]')];
      assert.match(wide!.getAttribute('aria-label')!, /^[A-Z].*\d.*\.$/);
      assert.equal(wide!.getAttribute('aria-label'), narrow!.getAttribute('aria-label'));
      assert.equal(figure.querySelectorAll('g[aria-label], path[aria-label]').length, 0);
      assert.match(figure.querySelector('figcaption')!.textContent!.trim(), /^[A-Z].*\.$/s);
    }
  }
  const { document } = parseHTML(renderReport(all['one kind']!, []));
  const [histogram] = [...document.querySelectorAll('figure.chart')].filter((figure) =>
    figure.querySelector('svg')!.getAttribute('aria-label')!.startsWith('Histograms'),
  );
  assert.match(
    histogram!.querySelector('svg')!.getAttribute('aria-label')!,
    /good, calibration: 4 of 99 called for review; good, test: 9 of 120 .*; poor, test: 63 of 80 called/,
  );
  assert.match(histogram!.querySelector('figcaption')!.textContent!, /own height.*images to its right/s);
});

test('kinds beyond the eighth share one histogram, and each has its row in the table', () => {
  const page = renderReport(all['many kinds']!, []);
  const { document } = parseHTML(page);
  assert.match(page, /other kinds, test: \d+ of 42 called/);
  const rows = [...document.querySelectorAll('tbody th')].filter((cell) =>
    cell.textContent!.startsWith('kind '),
  );
  assert.equal(rows.length, 14);
});
