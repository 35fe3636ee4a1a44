import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  cacheFolder,
  type FoundPackage,
  findPackage,
  installedFolder,
  type MissingPackage,
} from '../../trainer/backend/find.ts';
import { formatBackends, listBackends } from '../../trainer/backend/list.ts';
import { type TensorFlowBackend, TFJS_VERSION } from '../../trainer/backend/pins.ts';
import {
  candidates,
  describeBackend,
  type Inventory,
  parseBackend,
  selectBackend,
} from '../../trainer/backend/select.ts';

const found = (backend: TensorFlowBackend): FoundPackage => ({
  backend,
  folder: `/somewhere/${backend}`,
  addon: `/somewhere/${backend}/lib/napi-v8/tfjs_binding.node`,
  where: 'cache',
});
const missing = (backend: TensorFlowBackend): MissingPackage => ({ backend, missing: 'is not installed' });
const inventory = (here: readonly TensorFlowBackend[], gpu = false): Inventory => ({
  packages: {
    'tfjs-node': here.includes('tfjs-node') ? found('tfjs-node') : missing('tfjs-node'),
    'tfjs-node-gpu': here.includes('tfjs-node-gpu') ? found('tfjs-node-gpu') : missing('tfjs-node-gpu'),
  },
  gpu,
});

/** An empty cache folder, or one with a package folder in it that has only a package.json. */
function temporaryCache(t: { after(fn: () => void): void }): string {
  const cache = mkdtempSync(join(tmpdir(), 'plumbline-backend-'));
  t.after(() => rmSync(cache, { recursive: true }));
  return cache;
}

function putPackage(cache: string, version: string): string {
  const folder = join(installedFolder(cache, 'tfjs-node'), 'node_modules/@tensorflow/tfjs-node');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: '@tensorflow/tfjs-node', version }));
  return folder;
}

test('auto takes the GPU where there is one, else onnx, and says why', () => {
  const tried = (i: Inventory) => candidates('auto', i).map(({ got }) => got);
  assert.deepEqual(tried(inventory([])), ['onnx']);
  assert.deepEqual(tried(inventory(['tfjs-node', 'tfjs-node-gpu'])), ['onnx']);
  assert.deepEqual(tried(inventory(['tfjs-node'], true)), ['onnx']);
  assert.deepEqual(tried(inventory(['tfjs-node-gpu'], true)), ['tfjs-node-gpu', 'onnx']);
  assert.match(candidates('auto', inventory(['tfjs-node-gpu']))[0]!.why, /no NVIDIA device is here/);
  const withoutPackage = candidates('auto', inventory([], true))[0]!.why;
  assert.match(withoutPackage, /tfjs-node-gpu is not installed \(`trainer backend install tfjs-node-gpu`\)/);
});

test('a backend wanted by name is taken or refused with the command that installs it, never replaced', () => {
  assert.deepEqual(
    candidates('onnx', inventory(['tfjs-node'])).map(({ got }) => got),
    ['onnx'],
  );
  assert.deepEqual(
    candidates('tfjs-node', inventory(['tfjs-node', 'tfjs-node-gpu'], true)).map(({ got }) => got),
    ['tfjs-node'],
  );
  assert.throws(() => candidates('tfjs-node', inventory(['tfjs-node-gpu'])), {
    name: 'BackendError',
    message: /^tfjs-node is not installed\..*`trainer backend install tfjs-node`/,
  });
});

test('the line that a run prints names what was wanted, what was got and why', async (t) => {
  const selected = await selectBackend({ wanted: 'onnx', cache: temporaryCache(t), threads: 1 });
  assert.match(
    describeBackend(selected),
    /^backend: wanted onnx, got onnx \(onnxruntime [\d.]+ on the CPU\), because it was asked for$/,
  );
  assert.equal(selected.tf.getBackend(), 'onnx');
  const sum = selected.tf.add(selected.tf.tensor1d([1, 2]), selected.tf.tensor1d([3, 4]));
  assert.deepEqual([...(await sum.data())], [4, 6]);
});

test('a broken package is an error when wanted by name, and a stated reason under auto', async (t) => {
  const cache = temporaryCache(t);
  const folder = putPackage(cache, TFJS_VERSION);
  mkdirSync(join(folder, 'lib/napi-v8'), { recursive: true });
  writeFileSync(join(folder, 'lib/napi-v8/tfjs_binding.node'), 'not a library');
  await assert.rejects(selectBackend({ wanted: 'tfjs-node', cache }), {
    name: 'BackendError',
    message: /tfjs-node in .* cannot be loaded: .*Remove that folder and install it again/s,
  });
  const broken = findPackage('tfjs-node', cache) as FoundPackage;
  const gpu = { ...broken, backend: 'tfjs-node-gpu' } as const;
  const here = inventory([], true);
  const packages = { ...here.packages, 'tfjs-node-gpu': gpu };
  const selected = await selectBackend({ wanted: 'auto', cache, threads: 1 }, { ...here, packages });
  assert.equal(selected.got, 'onnx');
  assert.match(selected.why, /tfjs-node-gpu did not start \(.* cannot be loaded/);
});

test('a package of another version or without its addon is not taken', (t) => {
  const cache = temporaryCache(t);
  putPackage(cache, '4.21.0');
  const other = findPackage('tfjs-node', cache);
  assert.match('missing' in other ? other.missing : '', /is version 4\.21\.0, but 4\.22\.0 is needed/);
  const folder = putPackage(cache, TFJS_VERSION);
  const bare = findPackage('tfjs-node', cache);
  assert.match('missing' in bare ? bare.missing : '', /has no compiled addon/);
  for (const version of ['napi-v3', 'napi-v8', 'napi-v10']) {
    mkdirSync(join(folder, 'lib', version), { recursive: true });
    if (version !== 'napi-v10') writeFileSync(join(folder, 'lib', version, 'tfjs_binding.node'), '');
  }
  const complete = findPackage('tfjs-node', cache);
  assert.equal('addon' in complete && complete.addon, join(folder, 'lib/napi-v8/tfjs_binding.node'));
});

test('the cache folder follows the XDG base directory specification', () => {
  assert.equal(cacheFolder({}, '/home/ann'), '/home/ann/.cache/plumbline');
  assert.equal(cacheFolder({ XDG_CACHE_HOME: '/var/cache/ann' }, '/home/ann'), '/var/cache/ann/plumbline');
  assert.equal(cacheFolder({ XDG_CACHE_HOME: 'relative' }, '/home/ann'), '/home/ann/.cache/plumbline');
});

test('a mistyped backend is refused with the nearest name', () => {
  assert.equal(parseBackend('auto'), 'auto');
  assert.throws(() => parseBackend('tfjs-nod'), {
    name: 'BackendError',
    message: /Did you mean tfjs-node\?/,
  });
});

test('the list tells what is here, what is missing, and survives a package that does not run', async (t) => {
  const cache = temporaryCache(t);
  const folder = putPackage(cache, TFJS_VERSION);
  mkdirSync(join(folder, 'lib/napi-v8'), { recursive: true });
  writeFileSync(join(folder, 'lib/napi-v8/tfjs_binding.node'), 'not a library');
  const list = await listBackends({ cache, environment: process.env, seconds: 0 });
  const [gpu, onnx, cpu] = list;
  assert.deepEqual([gpu?.backend, gpu?.present, gpu?.problem], ['tfjs-node-gpu', false, 'is not installed']);
  assert.deepEqual([cpu?.backend, cpu?.present], ['tfjs-node', true]);
  assert.match(cpu?.problem ?? '', /cannot be loaded/);
  assert.deepEqual([onnx?.backend, onnx?.present, onnx?.device], ['onnx', true, 'CPU']);
  assert.equal(onnx?.problem, undefined);
  const text = formatBackends(list);
  assert.match(text, /tfjs-node-gpu +is not installed; needs .*NVIDIA driver/);
  assert.match(text, /onnx +onnxruntime [\d.]+ on the CPU/);
});
