/** Tiny models of the kinds that can be an encoder, written to a folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { modelFiles } from '../../../convert/files.ts';
import { trace } from '../../../convert/trace.ts';
import { seedWeights } from '../../convert/support/models.ts';
import { randomArray, seeded } from '../../convert/support/numbers.ts';

/** [N, 16, 16, 3] -> `early` [8, 8, 4] -> `late` [4, 4, 6] -> pooled to a class. */
export function layersModel(): tfl.LayersModel {
  const { conv2d, globalAveragePooling2d, dense } = tfl.layers;
  const options = { kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' } as const;
  const model = tfl.sequential({
    layers: [
      conv2d({ ...options, name: 'early', filters: 4, inputShape: [16, 16, 3] }),
      conv2d({ ...options, name: 'late', filters: 6 }),
      globalAveragePooling2d({ name: 'pooled' } as never), // its type wants a data format that has a default
      dense({ name: 'class', units: 2 }),
    ],
  });
  seedWeights(model, 9);
  return model;
}

/** Output of `late`, from images that are scaled already. */
export function late(model: tfl.LayersModel, images: tf.Tensor): tf.Tensor {
  return tfl
    .model({ inputs: model.inputs, outputs: model.getLayer('late').output })
    .predict(images) as tf.Tensor;
}

export async function writeLayersModel(folder: string, model: tfl.LayersModel): Promise<string> {
  await model.save(modelFiles(folder));
  return folder;
}

/** The same up to `late`, [N, 16, 16, 3] -> [N, 4, 4, 6]. */
export function writeOnnx(folder: string, model: tfl.LayersModel): string {
  const path = join(folder, 'tiny.onnx');
  writeFileSync(
    path,
    trace((x) => ({ late: late(model, x) }), [{ name: 'x', shape: [null, 16, 16, 3] }]),
  );
  return path;
}

/** A graph as the TensorFlow.js converter writes it: image [?, ?, ?, 3] -> Conv2D -> Relu -> MaxPool -> Mean. */
export function writeGraphModel(folder: string): { path: string; filter: Float32Array } {
  const filter = randomArray(3 * 3 * 3 * 5, seeded(3), -0.4, 0.4);
  const float = { T: { type: 'DT_FLOAT' } };
  const text = (value: string) => ({ s: Buffer.from(value).toString('base64') });
  const ints = (...values: number[]) => ({ list: { i: values.map(String) } });
  const dim = [-1, -1, -1, 3].map((size) => ({ size: `${size}` }));
  const constant = (name: string, type: string) => ({ name, op: 'Const', attr: { dtype: { type } } });
  const node = [
    { name: 'image', op: 'Placeholder', attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim } } } },
    constant('filter', 'DT_FLOAT'),
    constant('axes', 'DT_INT32'),
    {
      name: 'conv',
      op: 'Conv2D',
      input: ['image', 'filter'],
      attr: {
        ...float,
        strides: ints(1, 2, 2, 1),
        dilations: ints(1, 1, 1, 1),
        padding: text('SAME'),
        data_format: text('NHWC'),
      },
    },
    { name: 'relu', op: 'Relu', input: ['conv'], attr: float },
    {
      name: 'pool',
      op: 'MaxPool',
      input: ['relu'],
      attr: {
        ...float,
        ksize: ints(1, 2, 2, 1),
        strides: ints(1, 2, 2, 1),
        padding: text('VALID'),
        data_format: text('NHWC'),
      },
    },
    { name: 'mean', op: 'Mean', input: ['pool', 'axes'], attr: { ...float, keep_dims: { b: false } } },
  ];
  const weights = [
    { name: 'filter', shape: [3, 3, 3, 5], dtype: 'float32' },
    { name: 'axes', shape: [2], dtype: 'int32' },
  ];
  const model = {
    format: 'graph-model',
    modelTopology: { node, versions: {} },
    weightsManifest: [{ paths: ['group1-shard1of1.bin'], weights }],
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.json'), JSON.stringify(model));
  const axes = new Uint8Array(Int32Array.of(1, 2).buffer);
  writeFileSync(join(folder, 'group1-shard1of1.bin'), Buffer.concat([new Uint8Array(filter.buffer), axes]));
  return { path: folder, filter };
}
