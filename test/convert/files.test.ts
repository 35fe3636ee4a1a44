import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { zipSync } from 'fflate';
import { modelFiles } from '../../convert/files.ts';
import { findModel } from '../../convert/source.ts';
import { seedWeights, smallAutoencoder } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');
const root = await mkdtemp(join(tmpdir(), 'plumbline-files-'));
after(() => rm(root, { recursive: true }));

const folder = (name: string) => join(root, name);
const weightsOf = (model: LayersModel) => model.getWeights().map((w) => [...w.dataSync()]);

test('a saved model loads again with equal weights, by folder, by file, and from a run', async () => {
  const model = smallAutoencoder();
  const run = folder('run');
  await model.save(modelFiles(join(run, 'model')));
  for (const path of [join(run, 'model'), join(run, 'model', 'model.json'), run]) {
    const loaded = await loadLayersModel(modelFiles(path));
    assert.deepEqual(weightsOf(loaded), weightsOf(model));
    assert.deepEqual(loaded.inputs[0]!.shape, model.inputs[0]!.shape);
  }
});

test('saving again replaces the weights and leaves no other file', async () => {
  const model = smallAutoencoder();
  const path = folder('again');
  await model.save(modelFiles(path));
  seedWeights(model, 99);
  await model.save(modelFiles(path));
  assert.deepEqual(weightsOf(await loadLayersModel(modelFiles(path))), weightsOf(model));
  assert.equal((await readdir(path)).length, 2, (await readdir(path)).join());
});

test('a crash between weights and model.json leaves the old model whole', async () => {
  const model = smallAutoencoder();
  const path = folder('crash');
  await model.save(modelFiles(path));
  const [old, json] = [weightsOf(model), await readFile(join(path, 'model.json'))];
  const files = new Set(await readdir(path));
  seedWeights(model, 50);
  await model.save(modelFiles(folder('crash-new')));
  const fresh = (await readdir(folder('crash-new'))).find((name) => name.endsWith('.bin'))!;
  assert.ok(!files.has(fresh), 'weights of other content must have another name');
  await writeFile(join(path, fresh), await readFile(join(folder('crash-new'), fresh))); // as far as a crash lets it
  await writeFile(join(path, 'model.json'), json);
  assert.deepEqual(weightsOf(await loadLayersModel(modelFiles(path))), old);
});

test('weights in several shards load', async () => {
  const model = smallAutoencoder();
  const path = folder('shards');
  await model.save(modelFiles(path));
  const json = JSON.parse(await readFile(join(path, 'model.json'), 'utf8'));
  const bytes = await readFile(join(path, json.weightsManifest[0].paths[0]));
  await writeFile(join(path, 'a.bin'), bytes.subarray(0, 101));
  await writeFile(join(path, 'b.bin'), bytes.subarray(101));
  json.weightsManifest[0].paths = ['a.bin', 'b.bin'];
  await writeFile(join(path, 'model.json'), JSON.stringify(json));
  assert.deepEqual(weightsOf(await loadLayersModel(modelFiles(path))), weightsOf(model));
});

test('a model.json with a byte order mark is read, also in an archive', async () => {
  const model = smallAutoencoder();
  const path = folder('marked');
  await model.save(modelFiles(path));
  const text = await readFile(join(path, 'model.json'), 'utf8');
  await writeFile(join(path, 'model.json'), `\ufeff${text}`);
  const shard = JSON.parse(text).weightsManifest[0].paths[0];
  const packed = ['model.json', shard].map(async (name) => [name, await readFile(join(path, name))] as const);
  const zip = `${path}.zip`;
  await writeFile(zip, zipSync(Object.fromEntries(await Promise.all(packed))));
  for (const one of [path, zip])
    assert.deepEqual(weightsOf(await loadLayersModel(modelFiles(one))), weightsOf(model));
});

test('what is no model is refused with what to do', async () => {
  const bad = async (name: string, text: string) => {
    await smallAutoencoder().save(modelFiles(folder(name)));
    await writeFile(join(folder(name), 'model.json'), text);
    return loadLayersModel(modelFiles(folder(name)));
  };
  await assert.rejects(bad('text', 'hello'), /not JSON.*\.keras, \.h5.*tensorflowjs_converter/);
  await assert.rejects(bad('other', '{"a": 1}'), /not a saved TensorFlow.js model/);
  await assert.rejects(bad('null', 'null'), /not a saved TensorFlow.js model/);
  await assert.rejects(
    bad('graph', '{"format": "graph-model", "modelTopology": {"node": []}, "weightsManifest": []}'),
    /is a graph model; a layers model is needed/,
  );
  const naming = (path: string) =>
    `{"modelTopology": {}, "weightsManifest": [{"paths": ["${path}"], "weights": []}]}`;
  await assert.rejects(bad('missing', naming('gone.bin')), /cannot read the weights/);
  await assert.rejects(bad('outside', naming('../text/model.json')), /outside its own folder/);
  await assert.rejects(findModel(folder('nowhere')), /does not exist/);
  await assert.rejects(findModel(root), /neither model.json.*SavedModels.*tensorflowjs_converter/);
});
