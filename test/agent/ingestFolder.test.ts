import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { captureAt } from '../../agent/ingest/look.ts';
import { encode, smoothPixels } from '../support/images.ts';
import { collect, makeFolder } from './ingestCollector.ts';

const jpeg = await encode(smoothPixels(32, 1), 32);
const node = (script: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, ['-e', script, ...args]);

test('folders that appear with files already inside, made by another process', async (t) => {
  const folder = await makeFolder(t);
  const outside = await makeFolder(t);
  await mkdir(path.join(outside, 'moved/deep'), { recursive: true });
  await writeFile(path.join(outside, 'moved/deep/m.jpg'), jpeg);
  await writeFile(path.join(outside, 'source.jpg'), jpeg);
  const ingest = await collect(t, folder);
  await ingest.swept;
  const script = `
    const { copyFileSync, mkdirSync } = require('node:fs');
    const [source, folder] = process.argv.slice(1);
    for (let i = 0; i < 20; i++) {
      mkdirSync(folder + '/study' + i + '/series', { recursive: true });
      for (let k = 0; k < 5; k++) copyFileSync(source, folder + '/study' + i + '/series/' + k + '.jpg');
      copyFileSync(source, folder + '/study' + i + '/z.jpg');
    }`;
  await node(script, path.join(outside, 'source.jpg'), folder);
  await rename(path.join(outside, 'moved'), path.join(folder, 'moved'));
  await ingest.until(({ captures }) => captures.length >= 121);
  await writeFile(path.join(folder, 'study3/series/late.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length >= 122);
  assert.equal(new Set(ingest.names()).size, 122);
});

test('a folder with the name of an image is one capture, whatever happens inside', async (t) => {
  const folder = await makeFolder(t);
  await mkdir(path.join(folder, 'x.jpg'));
  await mkdir(path.join(folder, 'plain'));
  await writeFile(path.join(folder, 'x.jpg/inside.jpg'), jpeg);
  const ingest = await collect(t, folder);
  await ingest.swept;
  await mkdir(path.join(folder, 'y.PNG'));
  await writeFile(path.join(folder, 'x.jpg/later.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length === 4);
  await ingest.sweepNow();
  await ingest.idle();
  assert.deepEqual(ingest.names(), ['x.jpg', 'x.jpg/inside.jpg', 'x.jpg/later.jpg', 'y.PNG']);
  const expected = { name: 'x.jpg', size: 0, modifiedNanoseconds: 0n, kind: 'not-a-file' };
  assert.deepEqual(
    ingest.captures.find(({ name }) => name === 'x.jpg'),
    expected,
  );
  assert.deepEqual(await captureAt(folder, 'x.jpg'), expected);
});

test('sockets and named pipes are not opened, and count only under the name of an image', async (t) => {
  const folder = await makeFolder(t);
  for (const name of ['pipe', 'pipe.png']) execFileSync('mkfifo', [path.join(folder, name)]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path.join(folder, 'socket.jpg'), resolve));
  t.after(() => server.close());
  const ingest = await collect(t, folder);
  await ingest.swept;
  await ingest.idle();
  assert.deepEqual(ingest.captures.map(({ name, kind }) => [name, kind]).sort(), [
    ['pipe.png', 'not-a-file'],
    ['socket.jpg', 'not-a-file'],
  ]);
});

test('links: to a file followed, to a folder not, to nothing a capture until it leads somewhere', async (t) => {
  const folder = await makeFolder(t);
  const outside = await makeFolder(t);
  await writeFile(path.join(outside, 'real.jpg'), jpeg);
  await symlink(path.join(outside, 'real.jpg'), path.join(folder, 'to-file.jpg'));
  await symlink(outside, path.join(folder, 'to-folder'));
  await symlink(path.join(outside, 'none'), path.join(folder, 'to-nothing'));
  await symlink('round', path.join(folder, 'round'));
  const ingest = await collect(t, folder, { settleMilliseconds: 30 });
  await ingest.swept;
  await ingest.idle();
  const kinds = () => ingest.captures.map(({ name, kind, size }) => [name, kind, size]).sort();
  assert.deepEqual(kinds(), [
    ['round', 'dangling-link', 0],
    ['to-file.jpg', 'file', jpeg.length],
    ['to-nothing', 'dangling-link', 0],
  ]);
  await writeFile(path.join(outside, 'none'), jpeg);
  await ingest.sweepNow(); // what a link leads to gives no event
  await ingest.idle();
  assert.deepEqual(kinds().at(-1), ['to-nothing', 'file', jpeg.length]);
  assert.equal(ingest.captures.length, 4);
});

test('the watched folder may itself be a link', async (t) => {
  const folder = await makeFolder(t);
  const link = path.join(await makeFolder(t), 'link');
  await symlink(folder, link);
  const ingest = await collect(t, link);
  await ingest.swept;
  await writeFile(path.join(folder, 'a.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length === 1);
});

test('a folder below limits.depth is one capture, found or told by an event, and what is in it none', async (t) => {
  const folder = await makeFolder(t);
  await mkdir(path.join(folder, 'a/b/c'), { recursive: true });
  for (const name of ['a/x.jpg', 'a/b/x.jpg', 'a/b/c/x.jpg']) await writeFile(path.join(folder, name), jpeg);
  const ingest = await collect(t, folder, { depth: 2 });
  await ingest.swept;
  await ingest.idle();
  const found = () => ingest.captures.map(({ name, kind }) => `${name} ${kind}`).sort();
  const before = ['a/b/c too-deep', 'a/b/x.jpg file', 'a/x.jpg file'];
  assert.deepEqual(found(), before);
  await mkdir(path.join(folder, 'a/b/d'));
  await ingest.until(({ captures }) => captures.length === 4);
  await writeFile(path.join(folder, 'a/b/d/x.jpg'), jpeg);
  await ingest.sweepNow();
  await ingest.idle();
  assert.deepEqual(found(), ['a/b/c too-deep', 'a/b/d too-deep', 'a/b/x.jpg file', 'a/x.jpg file']);
});

test('a folder whose path is longer than the system reads is one capture, and the others are watched as before', async (t) => {
  const folder = await makeFolder(t);
  const long = 'n'.repeat(250);
  const script = `
    process.chdir(process.argv[1]);
    for (let i = 0; i < 18; i++) {
      require('node:fs').mkdirSync(process.argv[2]);
      process.chdir(process.argv[2]);
    }
    require('node:fs').writeFileSync('deep.jpg', '');`;
  await node(script, folder, long);
  try {
    const ingest = await collect(t, folder);
    await ingest.swept;
    await ingest.idle();
    assert.deepEqual(
      ingest.captures.map(({ name, kind }) => [name.length > 3000, kind]),
      [[true, 'too-deep']],
    );
    await writeFile(path.join(folder, 'a.jpg'), jpeg);
    await ingest.until(({ captures }) => captures.length === 2);
    assert.deepEqual(ingest.conditions, []);
  } finally {
    execFileSync('rm', ['-rf', path.join(folder, long)]); // node:fs takes no path as long as this
  }
});

test('polling reads the folder again and again, and listens to nothing', async (t) => {
  const folder = await makeFolder(t);
  await mkdir(path.join(folder, 'sub'));
  const deaf = await collect(t, folder, { pollingMilliseconds: 3_600_000 });
  await deaf.swept;
  await writeFile(path.join(folder, 'sub/a.jpg'), jpeg);
  const polling = await collect(t, folder, { pollingMilliseconds: 30 });
  await polling.until(({ captures }) => captures.length === 1);
  await writeFile(path.join(folder, 'sub/b.jpg'), jpeg);
  await polling.until(({ captures }) => captures.length === 2);
  assert.deepEqual([deaf.captures, deaf.conditions, polling.conditions], [[], [], []]);
});

test('a file system that is unmounted is said to be, and found again when it is back', async (t) => {
  const folder = await makeFolder(t);
  const limited = ['-rm', 'sh', '-c'];
  if (spawnSync('unshare', [...limited, 'mount -t tmpfs none /mnt']).status !== 0)
    return t.skip('needs unshare with user and mount namespaces');
  const script = path.join(import.meta.dirname, 'ingestMounts.ts');
  const { stdout } = await promisify(execFile)('unshare', [
    ...limited,
    'exec "$0" "$1" "$2"',
    process.execPath,
    script,
    folder,
  ]);
  const { names, conditions } = JSON.parse(stdout);
  assert.deepEqual(names, ['a.jpg', 'b.jpg', 'beneath.jpg', 'c.jpg']);
  assert.match(conditions[0], /^watch-missing: The file system .* is not mounted any more/);
  assert.equal(conditions[1], 'watch-missing: null');
});

test('a file without permission is unreadable, and a capture again once it may be read', async (t) => {
  const folder = await makeFolder(t);
  await chmod(folder, 0o755);
  await writeFile(path.join(folder, 'secret.jpg'), jpeg);
  await mkdir(path.join(folder, 'closed'));
  await chmod(path.join(folder, 'secret.jpg'), 0);
  await chmod(path.join(folder, 'closed'), 0);
  asNobody(t);
  const ingest = await collect(t, folder, { settleMilliseconds: 30 });
  await ingest.swept;
  await ingest.idle();
  assert.deepEqual(
    ingest.captures.map(({ kind, size }) => [kind, size]),
    [['unreadable', jpeg.length]],
  );
  assert.match(ingest.conditions.join(), /^watch-degraded: .*(permission|EACCES)/);
  await ingest.sweepNow();
  await ingest.idle();
  assert.equal(ingest.captures.length, 1);

  asRoot();
  await chmod(path.join(folder, 'secret.jpg'), 0o644);
  await chmod(path.join(folder, 'closed'), 0o755);
  await ingest.sweepNow();
  await ingest.idle();
  assert.deepEqual(
    ingest.captures.map(({ kind }) => kind),
    ['unreadable', 'file'],
  );
  assert.equal(ingest.conditions.at(-1), 'watch-degraded: null');
});

test('a folder that is not there, comes, goes and comes back', async (t) => {
  const parent = await makeFolder(t);
  const folder = path.join(parent, 'captures');
  const ingest = await collect(t, folder);
  await ingest.swept;
  assert.deepEqual(ingest.conditions, [
    'watch-missing: The watched folder is not there (ENOENT). Create or mount it; what it holds is then found by itself.',
  ]);
  await mkdir(folder);
  await writeFile(path.join(folder, 'a.jpg'), jpeg);
  await ingest.until(({ conditions, captures }) => conditions.length === 2 && captures.length === 1);
  await writeFile(path.join(folder, 'b.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length === 2);

  await rename(folder, path.join(parent, 'unmounted'));
  await ingest.until(({ conditions }) => conditions.length === 3);
  await rename(path.join(parent, 'unmounted'), folder);
  await ingest.until(({ conditions }) => conditions.length === 4);
  await writeFile(path.join(folder, 'c.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length === 3);

  await rm(folder, { recursive: true });
  await mkdir(folder);
  await writeFile(path.join(folder, 'd.jpg'), jpeg);
  await ingest.until(({ captures }) => captures.length === 4);
  assert.deepEqual(ingest.names(), ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']);
});

for (const name of ['', 'sub'])
  test(`a ${name}folder that is deleted and made anew at once is still listened to`, async (t) => {
    const parent = await makeFolder(t);
    const folder = path.join(parent, 'captures');
    const inner = path.join(folder, name);
    mkdirSync(inner, { recursive: true });
    const ingest = await collect(t, folder);
    await ingest.swept;
    writeFileSync(path.join(inner, 'a.jpg'), jpeg);
    await ingest.until(({ captures }) => captures.length === 1);
    rmSync(inner, { recursive: true });
    mkdirSync(inner);
    writeFileSync(path.join(inner, 'b.jpg'), jpeg);
    await ingest.until(({ captures }) => captures.length === 2);
  });

test('without inotify watches the sweep does it all, and says so', async (t) => {
  const folder = await makeFolder(t);
  const limited = ['--user', '--map-root-user', 'sh', '-c'];
  const allowed = spawnSync('unshare', [...limited, 'echo 3 > /proc/sys/user/max_inotify_watches']);
  if (allowed.status !== 0) return t.skip('needs unshare and a system that permits user namespaces');
  const script = path.join(import.meta.dirname, 'ingestFewWatches.ts');
  const { stdout } = await promisify(execFile)('unshare', [
    ...limited,
    `echo 3 > /proc/sys/user/max_inotify_watches && exec "$0" "$1" "$2"`,
    process.execPath,
    script,
    folder,
  ]);
  const { names, conditions } = JSON.parse(stdout);
  assert.deepEqual(
    names,
    Array.from({ length: 8 }, (_, i) => `${i}/a.jpg`),
  );
  assert.match(conditions[0], /^watch-degraded: .*ENOSPC.*every 0.2 s.*max_user_watches/);
});

/** Root may read everything: becomes an ordinary user until the end of the test. */
function asNobody(t: TestContext): void {
  if (process.getuid?.() !== 0) return;
  process.seteuid?.(65534);
  t.after(asRoot);
}

function asRoot(): void {
  if (process.getuid?.() === 0) process.seteuid?.(0);
}
