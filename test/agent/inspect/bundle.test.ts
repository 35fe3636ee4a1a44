import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { before, test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { parseBundle, readBundle } from '../../../agent/inspect/bundle.ts';
import { loadInspector } from '../../../agent/inspect/inspect.ts';
import { makeTestBundle, type TestBundle } from '../../support/bundle.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'plumbline-bundle-'));
const limits = { pixels: 1e6, bytes: 1e6 };
let bundle: TestBundle;
before(async () => {
  bundle = await makeTestBundle(folder);
});

const load = (bundlePath: string) =>
  loadInspector({ bundlePath, executionProvider: 'cpu', threads: 1, limits });

test('a written bundle reads back, proves its golden samples and has equal bytes for equal content', async () => {
  const read = await readBundle(bundle.path);
  assert.deepEqual(read.manifest, bundle.manifest);
  const again = await makeTestBundle(mkdtempSync(path.join(tmpdir(), 'plumbline-bundle-')));
  assert.equal(again.manifest.digest, bundle.manifest.digest);
  assert.deepEqual(readFileSync(again.path), readFileSync(bundle.path));
  await (await load(bundle.path)).close();
});

test('what is no ONNX file, or has no manifest, is refused with what was expected', async () => {
  const text = path.join(folder, 'text.onnx');
  writeFileSync(text, 'not a model');
  await assert.rejects(readBundle(text), /no ONNX file/);
  writeFileSync(text, '');
  await assert.rejects(readBundle(text), /no ONNX file/);
  await assert.rejects(
    readBundle(path.join(folder, 'none.onnx')),
    /There is no bundle .*none\.onnx \(ENOENT\)/,
  );
  const model = fromBinary(ModelProtoSchema, bundle.model);
  const bare = toBinary(ModelProtoSchema, create(ModelProtoSchema, { ...model, metadataProps: [] }));
  assert.throws(() => parseBundle(bare, 'bare.onnx'), /bare\.onnx.*without a manifest/);
});

test('one changed weight, or one changed threshold, is a wrong digest', () => {
  const weight = fromBinary(ModelProtoSchema, bundle.model);
  weight.graph!.initializer[0]!.rawData![0]! ^= 1;
  assert.throws(
    () => parseBundle(toBinary(ModelProtoSchema, weight), 'w'),
    /was changed after it was made.*sha256:/,
  );
  const threshold = fromBinary(ModelProtoSchema, bundle.model);
  const entry = threshold.metadataProps.find((p) => p.key === 'plumbline')!;
  entry.value = entry.value.replace('"revision":1', '"revision":2');
  assert.throws(
    () => parseBundle(toBinary(ModelProtoSchema, threshold), 't'),
    /was changed after it was made/,
  );
});

test('a manifest of another format is refused with the place', () => {
  const model = fromBinary(ModelProtoSchema, bundle.model);
  const entry = model.metadataProps.find((p) => p.key === 'plumbline')!;
  entry.value = entry.value.replace('"format":1', '"format":2');
  assert.throws(() => parseBundle(toBinary(ModelProtoSchema, model), 'm'), /does not fit format 1: format/);
});

test('a golden sample whose score differs on this device refuses the bundle', async () => {
  const other = mkdtempSync(path.join(tmpdir(), 'plumbline-bundle-'));
  const wrong = await makeTestBundle(other, {
    change: (content) => ({
      ...content,
      golden: {
        ...content.golden,
        samples: content.golden.samples.map((s) => ({ ...s, score: s.score * 1.001 })),
      },
    }),
  });
  await assert.rejects(load(wrong.path), /Golden sample 1 of 2 scores .* allowed 0\.0001/);
});
