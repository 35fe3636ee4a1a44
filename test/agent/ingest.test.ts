import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, futimesSync, openSync, writeSync } from 'node:fs';
import {
  appendFile,
  chmod,
  copyFile,
  link,
  mkdir,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { ignoreMatcher } from '../../agent/ingest/ignore.ts';
import { captureAt } from '../../agent/ingest/look.ts';
import { encode, noisyPixels, smoothPixels } from '../support/images.ts';
import { collect, makeFolder } from './ingestCollector.ts';

const jpeg = await encode(noisyPixels(64, 1), 64);
const other = await encode(smoothPixels(64, 2), 64);

test('patterns match parts of a name, in either case', () => {
  const ignored = ignoreMatcher(['.*', '*~', '*.tmp', 'Thumbs.db', 'a?c', '[x]']);
  for (const name of ['.x', 'a/.hidden/b.jpg', 'b.jpg~', 'X.TMP', 'd/thumbs.DB', 'abc/d.jpg', '[x]'])
    assert.ok(ignored(name), name);
  for (const name of ['', 'x.jpg', 'a.tmp.jpg', 'ac', 'abbc', 'thumbs_db', 'x', 'a\nb'])
    assert.ok(!ignored(name), name);
  assert.ok(ignoreMatcher(['*'])('a\nb'));
  assert.ok(!ignoreMatcher([])('anything'));
});

test('what is there at the start is handed over once, also from subfolders, and not again after a restart', async (t) => {
  const folder = await makeFolder(t);
  await mkdir(path.join(folder, 'a/b'), { recursive: true });
  await mkdir(path.join(folder, '.hidden'));
  for (const name of [
    '1.jpg',
    'a/2.jpg',
    'a/b/3',
    '.hidden/4.jpg',
    'a/5.tmp',
    'ä ö.jpg',
    `${'n'.repeat(251)}.jpg`,
  ])
    await writeFile(path.join(folder, name), jpeg);
  const first = await collect(t, folder);
  await first.swept;
  await first.idle();
  const expected = ['1.jpg', 'a/2.jpg', 'a/b/3', `${'n'.repeat(251)}.jpg`, 'ä ö.jpg'];
  assert.deepEqual(first.names(), expected);
  const { mtimeNs, ctimeNs, ino } = await stat(path.join(folder, '1.jpg'), { bigint: true });
  assert.deepEqual(
    first.captures.find(({ name }) => name === '1.jpg'),
    {
      name: '1.jpg',
      size: jpeg.length,
      modifiedNanoseconds: mtimeNs,
      kind: 'file',
      stamp: `${ino}/${ctimeNs}`,
    },
  );
  await first.sweepNow();
  await first.idle();
  assert.equal(first.captures.length, expected.length);
  await first.close();

  await writeFile(path.join(folder, 'a/new.jpg'), jpeg);
  const second = await collect(t, folder, { records: first.records });
  await second.swept;
  await second.idle();
  assert.deepEqual(second.names(), ['a/new.jpg']);
});

test('a picture written slowly by another process is handed over once, as soon as its last byte is there', async (t) => {
  const folder = await makeFolder(t);
  const source = path.join(await makeFolder(t), 'source.jpg');
  await writeFile(source, jpeg);
  const ingest = await collect(t, folder);
  await ingest.swept;
  const script = `
    const { openSync, readFileSync, writeSync } = require('node:fs');
    const [source, target] = process.argv.slice(1);
    const bytes = readFileSync(source);
    const file = openSync(target, 'w');
    let at = 0;
    const step = () => {
      at += writeSync(file, bytes, at, Math.min(200, bytes.length - at));
      if (at < bytes.length) setTimeout(step, 3);
    };
    step();`;
  const writer = spawn(process.execPath, ['-e', script, source, path.join(folder, 'slow.jpg')]);
  await ingest.until(({ captures }) => captures.length > 0);
  if (writer.exitCode === null) await once(writer, 'exit');
  await ingest.sweepNow();
  await ingest.idle();
  assert.deepEqual(
    ingest.captures.map(({ name, size }) => [name, size]),
    [['slow.jpg', jpeg.length]],
  );
});

test('written under another name, linked, copied over: each version once', async (t) => {
  const folder = await makeFolder(t);
  const outside = await makeFolder(t);
  const ingest = await collect(t, folder);
  await ingest.swept;
  const at = (name: string) => path.join(folder, name);
  await writeFile(at('x.tmp'), jpeg);
  await rename(at('x.tmp'), at('renamed.jpg'));
  await ingest.until(({ captures }) => captures.length === 1);
  await link(at('renamed.jpg'), at('linked.jpg'));
  await ingest.until(({ captures }) => captures.length === 2);
  await writeFile(path.join(outside, 'o.jpg'), other);
  await copyFile(path.join(outside, 'o.jpg'), at('renamed.jpg'));
  // Both names are one file: both have a new version.
  await ingest.sweepNow();
  await ingest.idle();
  assert.deepEqual(
    ingest.captures.map(({ name, size }) => [name, size]).sort(),
    [
      ['linked.jpg', jpeg.length],
      ['linked.jpg', other.length],
      ['renamed.jpg', jpeg.length],
      ['renamed.jpg', other.length],
    ].sort(),
  );
});

test('a modification time set right after the last byte makes no second version', async (t) => {
  const folder = await makeFolder(t);
  let file = 0;
  const set = () => {
    futimesSync(file, 946_684_800, 946_684_800);
    closeSync(file);
  };
  let looks = 0;
  const ingest = await collect(t, folder, {
    onLook: () => {
      if (++looks === 1) setTimeout(set, 3);
    },
  });
  await ingest.swept;
  file = openSync(path.join(folder, 'kept.jpg'), 'w');
  writeSync(file, jpeg);
  await ingest.until(({ captures }) => captures.length > 0);
  await ingest.sweepNow();
  await ingest.idle();
  assert.deepEqual(
    ingest.captures.map(({ modifiedNanoseconds }) => modifiedNanoseconds),
    [946_684_800_000_000_000n],
  );
});

test('modification times far in the future or the past do not matter; a changed one is a new version', async (t) => {
  const folder = await makeFolder(t);
  for (const [name, year] of [
    ['past.jpg', 1971],
    ['future.jpg', 2100],
  ] as const) {
    await writeFile(path.join(folder, name), jpeg);
    await writeFile(path.join(folder, `text ${name}`), 'no image');
    const date = new Date(Date.UTC(year, 0));
    for (const file of [name, `text ${name}`]) await utimes(path.join(folder, file), date, date);
  }
  const ingest = await collect(t, folder, { settleMilliseconds: 30 });
  await ingest.swept;
  await ingest.idle();
  assert.deepEqual(ingest.names(), ['future.jpg', 'past.jpg', 'text future.jpg', 'text past.jpg']);
  await utimes(path.join(folder, 'past.jpg'), 1, 1);
  await ingest.until(({ captures }) => captures.length === 5);
  assert.equal(ingest.captures[4]!.modifiedNanoseconds, 1_000_000_000n);
});

test('a time later than the ledger can hold becomes the last that it can', async (t) => {
  const folder = await makeFolder(t);
  const file = path.join(folder, 'late.jpg');
  await writeFile(file, 'x');
  await utimes(file, 9_300_000_000, 9_300_000_000);
  const late = await captureAt(folder, 'late.jpg');
  assert.ok(late !== null && late.modifiedNanoseconds === 2n ** 63n - 1n, `${late?.modifiedNanoseconds}`);
});

test('a look that fails for no reason of the file is tried again, and the folder is not blamed', async (t) => {
  const folder = await makeFolder(t);
  await writeFile(path.join(folder, 'a.jpg'), jpeg);
  let failures = 3;
  const ingest = await collect(t, folder, {
    onLook: () => {
      if (failures-- > 0) throw new Error('the ledger cannot be asked');
    },
  });
  await ingest.until(({ captures }) => captures.length === 1);
  assert.deepEqual(ingest.conditions, []);
});

test('what happens to the folder itself is no capture, and a file of its name is found', async (t) => {
  const folder = await makeFolder(t);
  const ingest = await collect(t, folder);
  await ingest.idle();
  await chmod(folder, 0o750);
  await chmod(folder, 0o700);
  await mkdir(path.join(folder, 'd'));
  await ingest.idle();
  await writeFile(path.join(folder, 'd', 'd'), jpeg);
  await writeFile(path.join(folder, 'd', 'e.jpg'), other);
  await ingest.until(({ captures }) => captures.length === 2);
  assert.deepEqual(ingest.names().toSorted(), ['d/d', 'd/e.jpg']);
});

test('what its format does not call complete waits for quiet time, and each change begins it anew', async (t) => {
  const folder = await makeFolder(t);
  const ingest = await collect(t, folder);
  await ingest.swept;
  await writeFile(path.join(folder, 'half.jpg'), jpeg.subarray(0, 500));
  await writeFile(path.join(folder, 'empty.jpg'), '');
  await writeFile(path.join(folder, 'whole.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length === 1);
  await ingest.sweepNow();
  assert.deepEqual(ingest.names(), ['whole.jpg']);
  assert.equal(ingest.unsettled, 2);
  await ingest.close();

  const appended: number[] = [];
  let waited = Number.POSITIVE_INFINITY;
  const quick = await collect(t, folder, {
    settleMilliseconds: 60,
    records: ingest.records,
    onCapture: ({ name, size }) => {
      if (name === 'grows') waited = Math.min(waited, performance.now() - appended[size / 3 - 1]!);
    },
  });
  for (let i = 0; i < 20; i++) {
    appended.push(performance.now());
    await appendFile(path.join(folder, 'grows'), 'abc');
    await quick.sweepNow();
    await delay(10);
  }
  await quick.until(({ captures }) => captures.some(({ name, size }) => name === 'grows' && size === 60));
  await quick.idle();
  assert.ok(waited >= 60, `handed over ${waited} ms after it grew`);
  assert.deepEqual(
    quick.captures
      .filter(({ name }) => name !== 'grows')
      .map(({ name, size }) => [name, size])
      .sort(),
    [
      ['empty.jpg', 0],
      ['half.jpg', 500],
    ],
  );
});

test('a file that vanishes before it is complete is forgotten', async (t) => {
  const folder = await makeFolder(t);
  const ingest = await collect(t, folder);
  await ingest.swept;
  await writeFile(path.join(folder, 'brief.jpg'), jpeg.subarray(0, 500));
  await ingest.sweepNow();
  assert.equal(ingest.unsettled, 1);
  await rm(path.join(folder, 'brief.jpg'));
  await ingest.idle();
  assert.deepEqual(ingest.captures, []);
});

test('a file is considered again on request, without any event', async (t) => {
  const folder = await makeFolder(t);
  await writeFile(path.join(folder, 'a.jpg'), jpeg);
  const ingest = await collect(t, folder);
  await ingest.swept;
  await ingest.idle();
  assert.equal(ingest.captures.length, 1);
  ingest.records.clear();
  ingest.reconsider('a.jpg');
  await ingest.until(({ captures }) => captures.length === 2);
  assert.deepEqual(ingest.captures[1], ingest.captures[0]);
  assert.deepEqual(await captureAt(folder, 'a.jpg'), ingest.captures[0]);
  assert.equal(await captureAt(folder, 'none.jpg'), null);
});

test('two thousand files at the start, more while they are read: each exactly once', async (t) => {
  const folder = await makeFolder(t);
  const before = Array.from({ length: 2000 }, (_, i) => `${i % 7}/${i}.jpg`);
  for (let i = 0; i < 7; i++) await mkdir(path.join(folder, `${i}`));
  await Promise.all(before.map((name) => writeFile(path.join(folder, name), jpeg)));
  const ingest = await collect(t, folder);
  const during = Array.from({ length: 50 }, (_, i) => `during ${i}.jpg`);
  await Promise.all(during.map((name) => writeFile(path.join(folder, name), jpeg)));
  await ingest.swept;
  await ingest.until(({ captures }) => captures.length >= before.length + during.length);
  await ingest.sweepNow();
  await ingest.idle();
  assert.deepEqual(ingest.names(), [...before, ...during].sort());
});

test('file names stand in no other field of the log than path', async (t) => {
  const folder = await makeFolder(t);
  let lines = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines += chunk;
      done();
    },
  });
  const log = pino({ level: 'trace', redact: { paths: ['path'], remove: true } }, sink);
  const ingest = await collect(t, folder, { log, settleMilliseconds: 20 });
  await ingest.swept;
  await mkdir(path.join(folder, 'Doe'));
  await writeFile(path.join(folder, 'Doe/John.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length === 1);
  assert.match(lines, /capture complete/);
  assert.doesNotMatch(lines, /Doe|John/);
});
