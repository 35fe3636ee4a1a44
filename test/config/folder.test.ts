import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { makeFolder, removeEmpty } from '../../config/folder.ts';

const place = mkdtempSync(path.join(tmpdir(), 'plumbline-folder-'));
const mode = (folder: string) => statSync(folder).mode & 0o777;

test('a folder is made with what is missing above it, twice and at the same time without harm', async () => {
  const folder = path.join(place, 'a', 'b', 'c');
  await Promise.all([makeFolder(folder, 0o700), makeFolder(folder, 0o700), makeFolder(`${folder}/`, 0o700)]);
  await makeFolder(folder);
  assert.deepEqual([mode(folder), mode(path.dirname(folder))], [0o700, 0o700]);
});

test('what was made is told, and taken back as far as it is empty', async () => {
  const [outer, inner] = [path.join(place, 'outer'), path.join(place, 'outer', 'inner')];
  const made = await makeFolder(path.join(inner, 'last'));
  assert.deepEqual(made, [outer, inner, path.join(inner, 'last')]);
  assert.deepEqual(await makeFolder(inner), []);
  writeFileSync(path.join(outer, 'file'), '');
  await removeEmpty(made);
  assert.ok(!existsSync(inner) && existsSync(outer));
  await removeEmpty(made);
});

test('a link to a folder is that folder; a file or a dangling link in the way is an error', async () => {
  mkdirSync(path.join(place, 'real'));
  symlinkSync('real', path.join(place, 'link'));
  symlinkSync('nowhere', path.join(place, 'dangling'));
  writeFileSync(path.join(place, 'file'), '');
  await makeFolder(path.join(place, 'link', 'inner'));
  assert.ok(statSync(path.join(place, 'real', 'inner')).isDirectory());
  await assert.rejects(makeFolder(path.join(place, 'file')), { code: 'EEXIST' });
  await assert.rejects(makeFolder(path.join(place, 'file', 'a', 'b')), { code: 'ENOTDIR' });
  await assert.rejects(makeFolder(path.join(place, 'dangling')), { code: 'EEXIST' });
});

test('a file system that refuses is believed at once', { timeout: 10_000 }, async (t) => {
  if (process.platform !== 'linux') return t.skip('needs /proc');
  await assert.rejects(makeFolder('/proc/plumbline'), { code: 'ENOENT' });
  await assert.rejects(makeFolder('/proc/plumbline/deeper/still'), { code: 'ENOENT' });
});
