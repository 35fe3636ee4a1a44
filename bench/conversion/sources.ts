/** Models in each form in which they come, written to a folder: networks of the recipes, and small ones in other forms. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { io } from '@tensorflow/tfjs-core';
import { zipSync } from 'fflate';
import { modelFiles } from '../../convert/files.ts';
import { attribute, graphArtifacts, placeholder, TYPES } from '../../test/convert/support/graph_defs.ts';
import { randomArray, seeded } from '../../test/convert/support/numbers.ts';
import { NETS } from '../training/nets.ts';

export interface SavedModel {
  /** In words. */
  readonly form: string;
  readonly model: string;
  /** What the command is given. */
  readonly path: string;
  /** Numbers that were learned, or would be. */
  readonly parameters: number;
}

/** Writes them all. */
export async function saveModels(folder: string): Promise<SavedModel[]> {
  const saved: SavedModel[] = [];
  for (const { name, open } of NETS) {
    const { model } = await open();
    const path = join(folder, name);
    await model.save(modelFiles(path));
    saved.push({ form: 'layers model', model: name, path, parameters: model.countParams() });
    model.dispose();
  }
  const { path, parameters } = saved[0]!;
  const archive = join(folder, 'archive.zip');
  await writeFile(archive, zipSync(await contentOf(path)));
  return [
    ...saved,
    { form: 'layers model in a zip archive', model: NETS[0]!.name, path: archive, parameters },
    await save(join(folder, 'keras3'), 'layers model of Keras 3', keras3()),
    await save(join(folder, 'graph'), 'graph model', graph()),
  ];
}

async function contentOf(folder: string): Promise<Record<string, Uint8Array>> {
  const names = await readdir(folder);
  const contents = names.map(
    async (name) => [name, new Uint8Array(await readFile(join(folder, name)))] as const,
  );
  return Object.fromEntries(await Promise.all(contents));
}

async function save(path: string, form: string, artifacts: io.ModelArtifacts): Promise<SavedModel> {
  const { format = 'layers-model', modelTopology, weightSpecs = [], weightData } = artifacts;
  const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
  await mkdir(path);
  await writeFile(join(path, 'model.json'), JSON.stringify({ format, modelTopology, weightsManifest }));
  await writeFile(join(path, 'weights.bin'), new Uint8Array(io.concatenateArrayBuffers(weightData!)));
  return {
    form,
    model: 'two layers',
    path,
    parameters: weightSpecs.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
  };
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

const UNITS = [16, 32, 10] as const;

/** What both small models hold: weights and biases of two dense layers. */
function weights(): Array<{ name: string; shape: number[]; values: Float32Array }> {
  const random = seeded(1);
  const [inputs, hidden, outputs] = UNITS;
  const shapes = {
    'first/kernel': [inputs, hidden],
    'first/bias': [hidden],
    'second/kernel': [hidden, outputs],
    'second/bias': [outputs],
  };
  return Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape,
    values: randomArray(sizeOf(shape), random, -0.4, 0.4),
  }));
}

/** As Keras 3 writes a sequential model for TensorFlow.js. */
function keras3(): io.ModelArtifacts {
  const [inputs, ...units] = UNITS;
  const dense = ['first', 'second'].map((name, i) => ({
    class_name: 'Dense',
    config: { name, units: units[i], activation: i === 0 ? 'relu' : 'softmax' },
  }));
  const layers = [{ class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, inputs] } }, ...dense];
  const all = weights();
  return {
    modelTopology: {
      keras_version: '3.15.1',
      backend: 'tensorflow',
      model_config: { class_name: 'Sequential', config: { name: 'two', layers } },
    },
    weightSpecs: all.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
    weightData: io.concatenateArrayBuffers(all.map(({ values }) => values.buffer as ArrayBuffer)),
  };
}

/** As tfjs-converter writes a graph of TensorFlow. */
function graph(): io.ModelArtifacts {
  const type = { T: attribute.type(TYPES.float32) };
  const node = (name: string, op: string, ...input: string[]) => ({ name, op, input, attr: type });
  return graphArtifacts({
    nodes: [
      placeholder('x', [-1, UNITS[0]]),
      node('product', 'MatMul', 'x', 'first/kernel'),
      node('sum', 'BiasAdd', 'product', 'first/bias'),
      node('rectified', 'Relu', 'sum'),
      node('product2', 'MatMul', 'rectified', 'second/kernel'),
      node('sum2', 'BiasAdd', 'product2', 'second/bias'),
      node('y', 'Softmax', 'sum2'),
    ],
    constants: Object.fromEntries(
      weights().map(({ name, shape, values }) => [
        name,
        { shape, values: [...values], dtype: 'float32' as const },
      ]),
    ),
  });
}
