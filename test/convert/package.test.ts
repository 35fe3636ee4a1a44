/** `@plumbline/convert` stands alone: packed, unpacked elsewhere, with nothing beside it but what it says it needs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { modelFiles } from '../../convert/files.ts';
import { smallAutoencoder } from './support/models.ts';

const run = promisify(execFile);
const house = resolve(import.meta.dirname, '../..');
const root = await mkdtemp(join(tmpdir(), 'plumbline-package-'));
after(() => rm(root, { recursive: true }));

const user = join(root, 'user');
const installed = join(user, 'node_modules/@plumbline/convert');
let manifest: { dependencies: Record<string, string> };

before(async () => {
  await pack();
  await install();
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
  await smallAutoencoder().save(modelFiles(join(user, 'model')));
});

/** In a copy, so that what is built for the package never lies among the sources while other tests read them. */
async function pack(): Promise<void> {
  const copy = join(root, 'house');
  const filter = (path: string) => !['node_modules', 'dist'].includes(basename(path));
  for (const name of ['convert', 'config', 'docs', 'LICENSE', 'tsconfig.json'])
    await cp(join(house, name), join(copy, name), { recursive: true, filter });
  await symlink(join(house, 'node_modules'), join(copy, 'node_modules'));
  await run('npm', ['pack', '--offline', '--pack-destination', root], { cwd: join(copy, 'convert') });
}

/** Links to the packages that it depends on stand for a download of them; it finds no others. */
async function install(): Promise<void> {
  await mkdir(installed, { recursive: true });
  const [tarball] = globSync('*.tgz', { cwd: root });
  await run('tar', ['-xzf', join(root, tarball!), '--strip-components=1', '-C', installed]);
  manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(user, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(house, 'node_modules', name), link);
  }
}

test('it holds what runs, its types and its papers, and nothing else', () => {
  const files = globSync('**/*', { cwd: installed, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
  for (const file of ['README.md', 'LICENSE', 'bin/convert', 'docs/converter.md', 'dist/convert/index.d.ts'])
    assert.ok(files.includes(file), `${file} is missing`);
  const papers = ['package.json', 'README.md', 'LICENSE', 'docs/converter.md', 'bin/convert'];
  const others = files.filter((file) => !papers.includes(file));
  for (const file of others)
    assert.match(file, /^dist\/(convert|config)\/((kernels|layers|quantize)\/)?\w+\.(js|d\.ts)$/);
  const config = others.filter((file) => file.startsWith('dist/config/'));
  assert.deepEqual(
    config.sort(),
    ['folder', 'nearest'].flatMap((name) => [`dist/config/${name}.d.ts`, `dist/config/${name}.js`]),
  );
});

test('it depends on exactly what it imports', async () => {
  const imported = new Set<string>();
  for (const file of globSync('dist/**/*.js', { cwd: installed })) {
    const text = await readFile(join(installed, file), 'utf8');
    for (const [, specifier] of text.matchAll(/(?:\bfrom |\brequire\(|\bimport\(|^import )'([^'.][^']*)'/gm))
      if (!specifier!.startsWith('node:')) imported.add(/^(?:@[^/]+\/)?[^/]+/.exec(specifier!)![0]);
  }
  assert.deepEqual([...imported].sort(), Object.keys(manifest.dependencies).sort());
});

test('its command writes the bytes that the repository writes', async () => {
  const args = ['model', '--check', '--out'];
  const packed = await run(join(installed, 'bin/convert'), [...args, 'packed.onnx'], { cwd: user });
  assert.equal(packed.stderr, '');
  assert.match(packed.stdout, /check +passed/);
  await run(join(house, 'convert/bin/convert'), [...args, 'own.onnx'], { cwd: user });
  const [one, other] = await Promise.all(
    ['packed.onnx', 'own.onnx'].map((name) => readFile(join(user, name))),
  );
  assert.deepEqual(one, other);
});

test('the examples of its README run', async () => {
  const readme = await readFile(join(installed, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, example]) => example!);
  assert.equal(examples.length, 4);
  const results = await Promise.all(
    examples.map(async (example, i) => {
      await writeFile(join(user, `example-${i}.mjs`), example);
      return run('node', [`example-${i}.mjs`], { cwd: user });
    }),
  );
  for (const name of ['model', 'score', 'features', 'merged', 'integers'])
    assert.ok((await readFile(join(user, `${name}.onnx`))).length > 100, name);
  const losses = /\[([^\]]*)\]/.exec(results[1]!.stdout)![1]!.split(',').map(Number);
  assert.ok(losses.length === 10 && losses.at(-1)! < losses[0]!, results[1]!.stdout);
  const [, float, integers] = /\] (\d+) (\d+)/.exec(results[3]!.stdout)!;
  assert.notEqual(float, integers);
});

test('its types know what is right and what is not', async () => {
  await writeFile(
    join(user, 'typed.mts'),
    `import { type Comparison, convertModel, embedOnnx, type Feeds, type InputSpec, type OnnxBackend } from '@plumbline/convert';
import { quantize, type Quantized, registerOnnxBackend, trace } from '@plumbline/convert';
import { type Tensor, square } from '@tensorflow/tfjs-core';
const { check } = await convertModel('model', { opset: 17, check: { batches: [1] } });
export const found: Comparison | undefined = check;
const inputs: InputSpec[] = [{ name: 'x', shape: [null, 4] }];
export const bytes: Uint8Array = trace((x: Tensor) => ({ y: square(x) }), inputs);
export const backend: () => OnnxBackend = registerOnnxBackend({ threads: 2 });
export const taps: readonly string[] = embedOnnx(bytes).taps;
const feeds: Feeds[] = [];
const integers: Quantized = await quantize(bytes, { feeds, extremes: [], error: async () => 0, tolerance: 0 });
export const layers: readonly string[] = integers.layers;
// @ts-expect-error a tolerance without a way to measure
await quantize(bytes, { feeds, extremes: [], tolerance: 0 });
// @ts-expect-error there is no such option
await convertModel('model', { opsett: 17 });
// @ts-expect-error a number is no shape
trace((x: Tensor) => ({ y: x }), [{ name: 'x', shape: 4 }]);
`,
  );
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
  await run(join(house, 'node_modules/.bin/tsc'), [...options, 'typed.mts'], { cwd: user }).catch((error) =>
    assert.fail(error.stdout || error.message),
  );
});
