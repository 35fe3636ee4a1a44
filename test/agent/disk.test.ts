import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { openDiskProbe, shortageOf } from '../../agent/disk.ts';
import { temporaryFolder } from './brokerFixture.ts';

test('a shortage is told with what is free and what is wanted', async (t) => {
  const disk = await openDiskProbe(temporaryFolder(t));
  assert.ok(disk.free > 0);
  assert.equal(await disk.shortage(0), null);
  assert.match(
    (await disk.shortage(2 ** 60)) ?? '',
    /has [\d.]+ MiB free, and limits\.disk wants 1099511627776\.0 MiB/,
  );
  assert.equal(shortageOf(5, 5), null);
  assert.match(shortageOf(2 ** 20, 3 * 2 ** 19) ?? '', /has 1\.0 MiB free.*wants 1\.5 MiB.*Make space/);
});

test('while the file system owes an answer, the time of the oldest question is known', async (t) => {
  const disk = await openDiskProbe(temporaryFolder(t));
  assert.equal(disk.asking, null);
  const answers = [disk.shortage(0), disk.shortage(0)];
  assert.ok(disk.asking! >= 0);
  await Promise.all(answers);
  assert.equal(disk.asking, null);
});

test('a state folder that is gone is a shortage in words, over when it is back', async (t) => {
  const folder = temporaryFolder(t);
  const disk = await openDiskProbe(folder);
  rmSync(folder, { recursive: true });
  assert.match((await disk.shortage(0)) ?? '', /cannot be asked for its space \(ENOENT\)/);
  mkdirSync(folder);
  assert.equal(await disk.shortage(0), null);
});
