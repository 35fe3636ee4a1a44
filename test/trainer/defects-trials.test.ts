import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { DEFECTS, FAMILIES, STRENGTHS } from '../../trainer/defects/families.ts';
import { describeTrials, smallestFound } from '../../trainer/defects/smallest.ts';
import { tryFolds } from '../../trainer/defects/try-folds.ts';
import type { Trials } from '../../trainer/defects/types.ts';
import { drawDefects } from '../../trainer/report/defects.ts';
import { renderReport } from '../../trainer/report/report.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { noisyPixels, smoothPixels } from '../support/images.ts';
import { allShapes } from './report-shapes.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'plumbline-defects-'));
after(() => rm(folder, { recursive: true }));

/** Everything of which the strength is at least `least` is found; scratches never are. */
function made(least: number): Trials {
  const trials = DEFECTS.map(({ family, size, strength }) => {
    const hits = strength >= least && family.name !== 'scratch' ? 9 : 1;
    return {
      ...{ family: family.name, size, strength: STRENGTHS[strength]!, planted: 10 },
      ...{ called: hits, found: hits, located: hits, marked: hits, markedWithin: hits },
    };
  });
  return { images: 10, clear: 10, alpha: 0.05, falseAlarms: 0, quiet: 10, trials };
}

test('a bundle that calls what it cannot redraw finds specks and textures, and its map shows where', async () => {
  const bundle = await makeTestBundle(folder);
  const images = Array.from({ length: 8 }, (_, i) => ({ pixels: smoothPixels(32, i) }));
  let steps = 0;
  const options = {
    bundle,
    unseen: [
      { graph: bundle.model, images: images.slice(0, 4) },
      { graph: bundle.model, images: images.slice(4) },
    ],
    ...{ seed: 1, threads: 1, signal: new AbortController().signal },
    onBegin: (count: number) => {
      assert.equal(count, 8);
      return () => {
        steps += 1;
      };
    },
  };
  const result = await tryFolds(options);
  assert.equal(steps, 8);
  assert.deepEqual([result.images, result.clear], [8, 8]);
  assert.equal(result.falseAlarms, 0);
  assert.equal(result.trials.length, DEFECTS.length);
  const strong = result.trials.find(
    ({ family, size, strength }) => family === 'dust' && size === 0.18 && strength === 'strong',
  )!;
  assert.equal(strong.planted, 8);
  assert.ok(strong.found >= 7, `${strong.found} of 8 found`);
  assert.equal(strong.located, strong.found);
  for (const { planted, found, located, marked, markedWithin } of result.trials)
    assert.ok(found <= planted && located <= found && marked <= planted && markedWithin <= marked);
  assert.deepEqual(await tryFolds(options), result);
  const called = { ...images[0]!, pixels: noisyPixels(32, 1) };
  const unseen = [{ graph: bundle.model, images: [called, ...images.slice(1)] }];
  const less = await tryFolds({ ...options, unseen });
  assert.deepEqual(
    [less.images, less.clear, less.falseAlarms],
    [8, 7, 1],
    'called as it is: nothing is drawn on it',
  );
  assert.ok(less.trials.every(({ planted }) => planted <= 7));
  await assert.rejects(tryFolds({ ...options, signal: AbortSignal.abort() }), /Interrupted/);
});

test('the smallest defect found is told in at most eight lines', () => {
  const smallest = smallestFound(made(1));
  assert.deepEqual(
    smallest.map(({ family, found }) => [family, found?.size, found?.strength]),
    FAMILIES.map(({ name }) => [name, ...(name === 'scratch' ? [undefined, undefined] : [0.06, 'medium'])]),
  );
  const lines = describeTrials(made(1));
  assert.ok(lines.length <= 8);
  assert.match(lines.join('\n'), /blurred patch +6 % of the side, medium \(9 of 10\)/);
  assert.match(lines.join('\n'), /scratch +none up to 18 % of the side \(strong: 1 of 10\)/);
});

test('the report shows the table and what each defect looks like', async () => {
  const [metrics] = Object.values(allShapes()).filter((one) => 'training' in one);
  assert.ok(metrics !== undefined && 'training' in metrics);
  assert.doesNotMatch(renderReport(metrics, []), /cannot<\/h2>/);
  const input = { ...metrics.recipe.input, width: 32, height: 32, channels: 3 as const };
  const pictures = await drawDefects(smoothPixels(32, 1), input, made(1));
  assert.deepEqual(
    [...pictures.keys()],
    FAMILIES.map(({ name }) => name),
  );
  const page = renderReport({ ...metrics, defects: made(1) }, [], pictures);
  assert.equal(page.match(/with a planted defect/g)?.length, FAMILIES.length);
  assert.match(page, /missed: 1 of 10 found/);
});
