/** Layers that Keras computes otherwise than TensorFlow.js: their definitions by Keras, and models of TensorFlow.js' own. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { ignoredSettings } from '../../convert/ignored_settings.ts';
import { inKerasForms } from '../../convert/keras_forms.ts';
import { correctOutputShapes } from '../../convert/output_shapes.ts';
import { refuseAll } from '../../convert/refuse.ts';
import { assertComputes } from './support/computes.ts';
import { seedWeights } from './support/models.ts';

tf.env().set('PROD', true);
await tf.setBackend('cpu');
after(correctOutputShapes());

type Layer = layers.Layer;

/** The last layer's settings, as Keras names them, that TensorFlow.js does not save. */
interface Case {
  readonly layers: readonly Layer[];
  readonly settings?: object;
  readonly definition: (x: tf.Tensor, weights: tf.Tensor[]) => tf.Tensor;
}

const version = { keras: '2.15.0', own: 'tfjs-layers 4.22.0' } as const;

/** The layers in turn, saved by Keras or by TensorFlow.js. */
async function saved(
  { layers: list, settings = {} }: Case,
  by: keyof typeof version,
): Promise<{ model: LayersModel; artifacts: tf.io.ModelArtifacts }> {
  const model = sequential({ layers: [...list] });
  seedWeights(model, 3);
  const artifacts = await new Promise<tf.io.ModelArtifacts>((resolve) => {
    void model.save(
      tf.io.withSaveHandler(async (given) => {
        resolve(given);
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
  });
  const topology = structuredClone(artifacts.modelTopology) as {
    config: { layers: Array<{ config: object }> };
  };
  Object.assign(topology.config.layers.at(-1)!.config, settings);
  return { model, artifacts: { ...artifacts, modelTopology: { ...topology, keras_version: version[by] } } };
}

const read = (artifacts: tf.io.ModelArtifacts) =>
  loadLayersModel({ load: async () => inKerasForms(artifacts) });

/** Row i of [to, from]: what each of `from` pixels gives to pixel i, by half-pixel centres. */
function bilinear(from: number, to: number): tf.Tensor2D {
  const rows = Array.from({ length: to }, (_, i) => {
    const position = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    return Array.from({ length: from }, (_, j) => Math.max(0, 1 - Math.abs(position - j)));
  });
  return tf.tensor2d(rows);
}

const resized = (x: tf.Tensor, height: number, width: number) => {
  const channels = tf.transpose(x, [0, 3, 1, 2]);
  const [rows, columns] = [bilinear(x.shape[1]!, height), bilinear(x.shape[2]!, width)];
  return tf.transpose(tf.matMul(tf.matMul(rows, channels), columns, false, true), [0, 2, 3, 1]);
};

/** 1 for steps [N, T, F] that a mask of zeros leaves, [N, T, 1]. */
const kept = (x: tf.Tensor) => tf.cast(tf.any(tf.notEqual(x, 0), -1, true), 'float32');

/** Steps below zero are left out: [N, T, 2]. */
const masked = () => [layers.reLU({ inputShape: [5, 1] }), layers.masking()];

const SIMPLE = {
  units: 1,
  useBias: false,
  activation: 'linear',
  recurrentInitializer: 'glorotUniform',
  returnSequences: true,
} as const;

const CASES: Readonly<Record<string, Case>> = {
  'DepthwiseConv2D with a dilation': {
    layers: [
      layers.depthwiseConv2d({ inputShape: [7, 8, 3], kernelSize: 3, depthMultiplier: 2, dilationRate: 2 }),
    ],
    definition: (x, [kernel, bias]) =>
      tf.add(
        tf.depthwiseConv2d(
          x as tf.Tensor4D,
          // Zeros between the numbers of the filter say the same.
          tf.tidy(() => {
            const [a, b, c] = tf.split(kernel!, 3, 0) as [tf.Tensor, tf.Tensor, tf.Tensor];
            const rows = tf.concat([a, tf.zerosLike(a), b, tf.zerosLike(a), c], 0);
            const [d, e, f] = tf.split(rows, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
            return tf.concat([d, tf.zerosLike(d), e, tf.zerosLike(d), f], 1) as tf.Tensor4D;
          }),
          1,
          'valid',
        ),
        bias!,
      ),
  },
  'UpSampling2D, bilinear': {
    layers: [layers.upSampling2d({ inputShape: [3, 4, 2], size: [2, 3], interpolation: 'bilinear' })],
    definition: (x) => resized(x, 6, 12),
  },
  Resizing: {
    layers: [
      layers.conv2d({ inputShape: [5, 6, 2], filters: 2, kernelSize: 1 }),
      layers.resizing({ height: 8, width: 4 }),
    ],
    definition: (x, [kernel, bias]) =>
      resized(tf.add(tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'same'), bias!), 8, 4),
  },
  CenterCrop: {
    layers: [layers.centerCrop({ inputShape: [6, 8, 2], height: 3, width: 5 })],
    definition: (x) => tf.slice(x, [0, 1, 1, 0], [-1, 3, 5, 2]),
  },
  'CategoryEncoding, whose results are longer than its input': {
    layers: [
      layers.reLU({ inputShape: [4] }),
      layers.categoryEncoding({ numTokens: 6, outputMode: 'multiHot' }),
    ],
    definition: (x) => {
      assert.equal(x.shape[1], 4);
      return tf.max(tf.oneHot(tf.cast(tf.relu(x), 'int32'), 6), 1);
    },
  },
  'GlobalAveragePooling1D behind a mask': {
    layers: [...masked(), layers.globalAveragePooling1d({})],
    definition: (x) => {
      const steps = tf.relu(x);
      return tf.div(tf.sum(steps, 1), tf.sum(kept(steps), 1));
    },
  },
  'SimpleRNN with zeros for what a mask leaves out': {
    layers: [...masked(), layers.simpleRNN(SIMPLE)],
    settings: { zero_output_for_mask: true },
    definition: (x, [kernel, recurrent]) => {
      const steps = tf.relu(x);
      let state = tf.zeros([x.shape[0]!, 1]);
      const outputs = tf.split(steps, 5, 1).map((step) => {
        const flat = tf.reshape(step, [-1, 1]) as tf.Tensor2D;
        const next = tf.add(
          tf.matMul(flat, kernel as tf.Tensor2D),
          tf.matMul(state, recurrent as tf.Tensor2D),
        );
        const on = tf.cast(tf.notEqual(flat, 0), 'float32');
        state = tf.add(tf.mul(on, next), tf.mul(tf.sub(1, on), state));
        return tf.expandDims(tf.mul(on, next), 1);
      });
      return tf.concat(outputs, 1);
    },
  },
};

describe('a model that Keras saved computes what Keras does', () => {
  for (const [name, one] of Object.entries(CASES))
    test(name, async () => {
      const { model, artifacts } = await saved(one, 'keras');
      const weights = model.getWeights();
      await assertComputes(await read(artifacts), (x) => one.definition(x, weights));
    });
});

test('layers may follow a dilated depthwise convolution: its shape is stated as it is', async () => {
  const { artifacts } = await saved(CASES['DepthwiseConv2D with a dilation']!, 'keras');
  assert.deepEqual((await read(artifacts)).outputs[0]!.shape, [null, 3, 4, 6]);
});

test('a model of TensorFlow.js itself stays what TensorFlow.js computes', async () => {
  const { model, artifacts } = await saved(CASES['UpSampling2D, bilinear']!, 'own');
  await assertComputes(await read(artifacts), (x) => model.predict(x) as tf.Tensor);
});

test('what is not computed is refused by the name of the layer and with what works instead', () => {
  for (const [class_name, config, expected] of [
    ['Conv2DTranspose', { dilation_rate: [2, 2] }, /layer one \(Conv2DTranspose\) has dilation_rate 2,2/],
    ['Resizing', { crop_to_aspect_ratio: true }, /crop_to_aspect_ratio true/],
    ['Resizing', { pad_to_aspect_ratio: true }, /pad_to_aspect_ratio true/],
    ['Conv1D', { groups: 2 }, /groups 2/],
  ] as const) {
    const layer = { class_name, config: { name: 'one', ...config } };
    const topology = { keras_version: version.keras, model_config: { config: { layers: [layer] } } };
    assert.throws(() => refuseAll(ignoredSettings(topology)), expected);
  }
  const own = { class_name: 'Resizing', config: { name: 'one', crop_to_aspect_ratio: true } };
  refuseAll(ignoredSettings({ keras_version: version.own, config: { layers: [own] } }));
});
