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

/** 40 fine captures of a camera that is a little noisier than the one that the bundle knows, and 2 poor ones. */
async function judged(t: TestContext) {
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
    const [smooth, noisy] = [smoothPixels(SIZE, i), noisyPixels(SIZE, i)];
    await save(
      name,
      smooth.map((value, j) => Math.round(0.93 * value + 0.07 * noisy[j]!)),
    );
  }
  await save('poor-1.png', noisyPixels(SIZE, 100));
  await save('poor-2.png', noisyPixels(SIZE, 101));
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
  const { at, watch, bundle, names, confirm } = await judged(t);
  const { code, stdout, stderr } = await runAgent([...confirm(names), '--json']);
  assert.equal(code, 0, stderr);
  const result: RecalibratedOnDevice = JSON.parse(stdout);
  assert.deepEqual([result.images, result.warning], [40, null]);
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
  const { at, watch, names, confirm } = await judged(t);
  const refused = async (some: readonly string[], expected: RegExp) => {
    const { code, stderr } = await runAgent(confirm(some));
    assert.equal(code, 2, stderr);
    assert.match(stderr, expected);
  };
  await refused([...names, 'other.png'], /There is no record of other\.png/);
  await refused(names.slice(0, 12), /alpha 0\.05 cannot be had from 12 .* smallest possible is 0\.077/);
  await refused([], /names no capture/);
  writeFileSync(path.join(watch, names[0]!), 'overwritten');
  await refused(names, /fine-0\.png is not the capture that was confirmed/);
  rmSync(path.join(watch, names[0]!));
  await refused(names, /fine-0\.png cannot be read in the watched folder any more \(ENOENT\)/);
  const missing = await runAgent([...confirm(names).slice(0, -1), path.join(at, 'no.txt')]);
  assert.match(missing.stderr, /--confirmed .*no\.txt cannot be read \(ENOENT\)/);
});
