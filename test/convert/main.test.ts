import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { link, lstat, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as layers from '@tensorflow/tfjs-layers';
import { zipSync } from 'fflate';
import * as onnx from 'onnx-buf';
import { InferenceSession } from 'onnxruntime-node';
import { modelFiles } from '../../convert/files.ts';
import { attribute, graphArtifacts, placeholder } from './support/graph_defs.ts';
import { smallAutoencoder } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');
const root = await mkdtemp(join(tmpdir(), 'plumbline-convert-'));
after(() => rm(root, { recursive: true }));
await smallAutoencoder().save(modelFiles(join(root, 'run', 'model')));

const launcher = resolve(import.meta.dirname, '../../convert/bin/convert');

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function convert(...args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    execFile(launcher, args, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

test('--help shows examples and exit codes; wrong usage exits with 2', async () => {
  const help = await convert('--help');
  assert.equal(help.code, 0);
  assert.match(help.stdout, /convert run\/ --out model.onnx --names/);
  assert.match(help.stdout, /Exit codes/);
  for (const args of [
    [],
    ['model'],
    ['--out', 'x'],
    ['m', '--out', 'x', '--nope'],
    ['m', '--out', 'x', '--tolerance', '-1'],
    ['m', '--out', 'x', '--opset', '12'],
    ['m', '--out', 'x', '--shape', 'x=0,8'],
    ['m', '--out', 'x', '--shape', 'x=N,00'],
    ['m', '--out', 'x', '--opset', 'abc'],
  ]) {
    const outcome = await convert(...args);
    assert.equal(outcome.code, 2, args.join(' '));
    assert.notEqual(outcome.stderr, '');
  }
});

test('with a fixed batch the report of the check names it', async () => {
  const out = join(root, 'four.onnx');
  const { stdout, stderr } = await convert(join(root, 'run'), '--out', out, '--check', '--batch', '4');
  assert.match(stdout, /check +passed: .* batch 4\)/, stderr);
});

test('converts a run, checks it, and says so', async () => {
  const out = join(root, 'checked.onnx');
  const outcome = await convert(join(root, 'run'), '--out', out, '--check');
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stdout, /check +passed: largest difference/);
  assert.equal(outcome.stderr, '');
  const session = await InferenceSession.create(out);
  assert.equal(session.inputNames.length, 1);
  await session.release();
});

test('--json prints one line with the figures; the file is the same without --check', async () => {
  const [checked, plain] = [join(root, 'a.onnx'), join(root, 'b.onnx')];
  const outcome = await convert(join(root, 'run/model/model.json'), '-o', checked, '--check', '--json');
  assert.equal(outcome.code, 0, outcome.stderr);
  const report = JSON.parse(outcome.stdout);
  assert.equal(outcome.stdout.trim().split('\n').length, 1);
  assert.ok(report.check.passed && report.check.relative <= 1e-4 && report.check.compared > 0);
  assert.deepEqual(report.inputs[0].shape, [null, 8, 8, 2]);
  await convert(join(root, 'run'), '-o', plain);
  assert.deepEqual(await readFile(plain), await readFile(checked));
});

test('a failed check exits with 1 and writes nothing', async () => {
  const out = join(root, 'failed.onnx');
  const outcome = await convert(join(root, 'run'), '-o', out, '--check', '--tolerance', '1e-30');
  assert.equal(outcome.code, 1);
  assert.match(outcome.stdout, /check +FAILED/);
  assert.ok(!existsSync(out));
});

test('a model that multiplies its rounding is held against its own, unless a tolerance is given', async () => {
  // 1000 is added and taken away again: six of the seven digits of a float32 go.
  const input = layers.input({ shape: [8, 8, 1] });
  const raised = layers.layers
    .conv2d({ filters: 2, kernelSize: 3, biasInitializer: layers.initializers.constant({ value: 1000 }) })
    .apply(input);
  const lowered = layers.layers
    .batchNormalization({ movingMeanInitializer: layers.initializers.constant({ value: 1000 }) })
    .apply(raised) as layers.SymbolicTensor;
  const folder = join(root, 'rounding');
  await layers.model({ inputs: input, outputs: lowered }).save(modelFiles(folder));
  const loose = await convert(folder, '--out', join(root, 'rounding.onnx'), '--check', '--json');
  assert.equal(loose.code, 0, loose.stderr);
  const { check } = JSON.parse(loose.stdout);
  assert.ok(check.relative > 1e-4 && check.relative <= check.allowed, JSON.stringify(check));
  assert.ok(check.allowed <= 2 * check.rounding && check.allowed <= 1e-2, JSON.stringify(check));
  const strict = await convert(folder, '--out', join(root, 'no.onnx'), '--check', '--tolerance', '1e-4');
  assert.equal(strict.code, 1);
  assert.match(strict.stdout, /onnxruntime differs from itself/);
});

test('bad input exits with 1 and says what to do', async () => {
  const text = join(root, 'text.json');
  await writeFile(text, 'hello');
  for (const [path, message] of [
    [text, /not JSON/],
    [join(root, 'nowhere'), /does not exist/],
    [root, /neither model.json/],
  ] as const) {
    const outcome = await convert(path, '-o', join(root, 'bad.onnx'));
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, message);
  }
  const folder = await convert(join(root, 'run'), '-o', root);
  assert.equal(folder.code, 1);
  assert.match(folder.stderr, /is a folder/);
  const nowhere = await convert(join(root, 'run'), '-o', join(root, 'missing', 'x.onnx'));
  assert.match(nowhere.stderr, /there is no folder .*missing; make it/);
});

test('names that the model does not have are refused, with those that it has', async () => {
  const out = join(root, 'never.onnx');
  const shape = await convert(join(root, 'run'), '-o', out, '--shape', 'typo=N,8,8,2');
  assert.match(shape.stderr, /no input typo; it has \w+/);
  const outputs = await convert(join(root, 'run'), '-o', out, '--outputs', 'nope');
  assert.match(outputs.stderr, /of a graph model only; this layers model gives \w+/);
  assert.ok(!existsSync(out));
});

test('weight files that hold fewer or more bytes than the model says are refused with both figures', async () => {
  const folder = join(root, 'cut');
  await smallAutoencoder().save(modelFiles(folder));
  const json = await readFile(join(folder, 'model.json'));
  const shard: string = JSON.parse(json.toString()).weightsManifest[0].paths[0];
  const bytes = await readFile(join(folder, shard));
  const out = join(root, 'cut.onnx');
  for (const [given, reason] of [
    [bytes.subarray(0, -3), 'one was cut off'],
    [Buffer.concat([bytes, Buffer.alloc(8)]), 'they are of another model'],
  ] as const) {
    const expected = `expected ${bytes.length} bytes of weights, came ${given.length}: ${reason}`;
    await writeFile(join(folder, shard), given);
    const outcome = await convert(folder, '-o', out);
    assert.ok(
      outcome.stderr.includes(`${shard} of ${join(folder, 'model.json')}: ${expected}`),
      outcome.stderr,
    );
    const zip = join(root, 'cut.zip');
    await writeFile(zip, zipSync({ 'model.json': json, [shard]: given }));
    assert.ok((await convert(zip, '-o', out)).stderr.includes(`cut.zip/model.json: ${expected}`));
  }
});

test('--check of an index out of range points to --check-inputs, which takes nothing but numbers that fit', async () => {
  const ids = layers.input({ shape: [2], name: 'ids', dtype: 'int32' });
  const outputs = layers.layers.embedding({ inputDim: 2, outputDim: 3 }).apply(ids);
  const folder = join(root, 'embedding');
  await layers.model({ inputs: ids, outputs: outputs as layers.SymbolicTensor }).save(modelFiles(folder));
  const out = join(root, 'embedding.onnx');
  const random = await convert(folder, '-o', out, '--check');
  assert.equal(random.code, 1);
  assert.match(random.stderr, /random inputs, 0 to 9 for ids: .*--check-inputs/);
  const file = join(root, 'ids.json');
  for (const [content, expected] of [
    ['{"ids": [[0, 1]]}', /^$/],
    ['{"ids": [[0, "1"]]}', /ids\[0\]\[1\] is "1"; every value must be a number/],
    ['{"ids": [[0, null]]}', /ids\[0\]\[1\] is null/],
    ['{"ids": [[0, 0.5]]}', /input ids takes whole numbers \(int32\), given is 0\.5/],
    ['{"ids": [[0, 1]], "typo": [1]}', /given for typo, but the inputs are ids/],
    ['{"ids": [[0, 1], [0]]}', /ids\[0\] has shape \[2\], .*ids\[1\] has \[1\]; lists/],
    ['[1]', /must hold an object/],
    ['{', /is not JSON/],
  ] as const) {
    await writeFile(file, content);
    const outcome = await convert(folder, '-o', out, '--check-inputs', file);
    assert.match(outcome.stderr, expected);
    assert.equal(outcome.code, content === '{"ids": [[0, 1]]}' ? 0 : 1);
  }
});

test('what is read is not written over, by whatever path, and is as it was', async () => {
  const folder = join(root, 'precious');
  await smallAutoencoder().save(modelFiles(folder));
  const file = join(folder, 'model.json');
  const json = await readFile(file);
  const shard = JSON.parse(json.toString()).weightsManifest[0].paths[0];
  const weights = await readFile(join(folder, shard));
  const [zip, inputs, soft, hard] = ['precious.zip', 'own.json', 'soft.onnx', 'hard.onnx'].map((name) =>
    join(root, name),
  ) as [string, string, string, string];
  await writeFile(zip, zipSync({ 'model.json': json, [shard]: weights }));
  await writeFile(inputs, '{}');
  await symlink(join(folder, shard), soft);
  await link(file, hard);
  const archive = await readFile(zip);
  for (const [from, out, ...more] of [
    [file, file],
    [folder, `${folder}/../precious/model.json`],
    [folder, join(folder, shard)],
    [folder, soft],
    [folder, hard],
    [zip, zip],
    [folder, inputs, '--check-inputs', inputs],
  ] as const) {
    const outcome = await convert(from, '--out', out, ...more);
    assert.equal(outcome.code, 1, out);
    assert.match(outcome.stderr, /--out .* is .*, which is read here and would be lost; name another file/);
  }
  assert.deepEqual(await readFile(file), json);
  assert.deepEqual(await readFile(join(folder, shard)), weights);
  assert.deepEqual(await readFile(zip), archive);
  assert.equal(await readFile(inputs, 'utf8'), '{}');
  assert.ok((await lstat(soft)).isSymbolicLink());
  const beside = await convert(folder, '--out', join(folder, 'model.onnx'));
  assert.equal(beside.code, 0, beside.stderr);
});

test('a model with an open size is refused with what to do, as JSON too', async () => {
  const l = layers.layers;
  const lstm = l.lstm({ inputShape: [null, 3], units: 2, recurrentInitializer: 'glorotUniform' });
  await layers.sequential({ layers: [lstm] }).save(modelFiles(join(root, 'open')));
  const outcome = await convert(join(root, 'open'), '-o', join(root, 'bad.onnx'), '--json');
  assert.equal(outcome.code, 1);
  assert.match(JSON.parse(outcome.stdout).error, /only the first size, the batch, may be open/);
  assert.ok(!existsSync(join(root, 'bad.onnx')));
});

test('a graph model in an archive converts, checked on given inputs, with other names, batch and operator set', async () => {
  const { modelTopology, weightSpecs, weightData } = graphArtifacts({
    nodes: [
      placeholder('x', [-1, 2]),
      { name: 'sum', op: 'Add', input: ['x', 'bias'], attr: { T: attribute.type('DT_FLOAT') } },
      { name: 'y', op: 'Mean', input: ['sum', 'axis'], attr: { keep_dims: attribute.bool(true) } },
    ],
    constants: {
      bias: { values: [1, 2], shape: [2], dtype: 'float32' },
      axis: { values: [1], shape: [1], dtype: 'int32' },
    },
  });
  const json = {
    format: 'graph-model',
    modelTopology,
    weightsManifest: [{ paths: ['a.bin'], weights: weightSpecs }],
  };
  const files = {
    'web/model.json': new TextEncoder().encode(JSON.stringify(json)),
    'web/a.bin': new Uint8Array(weightData as ArrayBuffer),
  };
  const [zip, inputs, out] = ['graph.zip', 'inputs.json', 'graph.onnx'].map((name) => join(root, name));
  await writeFile(zip!, zipSync(files));
  await writeFile(
    inputs!,
    JSON.stringify({
      image: [
        [1, 2],
        [3, -4],
        [0, 9],
      ],
    }),
  );
  const options = ['--names', 'x=image,y=mean', '--check-inputs', inputs!, '--opset', '13', '--json'];
  const outcome = await convert(zip!, '-o', out!, ...options);
  assert.equal(outcome.code, 0, outcome.stderr);
  const report = JSON.parse(outcome.stdout);
  assert.deepEqual([report.inputs, report.outputs], [[{ name: 'image', shape: [null, 2] }], ['mean']]);
  assert.equal(report.check.compared, 3);
  const model = fromBinary(onnx.ModelProtoSchema, await readFile(out!));
  assert.equal(model.opsetImport[0]!.version, 13n);
  const cut = await convert(zip!, '-o', out!, '--outputs', 'sum', '--batch', '2', '--fold', '--json');
  assert.deepEqual(JSON.parse(cut.stdout).outputs, ['sum']);
  assert.deepEqual(JSON.parse(cut.stdout).inputs[0].shape, [2, 2]);
  await writeFile(
    zip!,
    zipSync({ ...files, 'web/a.bin': new Uint8Array((weightData as ArrayBuffer).byteLength + 4) }),
  );
  const longer = await convert(zip!, '-o', out!);
  assert.match(longer.stderr, /a\.bin of .*model\.json: expected 12 bytes of weights, came 16/);
  await writeFile(zip!, zipSync(files));
  const unknown = await convert(zip!, '-o', out!, '--names', 'nothing=y');
  assert.match(unknown.stderr, /no input or output nothing; it has x, y/);
});
