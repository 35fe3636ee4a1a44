import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import test from 'node:test';
import { recipe as schema } from '../../config/recipe.ts';
import { conclude, headline, usable } from '../../trainer/report/conclusion.ts';
import { renderReport } from '../../trainer/report/report.ts';
import { findChromium, NO_CHROMIUM, openBrowser } from '../support/browser.ts';
import { shapes } from './reportMetrics.ts';

const file = new URL('../../config/recipes/fundus.json', import.meta.url);
const all = shapes(schema.parse(JSON.parse(await readFile(file, 'utf8'))));

test('the answer says plainly what the figures show', () => {
  assert.equal(usable(all['one kind']!), 'yes');
  assert.match(conclude(all['one kind']!).join(' '), /Of 100 poor captures about \d+ are caught/);
  assert.match(headline(all['wrong way round']!), /wrong way round.*Do not use it/);
  assert.match(conclude(all['no test']!).join(' '), /is not known/);
  assert.equal(usable(all['two-sided']!), 'yes');
});

for (const [name, metrics] of Object.entries(all))
  test(`the page, ${name}, runs nothing and is the same again`, () => {
    const page = renderReport(metrics, []);
    assert.doesNotMatch(
      page.replaceAll(/aria-label="[^"]*"/g, ''),
      /<script|NaN|undefined|\[object|url\(|@import/,
    );
    assert.equal(page, renderReport(metrics, []));
  });

const chromium = await findChromium();
test('in Chromium nothing overflows and axe finds nothing', {
  skip: chromium === null && NO_CHROMIUM,
}, async (t) => {
  const browser = await openBrowser(chromium!);
  t.after(() => browser.close());
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const name of ['five kinds, eight warnings', 'evaluation alone'])
    for (const value of ['light', 'dark'])
      for (const width of [1280, 400]) {
        const page = await browser.newPage();
        const errors: string[] = [];
        page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
        await page.setViewport({ width, height: 900 });
        await page.setContent(renderReport(all[name]!, []));
        assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width);
        await page.evaluate(axe);
        const found = await page.evaluate(
          'axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "best-practice"] }).then((r) => r.violations.map((v) => v.id))',
        );
        assert.deepEqual([found, errors], [[], []]);
        await page.close();
      }
});
