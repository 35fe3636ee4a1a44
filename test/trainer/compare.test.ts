import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { Command } from 'commander';
import { parseHTML } from 'linkedom';
import { addCompareCommand } from '../../trainer/compare/commands.ts';
import { type Comparison, compareRuns } from '../../trainer/compare/compare.ts';
import { renderComparison } from '../../trainer/compare/page.ts';
import type { TestedImage, TestedRun } from '../../trainer/compare/read-run.ts';
import { randomFor } from '../../trainer/random.ts';
import { auroc } from '../../trainer/statistics/auroc.ts';

/** 80 good and 80 poor images; a model sees what is wrong with them through noise, the images' own and its own. */
function testedRun(folder: string, gain: number, change: (image: TestedImage) => TestedImage = (i) => i) {
  const own = randomFor(1, folder);
  const shared = randomFor(1, 'images');
  const images = Array.from({ length: 160 }, (_, i): TestedImage => {
    const score = (i < 80 ? 0 : gain) + shared() + 0.3 * own();
    return change({
      name: `${i}.jpg`,
      sha256: `content ${i}`,
      label: i < 80 ? 'good' : 'poor',
      score,
      verdict: score > 1 ? 'review' : 'pass',
      group: null,
    });
  });
  return { folder, model: 'fundus', digest: `sha256:${folder}`, seed: 3, images } satisfies TestedRun;
}

const scoresOf = ({ images }: TestedRun, label: string) =>
  images.filter((image) => image.label === label).map(({ score }) => score);

test('a better model is told, with the difference of its AUROC', () => {
  const [first, second] = [testedRun('small', 0.2), testedRun('large', 0.6)];
  const { runs, conclusions, good, poor } = compareRuns([first, second]);
  assert.deepEqual([good, poor], [80, 80]);
  const values = [first, second].map((run) => auroc(scoresOf(run, 'good'), scoresOf(run, 'poor')));
  for (const [i, run] of runs.entries()) assert.ok(Math.abs(run.auroc.value - values[i]!) < 1e-12);
  assert.ok(Math.abs(runs[1]!.difference!.value - (values[1]! - values[0]!)) < 1e-12);
  assert.ok(runs[1]!.difference!.low > 0);
  assert.match(
    conclusions[0]!,
    /^large really is better than small on images like these: AUROC 0\.\d+ against/,
  );
  const reversed = compareRuns([second, first]);
  assert.match(reversed.conclusions[0]!, /^small really is worse than large/);
});

test('two models that differ by their own noise alone cannot be told apart', () => {
  const { conclusions, runs } = compareRuns([testedRun('one', 0.3), testedRun('two', 0.3)]);
  assert.match(conclusions[0]!, /^Whether two is better than one or worse cannot be told/);
  assert.ok(runs[1]!.difference!.p > 0.05);
});

test('the better of two that rank the wrong way round is not recommended', () => {
  const { conclusions } = compareRuns([testedRun('bad', -0.6), testedRun('less bad', -0.2)]);
  assert.match(conclusions[0]!, /really is better.*does not rank better than chance either: use none/);
});

test('images are matched by content, in whatever order and under whatever name', () => {
  const first = testedRun('first', 0.2);
  const second = testedRun('second', 0.4, (image) => ({ ...image, name: `other/${image.name}` }));
  const shuffled = { ...second, images: second.images.toReversed().slice(20) };
  const { runs, good, poor } = compareRuns([first, shuffled]);
  assert.deepEqual([good, poor], [80, 60]);
  const kept = new Set(shuffled.images.map(({ sha256 }) => sha256));
  const scores = (run: TestedRun, label: string) =>
    run.images.filter((i) => i.label === label && kept.has(i.sha256)).map(({ score }) => score);
  assert.ok(Math.abs(runs[0]!.auroc.value - auroc(scores(first, 'good'), scores(first, 'poor'))) < 1e-12);
  assert.ok(Math.abs(runs[1]!.auroc.value - auroc(scores(second, 'good'), scores(second, 'poor'))) < 1e-12);
});

test('groups that one evaluation knew are drawn together for all', () => {
  const grouped = testedRun('grouped', 0.3, (image) => ({
    ...image,
    group: `p${Math.floor(Number.parseInt(image.name, 10) / 8)}`,
  }));
  assert.equal(compareRuns([testedRun('plain', 0.3), grouped]).groups, 20);
  assert.equal(compareRuns([testedRun('plain', 0.3), testedRun('other', 0.3)]).groups, null);
});

test('other images, or other labels, are no comparison', () => {
  const first = testedRun('first', 0.2);
  const elsewhere = testedRun('second', 0.4, (i) => ({ ...i, sha256: `x${i.sha256}` }));
  assert.throws(
    () => compareRuns([first, elsewhere]),
    /not tested on the same images: 0 are common to all \(160 in first, 160 in second.*trainer evaluate/,
  );
  const goodOnly = { ...elsewhere, images: first.images.slice(0, 80) };
  assert.throws(() => compareRuns([first, goodOnly]), /80 are common to all, all of them good/);
  const relabelled = testedRun('second', 0.4, (i) =>
    i.name === '3.jpg' ? { ...i, label: 'poor' as const } : i,
  );
  assert.throws(() => compareRuns([first, relabelled]), /1 images have other labels .* such as 3\.jpg/);
});

test('the page holds a curve for each model, their figures and the answer, and escapes what it is given', () => {
  const strange = 'a<u>"b';
  const comparison = compareRuns([testedRun(strange, 0.2), testedRun('large', 0.6), testedRun('third', 0.2)]);
  const text = renderComparison(comparison, `trainer compare '${strange}' large third`);
  const { document } = parseHTML(text);
  assert.equal(document.querySelector('h1')!.textContent, `large is better than ${strange}`);
  assert.equal(document.querySelectorAll('u, script, link').length, 0);
  for (const { auroc } of comparison.runs) assert.ok(text.includes(auroc.value.toFixed(3)));
  const curves = document.querySelectorAll(
    'svg.wide path[stroke-width="2"], svg.wide [stroke-width="2"] path',
  );
  assert.equal(curves.length, 3, 'one curve each');
  assert.equal(renderComparison(comparison, `trainer compare '${strange}' large third`), text);
});

async function compare(folder: string, args: readonly string[]) {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(String(chunk));
      done();
    },
  }) as unknown as NodeJS.WriteStream;
  const program = new Command('trainer').exitOverride();
  addCompareCommand(program, { command: 'trainer compare', output: stream, errors: stream });
  await program.parseAsync(['compare', ...args, '--out', path.join(folder, 'page.html')], { from: 'user' });
  return chunks.join('');
}

async function writeRun(t: TestContext, ...runs: TestedRun[]) {
  const folder = await mkdtemp(path.join(tmpdir(), 'compare-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const { folder: name, model, digest, seed, images } of runs) {
    await mkdir(path.join(folder, name));
    const metrics = { format: 1, seed, bundle: { name: model, digest }, evaluation: { images } };
    await writeFile(path.join(folder, name, 'metrics.json'), JSON.stringify(metrics));
  }
  return folder;
}

test('the command reads run folders, writes the page and tells the answer', async (t) => {
  const folder = await writeRun(t, testedRun('small', 0.2), testedRun('large', 0.6));
  const runs = [path.join(folder, 'small'), path.join(folder, 'large')];
  const said = await compare(folder, runs);
  assert.match(said, /compared on 80 good and 80 poor images/);
  assert.match(said, /large really is better than .*small/);
  // Named without what their paths share.
  assert.match(await readFile(path.join(folder, 'page.html'), 'utf8'), />large is better than small</);
  const json = (await compare(folder, [...runs, '--json'])).split('\n').find((line) => line.startsWith('{'));
  const { runs: compared }: Comparison = JSON.parse(json!);
  assert.ok(compared[1]!.difference!.value > 0);
});

test('what is no run, has no test, or is alone, is refused with what to do', async (t) => {
  const folder = await writeRun(t, testedRun('small', 0.2), { ...testedRun('untested', 0), images: [] });
  const inside = (name: string) => path.join(folder, name);
  await assert.rejects(compare(folder, [inside('small')]), /at least two runs/);
  await assert.rejects(
    compare(folder, [inside('small'), inside('none')]),
    /holds no metrics\.json \(ENOENT\)/,
  );
  await assert.rejects(
    compare(folder, [inside('small'), inside('untested')]),
    /holds no test.*trainer evaluate/,
  );
  await mkdir(inside('old'));
  await writeFile(inside('old/metrics.json'), JSON.stringify({ format: 1, seed: 1, evaluation: null }));
  await assert.rejects(compare(folder, [inside('small'), inside('old')]), /bundle: .*older trainer/);
  await writeFile(inside('old/metrics.json'), 'text');
  await assert.rejects(compare(folder, [inside('small'), inside('old')]), /is no JSON/);
});
