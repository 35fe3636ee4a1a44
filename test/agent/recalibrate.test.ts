/** `agent recalibrate` on captures that a real agent judged. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import sharp from 'sharp';
import { readBundle } from '../../agent/inspect/bundle.ts';
import type { RecalibratedOnDevice } from '../../agent/recalibrate.ts';
import { runAgent } from '../support/agent.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { noisyPixels, smoothPixels } from '../support/images.ts';

const SIZE = 32;

/** 40 fine captures of a camera with this share of noise more than the one that the bundle knows, and 2 poor ones. */
async function judged(t: TestContext, noise: number) {
  const at = mkdtempSync(path.join(tmpdir(), 'plumbline-recalibrate-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
  mkdirSync(watch);
  const bundle = await makeTestBundle(at);
  const names = Array.from({ length: 40 }, (_, i) => `fine-${i}.png`);
  const save = async (name: string, pixels: Uint8Array) => {
    const image = sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 3 } });
    await image.png().toFile(path.join(watch, name));
  };
  for (const [i, name] of names.entries()) {
    if (i === 20) for (const poor of [1, 2]) await save(`poor-${poor}.png`, noisyPixels(SIZE, 100 + poor));
    const [smooth, noisy] = [smoothPixels(SIZE, i), noisyPixels(SIZE, i)];
    await save(
      name,
      smooth.map((value, j) => Math.round((1 - noise) * value + noise * noisy[j]!)),
    );
  }
  const given = ['--bundle', bundle.path, '--watch', watch, '--state', state];
  const { code, stderr } = await runAgent(['run', ...given, '--once']);
  assert.ok(code === 0 || code === 4, stderr);
  const confirm = (some: readonly string[]) => {
    const file = path.join(at, 'fine.txt');
    writeFileSync(file, some.map((name) => `${name}\n`).join(''));
    return ['recalibrate', ...given, '--confirmed', file];
  };
  return { at, watch, bundle, names, confirm };
}

test('captures that somebody confirmed give a new bundle of the same weights, which keeps its promise there', async (t) => {
  const { at, watch, bundle, names, confirm } = await judged(t, 0.07);
  const { code, stdout, stderr } = await runAgent([...confirm(names), '--json']);
  assert.equal(code, 0, stderr);
  const result: RecalibratedOnDevice = JSON.parse(stdout);
  assert.deepEqual([result.images, result.copies], [40, 0]);
  assert.match(result.warnings.join(), /^The old threshold calls 40 of 40: this model has not learned/);
  assert.equal(result.called.before, 40, 'the old bundle calls every capture of this camera');
  assert.equal(result.called.now, 1, 'above the second largest of 40');
  const made = await readBundle(path.join(at, 'bundle-recalibrated.onnx'));
  assert.equal(made.manifest.calibration.scores.length, 40);
  assert.equal(made.manifest.provenance.recalibration?.from, bundle.manifest.digest);
  const scored = await runAgent(['score', result.bundle, watch, '--json']);
  const review = scored.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter(({ verdict }) => verdict === 'review')
    .map((line) => path.basename(line.path));
  assert.ok(
    ['poor-1.png', 'poor-2.png'].every((name) => review.includes(name)),
    review.join(),
  );
  assert.equal(review.length, 3);

  const again = await runAgent(confirm(names));
  assert.equal(again.code, 1);
  assert.match(again.stderr, /bundle-recalibrated\.onnx exists already, and nothing is overwritten/);
});

test('what was not judged, has changed, or is too little is refused in words', async (t) => {
  const { at, watch, names, confirm } = await judged(t, 0.07);
  const refused = async (some: readonly string[], expected: RegExp) => {
    const { code, stderr } = await runAgent(confirm(some));
    assert.equal(code, 2, stderr);
    assert.match(stderr, expected);
  };
  await refused([...names, 'other.png'], /^error: there is no record of "other\.png"\. Give the paths/m);
  await refused([...names, 'a', 'b', 'c', 'd', 'e', 'x'.repeat(200), 'g'], /"a"; .* "e"; and 2 more/);
  await refused(names.slice(0, 12), /alpha 0\.05 cannot be had from 12 .* smallest possible is 0\.077/);
  await refused([], /names no capture/);
  writeFileSync(path.join(watch, names[0]!), 'overwritten');
  await refused(names, /fine-0\.png is not the capture that was confirmed/);
  rmSync(path.join(watch, names[0]!));
  await refused(names, /fine-0\.png cannot be read in the watched folder any more \(ENOENT\)/);
  const missing = await runAgent([...confirm(names).slice(0, -1), path.join(at, 'no.txt')]);
  assert.match(missing.stderr, /--confirmed .*no\.txt cannot be read \(ENOENT\)/);
});

test('a choice of captures that promises nothing is said to be one', async (t) => {
  const { at, watch, names, confirm } = await judged(t, 0);
  const warnings = async (some: readonly string[], out: string, ...more: string[]) => {
    const given = [...confirm(some), '--out', path.join(at, out), '--json', ...more];
    const { code, stdout, stderr } = await runAgent(given);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as RecalibratedOnDevice).warnings.join('\n');
  };
  const half = await warnings(
    names.filter((_, i) => i % 2 === 0),
    'half.onnx',
  );
  assert.match(half, /of the \d+ captures of that time that passed are not confirmed/);
  const listed = await runAgent([
    ...['ledger', 'list', '--state', path.join(at, 'state')],
    ...['--verdict', 'pass', '--limit', '0', '--json'],
  ]);
  const passed = listed.stdout.split('\n').filter(Boolean);
  const easy = await warnings(
    passed.map((line) => JSON.parse(line).path),
    'easy.onnx',
  );
  assert.match(easy, /^None of the \d+ captures of that time that were called for review is confirmed/);
  const everything = [...names, 'poor-1.png', 'poor-2.png'];
  assert.equal(await warnings(everything, 'all.onnx', '--alpha', '0.2'), '');
  const { threshold } = (await readBundle(path.join(at, 'all.onnx'))).manifest;
  assert.deepEqual(threshold.rule, { rule: 'conformal', alpha: 0.2 });
  const inside = await runAgent([...confirm(names), '--out', path.join(watch, 'new.onnx')]);
  assert.match(inside.stderr, /lies in the watched folder, where only captures belong/);
});
