import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { installedFolder } from '../../trainer/backend/find.ts';
import { type InstallOptions, installBackend } from '../../trainer/backend/install.ts';
import { PINS } from '../../trainer/backend/pins.ts';
import { checkPrerequisites } from '../../trainer/backend/prerequisites.ts';

const LINUX = { platform: 'linux', arch: 'x64' };

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-install-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder to be the whole PATH: the named programs, each a shell script with the given body. */
function programs(t: TestContext, scripts: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(t);
  for (const [name, body] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

function options(cache: string, path: string, changes: Partial<InstallOptions> = {}): InstallOptions {
  const environment = { PATH: path };
  return { backend: 'tfjs-node', cache, machine: LINUX, environment, progress: () => {}, ...changes };
}

test('another platform is refused before anything is fetched', async (t) => {
  const cache = temporaryFolder(t);
  const machine = { platform: 'darwin', arch: 'arm64' };
  await assert.rejects(installBackend(options(cache, '', { machine })), {
    name: 'BackendError',
    message: /Linux on x86-64; this is darwin on arm64.*--backend onnx/,
  });
});

test('everything missing is named at once, each with what to do', async (t) => {
  const cache = temporaryFolder(t);
  const path = programs(t, {
    npm: 'exit 0',
    python3: '[ "$1" = --version ] || { echo no pip >&2; exit 1; }',
  });
  await assert.rejects(installBackend(options(cache, path)), (error: Error) => {
    assert.equal(error.name, 'BackendError');
    assert.match(error.message, /`python3 -m pip --version` does not run\. Install pip/);
    assert.match(error.message, /no pip/);
    assert.match(error.message, /`g\+\+ --version` does not run\. Install a C\+\+ compiler/);
    assert.doesNotMatch(error.message, /`npm|`python3 --version/);
    return true;
  });
});

test('too little disk space is refused with both figures', async (t) => {
  const folder = temporaryFolder(t);
  const PATH = programs(t, { npm: 'exit 0', python3: 'exit 0', 'g++': 'exit 0' });
  const check = (pins: { disk: number; download: number }) =>
    checkPrerequisites({ machine: LINUX, folder, pins, environment: { PATH } });
  await check({ disk: 1, download: 1 });
  await assert.rejects(check({ disk: 10 ** 12, download: 1 }), {
    name: 'BackendError',
    message: /has \d+ MB free, but 1000000000001 MB are needed/,
  });
});

test('a download with another hash is refused, and nothing is left behind', async (t) => {
  const cache = temporaryFolder(t);
  // What a registry that had been tampered with would give: a file where `npm pack` puts it, with other bytes.
  const npm =
    'while [ $# -gt 1 ]; do [ "$1" = --pack-destination ] && to=$2; shift; done\n[ -n "$to" ] && echo other > "$to/x.tgz"; exit 0';
  const path = programs(t, { npm, python3: 'exit 0', 'g++': 'exit 0' });
  const seen: string[] = [];
  const progress = (step: number, steps: number, what: string) => seen.push(`${step}/${steps} ${what}`);
  await assert.rejects(installBackend(options(cache, path, { progress })), {
    name: 'BackendError',
    message:
      /another @tensorflow\/tfjs-node@4\.22\.0 than the pinned one: expected sha512-uHrX.*, got sha512-/,
  });
  assert.deepEqual(seen, ['1/6 @tensorflow/tfjs-node 4.22.0 from npm']);
  assert.deepEqual(readdirSync(join(cache, 'backends')), []);
});

test('an interrupted install leaves nothing that looks installed', async (t) => {
  const cache = temporaryFolder(t);
  const path = programs(t, {
    npm: '[ "$1" = --version ] || exec sleep 60',
    python3: 'exit 0',
    'g++': 'exit 0',
  });
  symlinkSync('/bin/sleep', join(path, 'sleep'));
  const abort = new AbortController();
  const progress = () => setImmediate(() => abort.abort());
  await assert.rejects(installBackend(options(cache, path, { progress, signal: abort.signal })), {
    name: 'AbortError',
  });
  assert.deepEqual(readdirSync(join(cache, 'backends')), []);
});

test('an installed backend that does not run is reported, not fetched again', async (t) => {
  const cache = temporaryFolder(t);
  const folder = join(installedFolder(cache, 'tfjs-node'), 'node_modules/@tensorflow/tfjs-node');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"version":"4.22.0"}');
  await assert.rejects(installBackend(options(cache, '')), {
    name: 'BackendError',
    message: /tfjs-node in .* does not run here: .*no compiled addon/s,
  });
});

test('every pin is complete, and the package itself comes first', () => {
  for (const [backend, { npm, wheels, tensorflow }] of Object.entries(PINS)) {
    assert.equal(npm[0]?.name, `@tensorflow/${backend}`);
    assert.equal(wheels[0]?.version, tensorflow);
    for (const { integrity } of npm) assert.equal(Buffer.from(integrity.slice(7), 'base64').length, 64);
    for (const { sha256 } of wheels) assert.match(sha256, /^[0-9a-f]{64}$/);
  }
});

const EXTRACT = fileURLToPath(new URL('../../trainer/backend/extract.py', import.meta.url));
const python = process.env.PATH?.split(delimiter).some((folder) => existsSync(join(folder, 'python3')));

test('extraction takes the named files of a wheel and never writes outside its folder', {
  skip: !python && 'no python3 here',
}, (t) => {
  const folder = temporaryFolder(t);
  const make = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/good.whl", "w") as z:
    for name in ("tensorflow/libtensorflow_cc.so.2", "tensorflow/include/tensorflow/c/c_api.h", "tensorflow/python/x.py", "tensorflow-2.dist-info/LICENSE"):
        z.writestr(name, name)
with zipfile.ZipFile(sys.argv[1] + "/bad.whl", "w") as z:
    z.writestr("nvidia/../../../lib/escaped.so", "x")`;
  execFileSync('python3', ['-c', make, folder]);
  const extract = (archive: string, take: string) =>
    execFileSync('python3', [EXTRACT], {
      input: JSON.stringify([{ archive: join(folder, archive), take, to: join(folder, 'a/b/to') }]),
      stdio: 'pipe',
    });
  extract('good.whl', 'tensorflow');
  assert.deepEqual(readdirSync(join(folder, 'a/b/to'), { recursive: true }).sort(), [
    'include',
    'include/tensorflow',
    'include/tensorflow/c',
    'include/tensorflow/c/c_api.h',
    'lib',
    'lib/libtensorflow_cc.so.2',
    'licenses',
    'licenses/tensorflow-LICENSE',
  ]);
  assert.throws(() => extract('bad.whl', 'nvidia'), /leaves the folder/);
  assert.ok(!existsSync(join(folder, 'a/lib/escaped.so')));
});
