/** Starts the real `trainer` for tests. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { encode, random } from '../support/images.ts';

const root = path.join(import.meta.dirname, '../..');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the repository to its end; `onLine` sees its standard output as it comes. */
export async function run(
  name: 'trainer' | 'agent',
  args: readonly string[],
  onOutput: (text: string, child: ChildProcess) => void = () => {},
): Promise<Ended> {
  const child = spawn(path.join(root, name, 'bin', name), args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    onOutput(stdout, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/**
 * A fit that is ended as soon as its bundle is written, which is before its threshold is told: for tests that look at
 * nothing else.
 */
export async function fitBundle(args: readonly string[]): Promise<void> {
  const { stdout, stderr } = await run('trainer', args, (text, child) => {
    if (/^threshold: /m.test(text)) child.kill('SIGKILL');
  });
  assert.match(stdout, /^threshold: /m, stderr);
}

/** A small net on a small input, on the backend that is always there: a run takes two seconds. */
export const SMALL = [
  '--backend=onnx',
  '--recipe=fundus',
  ...['input.width=32', 'input.height=32', 'model.filters=4,8', 'batchSize=8', 'threshold.alpha=0.1'].flatMap(
    (change) => ['--set', change],
  ),
];

/** An empty folder that goes with the test. */
export async function temporary(t: Pick<TestContext, 'after'>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-trainer-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** `count` good pictures, smooth waves of colour: each its own direction and length, so that none are near copies. */
export async function drawGood(folder: string, count: number, firstSeed = 0): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < count; i++)
    await writeFile(path.join(folder, `good-${i}.jpg`), await encode(wavePixels(firstSeed + i), SIDE));
}

const SIDE = 64;

/** uint8 `[SIDE, SIDE, 3]`. */
export function wavePixels(seed: number): Uint8Array {
  const uniform = random(seed);
  const [right, down] = [12 * uniform() - 6, 12 * uniform() - 6];
  const phase = [6 * uniform(), 6 * uniform(), 6 * uniform()];
  return Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, k) => {
    const [x, y] = [Math.floor(k / 3) % SIDE, Math.floor(k / 3 / SIDE)];
    return 128 + 80 * Math.sin((right * x + down * y) / SIDE + phase[k % 3]!);
  });
}

/** `count` poor pictures, random blocks of black and white: nothing that a smooth wave teaches. */
export async function drawPoor(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const uniform = random(i);
    const blocks = Array.from({ length: 64 }, () => (uniform() < 0.5 ? 0 : 255));
    const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, k) => {
      const [x, y] = [Math.floor(k / 3) % SIDE, Math.floor(k / 3 / SIDE)];
      return blocks[8 * (y >> 3) + (x >> 3)]!;
    });
    await writeFile(path.join(folder, `poor-${i}.jpg`), await encode(pixels, SIDE));
  }
}
