import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import test from 'node:test';
import { compareRuns } from '../../trainer/compare/compare.ts';
import { renderComparison } from '../../trainer/compare/page.ts';
import type { TestedRun } from '../../trainer/compare/read-run.ts';
import { renderReport } from '../../trainer/report/report.ts';
import { findChromium, NO_CHROMIUM, openBrowser } from '../support/browser.ts';
import { allShapes, picturesOf } from './report-shapes.ts';
import { NASTY, scores } from './reportMetrics.ts';

const chromium = await findChromium();

function comparison(): string {
  const run = (folder: string, centre: number, seed: number): TestedRun => ({
    ...{ folder, model: `fundus ${NASTY}`, digest: `sha256:${'0123456789abcdef'.repeat(4)}`, seed: 1 },
    images: [...scores(20, 1, 0.3, seed), ...scores(20, centre, 0.3, seed + 1)].map((score, i) => ({
      ...{ name: `${i}.png`, sha256: `${i}`, label: i < 20 ? 'good' : 'poor', score, group: null },
      verdict: score > 1.5 ? 'review' : 'pass',
    })),
  });
  const runs = [run('a/folder/with/a/long/name'.repeat(3), 1.1, 1), run(NASTY, 2, 5), run('third', 1.2, 9)];
  return renderComparison(compareRuns(runs), `trainer compare '${NASTY}' ${'long/'.repeat(30)}`);
}

test('in Chromium no page overflows, axe finds nothing and the console is silent, wide and narrow, light and dark', {
  skip: chromium === null && NO_CHROMIUM,
}, async (t) => {
  const browser = await openBrowser(chromium!);
  t.after(() => browser.close());
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const pages = new Map([['comparison', comparison()]]);
  for (const [name, metrics] of Object.entries(allShapes()))
    pages.set(name, renderReport(metrics, await picturesOf(name !== 'voices')));
  const views = [
    { width: 1280, value: 'light' },
    { width: 400, value: 'dark' },
  ];
  const colours = new Set(['comparison', 'five kinds, eight warnings']); // these in the other colours as well
  for (const [name, text] of pages)
    for (const { width, value } of [
      ...views,
      ...(colours.has(name)
        ? views.map(({ width, value }) => ({ width, value: value === 'dark' ? 'light' : 'dark' }))
        : []),
    ]) {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('request', (request) => !/^(data|about):/.test(request.url()) && errors.push(request.url()));
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
      await page.setViewport({ width, height: 900 });
      await page.setContent(text);
      const where = `${name}, ${width} pixels, ${value}`;
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, where);
      await page.evaluate(axe);
      const found = await page.evaluate(
        'axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "best-practice"] }).then((r) => r.violations.map((v) => v.id + " " + v.nodes[0].html))',
      );
      assert.deepEqual([found, errors], [[], []], where);
      await page.close();
    }
});
