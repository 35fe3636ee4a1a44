/** The captures of one DICOM file, inspected one after the other: the file is read once, and one frame at a time decoded. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import sharp from 'sharp';
import { decodeCapture, openImage } from '../../../agent/inspect/decode.ts';
import { type Inspector, loadInspector } from '../../../agent/inspect/inspect.ts';
import type { Scored, Unscored } from '../../../agent/inspect/inspection.ts';
import { makeTestBundle } from '../../support/bundle.ts';
import { drawFrames } from '../../support/dicomFrames.ts';
import { asShown, bytes8, COUNT, drawn, LIMITS } from './dicomFixture.ts';
import { sequence } from './preprocessingFixture.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-inspect-'));
const clip = path.join(folder, 'clip.dcm');
let inspector: Inspector;
before(async () => {
  const bundlePath = (await makeTestBundle(folder)).path;
  inspector = await loadInspector({ bundlePath, executionProvider: 'cpu', threads: 1, limits: LIMITS });
});
after(async () => {
  await inspector.close();
  rmSync(folder, { recursive: true });
});

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes that this process has read from files so far. */
const bytesRead = () => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1]);
/** Of the reading that `work` does. */
async function reads(work: () => Promise<unknown>): Promise<number> {
  const start = bytesRead();
  await work();
  return bytesRead() - start;
}

test('each frame is shown as it is stored; an animation and a TIFF of several pages hold one capture', async () => {
  const frames = [0, 80, 160].map((shift) => bytes8.map((value) => (value + shift) % 256));
  const image = await openImage(drawn({ frames: 3, pixels: Buffer.concat(frames) }), asShown(1), LIMITS);
  assert.equal(image.captures, 3);
  for (const [i, frame] of frames.entries())
    assert.deepEqual((await decodeCapture(image, asShown(1), i + 1)).pixels, Buffer.from(frame));
  await assert.rejects(decodeCapture(image, asShown(1), 4), { reason: 'changed-while-reading' });
  for (const format of ['gif', 'tiff'] as const)
    assert.equal((await openImage(await sequence([0, 120], format), asShown(1), LIMITS)).captures, 1);
  const whole = drawn({ frames: 3, pixels: Buffer.concat(frames) });
  assert.equal((await openImage(whole, asShown(1, 3), LIMITS)).captures, 1, 'for a graph of several frames');
});

test('what is wrong with the file as a whole is told at once, whichever frame is asked for', async () => {
  const pixels = new Uint8Array(3 * COUNT);
  for (const [bytes, reason, limits] of [
    [drawn({ frames: 3, pixels: pixels.subarray(COUNT) }), 'corrupt', LIMITS],
    [drawn({ frames: 3, pixels }).subarray(0, -10), 'truncated', LIMITS],
    [drawn({ frames: 3, pixels }), 'too-many-pixels', { ...LIMITS, pixels: COUNT - 1 }],
  ] as const)
    await assert.rejects(openImage(bytes, asShown(1), limits), { reason });
});

test('a file is read once for all its frames, unless it changes or another comes between', async () => {
  const size = 200;
  const length = drawFrames(['smooth', 'noisy', 'smooth', 'noisy'], size).length;
  writeFileSync(clip, drawFrames(['smooth', 'noisy', 'smooth', 'noisy'], size));
  const first = (await inspector.inspect(clip)) as Scored;
  assert.equal(first.frames, 4);
  let second: Scored | undefined;
  const again = await reads(async () => {
    second = (await inspector.inspect(clip, 2)) as Scored;
  });
  assert.ok(again < length / 2, `${again} bytes read, the file has ${length}`);
  assert.ok(second!.score > 10 * first.score, 'the noisy one');
  assert.equal(second!.sha256, first.sha256);

  writeFileSync(clip, drawFrames(['smooth', 'smooth', 'smooth', 'smooth'], size));
  const third = (await inspector.inspect(clip, 3)) as Scored;
  assert.notEqual(third.sha256, first.sha256);
  const still = path.join(folder, 'still.png');
  await sharp({ create: { width: 9, height: 9, channels: 3, background: '#777777' } })
    .png()
    .toFile(still);
  assert.equal((await inspector.inspect(still)).frames, 1);
  assert.ok((await reads(() => inspector.inspect(clip, 4))) >= length, 'it is let go for another file');

  rmSync(clip);
  assert.equal((await inspector.inspectBytes(drawFrames(['smooth', 'noisy'], size))).frames, 2);
  const gone = (await inspector.inspect(clip, 2)) as Unscored;
  assert.deepEqual([gone.reason, gone.frames], ['vanished', null]);
});

test('a long file takes the memory of its bytes and of one frame', async () => {
  const [frames, side] = [1000, 256];
  const spec = { ...asShown(1), width: 8, height: 8 };
  const bytes = drawn({ width: side, height: side, frames, pixels: new Uint8Array(frames * side * side) });
  const held = async () => {
    collectGarbage();
    await setImmediate(); // native modules let go of their buffers now
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  const before = await held();
  const image = await openImage(bytes, spec, { ...LIMITS, bytes: 1e9 });
  let most = 0;
  for (let frame = 1; frame <= frames; frame++) {
    await decodeCapture(image, spec, frame);
    if (frame % 100 === 0) most = Math.max(most, (await held()) - before);
  }
  const one = 3 * side * side; // samples of 16 bits, and what is shown of them
  assert.ok(most < 4 * one, `${most} bytes more, a frame has ${one}`);
});
