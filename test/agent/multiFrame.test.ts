/** DICOM files of several frames in the watched folder: each frame is a capture of its own, and none is left out. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { MOST_TOGETHER } from '../../agent/commit.ts';
import { readBundle } from '../../agent/inspect/bundle.ts';
import type { LedgerRow } from '../../agent/ledger/reader.ts';
import type { RecalibratedOnDevice } from '../../agent/recalibrate.ts';
import type { Verdict } from '../../config/verdict.ts';
import { runAgent } from '../support/agent.ts';
import { makeTestBundle } from '../support/bundle.ts';
import { SYNTAX, writeDicom } from '../support/dicom.ts';
import { drawFrames, encodeFrame } from '../support/dicomFrames.ts';
import { noisyPixels, smoothPixels } from '../support/images.ts';
import { startBroker } from './brokerFixture.ts';
import { endsAt } from './faultingAgentFixture.ts';

const REAL = path.join(import.meta.dirname, '../../../shared/data/dicom/mr/emri_small_RLE.dcm');
const KINDS = ['smooth', 'noisy', 'smooth', 'smooth', 'noisy'] as const;

/** The folders of an agent, a broker, and the agent, to be run to its end. */
async function place(t: TestContext) {
  const at = mkdtempSync(path.join(tmpdir(), 'plumbline-frames-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  const [watch, state] = [path.join(at, 'captures'), path.join(at, 'state')];
  mkdirSync(watch);
  const bundle = (await makeTestBundle(at)).path;
  const broker = await startBroker(t);
  const places = ['--watch', watch, '--state', state];
  const args = ['run', '--once', '--bundle', bundle, '--broker', broker.url, ...places];
  const successful = async (command: readonly string[]) => {
    const { code, stdout, stderr } = await runAgent(command);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  return {
    ...{ at, watch, bundle, args, successful },
    /** Verdicts that the broker had, each once, in the order of `seq`. */
    verdicts: (): Verdict[] =>
      [...new Map(broker.verdicts().map((verdict) => [verdict.id, verdict])).values()].sort(
        (a, b) => a.seq - b.seq,
      ),
    /** A whole file under its name at once, old enough to be settled. */
    drop(name: string, write: (file: string) => void) {
      const half = path.join(watch, '.half');
      write(half);
      utimesSync(half, 1e9, 1e9);
      renameSync(half, path.join(watch, name));
    },
    run: (...more: string[]) => successful([...args, ...more]),
    verify: () => successful(['ledger', 'verify', '--content', ...places]),
    again: (command: 'retry' | 'rescore', ...more: string[]) => successful([command, ...places, ...more]),
    async list(...more: string[]): Promise<LedgerRow[]> {
      const given = ['ledger', 'list', '--state', state, '--json', '--limit', '0', ...more];
      return (await successful(given))
        .split('\n')
        .filter(Boolean)
        .map((row) => JSON.parse(row));
    },
  };
}

const words = (verdicts: readonly Verdict[]) => verdicts.map((v) => [v.image.frame, v.verdict]);
const expected = KINDS.map((kind, i) => [i + 1, kind === 'smooth' ? 'pass' : 'review']);

test('each frame has its own verdict, in the message, the ledger and on the command line', async (t) => {
  const { watch, bundle, drop, run, verdicts, verify, list, successful } = await place(t);
  drop('clip.dcm', (file) => writeFileSync(file, drawFrames(KINDS)));
  drop('still.dcm', (file) => writeFileSync(file, drawFrames(['smooth'])));
  await run();
  const still = verdicts().find(({ image }) => image.frame === undefined)!;
  const clip = verdicts().filter(({ image }) => image.ref !== still.image.ref);
  assert.equal(still.verdict, 'pass');
  assert.ok(!('frame' in still.image));
  assert.deepEqual(words(clip), expected);
  assert.equal(new Set(clip.map(({ image }) => image.ref)).size, 1);
  assert.equal(new Set(clip.map(({ id }) => id)).size, KINDS.length);
  assert.ok(clip.every(({ revision, supersedes }) => revision === 1 && supersedes === null));

  const proof = await verify();
  assert.match(proof, /2 files, each has one record, 1 of them one for each of their 5 frames\n/);
  assert.match(proof, /content: 2 files hold/);
  const rows = await list('--path', 'clip.dcm');
  assert.deepEqual(rows.map(({ frame }) => frame).sort(), [1, 2, 3, 4, 5]);
  assert.equal((await list('--path', 'still.dcm'))[0]?.frame, null);
  await run();
  assert.equal(verdicts().length, 6, 'nothing is judged twice');

  const scored = await successful(['score', bundle, path.join(watch, 'clip.dcm'), '--json']);
  const lines = scored
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map((line) => [line.frame, line.verdict]),
    expected,
  );
  assert.match(await successful(['score', bundle, path.join(watch, 'clip.dcm')]), /clip\.dcm frame 5 {2}/);
});

test('beyond limits.frames a file has one verdict that says so; with a higher limit its frames are judged on request', async (t) => {
  const { drop, run, verdicts, verify, again } = await place(t);
  drop('clip.dcm', (file) => writeFileSync(file, drawFrames(KINDS)));
  await run('--limits-frames', '4');
  const [refused, ...others] = verdicts();
  assert.deepEqual(others, []);
  assert.deepEqual([refused!.verdict, refused!.reason], ['unscorable', 'too-many-frames']);
  assert.equal(refused!.message, 'The file has 5 frames; limits.frames allows 4.');
  assert.ok(!('frame' in refused!.image));
  await verify();
  assert.match(await again('retry', '--reason', 'too-many-frames'), /^1 capture will be judged again/);
  await run();
  const judged = verdicts().slice(1);
  assert.deepEqual(words(judged), expected);
  assert.deepEqual(
    judged.map(({ revision, supersedes }) => [revision, supersedes]),
    [[2, refused!.id], ...Array.from({ length: 4 }, () => [1, null])],
  );
  await verify();
});

test('killed between frames, or amid one: the missing ones follow, none comes twice', {
  timeout: 300_000,
}, async (t) => {
  const { args, drop, run, verdicts, verify, list } = await place(t);
  const kinds = Array.from({ length: 4 * MOST_TOGETHER }, (_, i) => KINDS[i % KINDS.length]!);
  drop('clip.dcm', (file) => writeFileSync(file, drawFrames(kinds)));
  const recorded = async () => (await list()).length;
  await endsAt('inspected', 1, args);
  await endsAt('record:uncommitted', 1, args);
  await endsAt('record:committed', 1, args);
  const first = await recorded();
  assert.ok(first > 0 && first <= MOST_TOGETHER, `${first}`);
  await endsAt('inspected', 2, args);
  await endsAt('record:uncommitted', 1, args);
  assert.equal(await recorded(), first);
  await endsAt('record:committed', 2, args);
  const more = await recorded();
  assert.ok(more > first && more < kinds.length, `${more}`);
  await run();
  const frames = verdicts().map(({ image }) => image.frame!);
  assert.deepEqual(
    frames.sort((a, b) => a - b),
    kinds.map((_, i) => i + 1),
  );
  assert.equal(await recorded(), kinds.length);
  await verify();
});

test('a damaged frame is unscorable, and the others are judged', async (t) => {
  const { drop, run, verdicts, verify } = await place(t);
  const raw = { width: 32, height: 32, samples: 3, allocated: 8, stored: 8, signed: false };
  const fragments = await Promise.all(
    [smoothPixels, smoothPixels, noisyPixels].map((draw, seed) =>
      encodeFrame('encodeJpegLs', { ...raw, bytes: draw(32, seed) }),
    ),
  );
  fragments[1] = fragments[1]!.subarray(0, 60);
  const pixels = { table: new Uint8Array(), fragments };
  const drawing = { width: 32, height: 32, pixels, samples: 3, photometric: 'RGB', planar: 0, frames: 3 };
  drop('clip.dcm', (file) => writeFileSync(file, writeDicom({ ...drawing, syntax: SYNTAX.jpegLs })));
  await run();
  assert.deepEqual(
    verdicts().map(({ image, verdict, reason }) => [image.frame, verdict, reason]),
    [
      [1, 'pass', null],
      [2, 'unscorable', 'corrupt'],
      [3, 'review', 'above-threshold'],
    ],
  );
  await verify();
});

test('a file that is cut short has one verdict; when the rest has come, each frame has its own', async (t) => {
  const { drop, run, verdicts, verify, watch } = await place(t);
  const whole = drawFrames(KINDS);
  drop('cut.dcm', (file) => writeFileSync(file, whole.subarray(0, whole.length - 100)));
  await run();
  assert.deepEqual(
    verdicts().map(({ reason, image }) => [reason, image.frame]),
    [['truncated', undefined]],
  );
  appendFileSync(path.join(watch, 'cut.dcm'), whole.subarray(whole.length - 100));
  await run();
  assert.deepEqual(words(verdicts().slice(1)), expected);
  await verify();
});

test('replaced by a file of fewer frames with its size and time: these are judged, and nothing is missed of the others', async (t) => {
  const { drop, run, verdicts, verify } = await place(t);
  const content = drawFrames(KINDS);
  drop('clip.dcm', (file) => writeFileSync(file, content));
  await run();
  const numberOfFrames = Buffer.from('28000800', 'hex');
  content.write('4', content.indexOf(numberOfFrames) + 8, 'latin1'); // behind tag, type and length
  drop('clip.dcm', (file) => writeFileSync(file, content));
  await run();
  assert.deepEqual(words(verdicts().slice(5)), expected.slice(0, 4));
  assert.ok(
    verdicts()
      .slice(5)
      .every(({ revision }) => revision === 2),
  );
  await verify();
});

test('after a change of the bundle each frame is judged again on request', async (t) => {
  const { at, drop, run, verdicts, verify, again } = await place(t);
  drop('clip.dcm', (file) => writeFileSync(file, drawFrames(KINDS)));
  await run();
  mkdirSync(path.join(at, 'newer'));
  const change = { change: (content: object) => ({ ...content, name: 'newer' }) } as Parameters<
    typeof makeTestBundle
  >[1];
  const newer = (await makeTestBundle(path.join(at, 'newer'), change)).path;
  await run('--bundle', newer);
  assert.match(
    await again('rescore', '--bundle', newer, '--since', '1h'),
    /^5 captures will be judged again/,
  );
  await run('--bundle', newer);
  const anew = verdicts().slice(5);
  assert.deepEqual(words(anew), expected);
  assert.deepEqual(
    anew.map(({ supersedes }) => supersedes),
    verdicts()
      .slice(0, 5)
      .map(({ id }) => id),
  );
  await verify();
});

test('confirmed as fine, each frame is an image that the new bundle is calibrated on', async (t) => {
  const { at, bundle, watch, drop, run, successful } = await place(t);
  const kinds = Array.from({ length: 24 }, () => 'smooth' as const);
  drop('clip.dcm', (file) => writeFileSync(file, drawFrames(kinds)));
  await run();
  const confirmed = path.join(at, 'fine.txt');
  writeFileSync(confirmed, 'clip.dcm\n');
  const places = ['--watch', watch, '--state', path.join(at, 'state')];
  const given = ['--bundle', bundle, ...places, '--confirmed', confirmed, '--json'];
  const result: RecalibratedOnDevice = JSON.parse(await successful(['recalibrate', ...given]));
  assert.deepEqual([result.images, result.copies, result.warnings], [24, 0, []]);
  const { scores } = (await readBundle(result.bundle)).manifest.calibration;
  assert.equal(new Set(scores).size, 24, 'not one frame again and again');
});

test('a real one of ten frames, encoded', {
  skip: existsSync(REAL) ? false : `no DICOM files in ${path.dirname(REAL)}`,
}, async (t) => {
  const { drop, run, verdicts, verify } = await place(t);
  drop('mr.dcm', (file) => copyFileSync(REAL, file));
  await run();
  assert.deepEqual(
    verdicts().map(({ image }) => image.frame),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.equal(new Set(verdicts().map(({ score }) => score)).size, 10);
  await verify();
});
