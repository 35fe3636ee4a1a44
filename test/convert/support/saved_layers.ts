/** Models as Keras 2 saves them, of layers in turn, and what they compute beside formulas. */
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { readable } from '../../../convert/source.ts';
import { assertComputes } from './computes.ts';
import { type Grid, gridOf, gridOfTensor, tensorOf } from './grids.ts';
import { randomArray, seeded } from './numbers.ts';

/** A layer behind the one before it, or behind those of `from`; its weights by their names within it. */
export interface SavedLayer {
  readonly class_name: string;
  readonly config?: object;
  readonly from?: readonly unknown[];
  readonly weights?: Readonly<Record<string, readonly number[]>>;
}

/** By their names in the layer. */
export type Weights = Readonly<Record<string, Grid>>;

export interface SavedModel {
  readonly artifacts: tf.io.ModelArtifacts;
  /** Of layer `i`. */
  readonly weightsOf: (i: number) => Weights;
  /** Of the last layer. */
  readonly weights: Weights;
}

/** The inputs are `input_0` and so on, the layers `layer_0` and so on; weights are between -1 and 1. */
export function savedLayers(
  shapes: ReadonlyArray<readonly number[]>,
  layers: readonly SavedLayer[],
  version = '2.15.0',
): SavedModel {
  const inputs = shapes.map((_, i) => `input_${i}`);
  const nameOf = (i: number) => `layer_${i}`;
  const all = inputs.map((name) => [name, 0, 0, {}]);
  const entrances = inputs.map((name, i) => ({
    ...{ class_name: 'InputLayer', name, inbound_nodes: [] },
    config: { name, batch_input_shape: [null, ...shapes[i]!], dtype: 'float32' },
  }));
  const described = layers.map(({ class_name, config, from }, i) => ({
    ...{ class_name, name: nameOf(i) },
    config: { name: nameOf(i), trainable: true, dtype: 'float32', ...config },
    inbound_nodes: from ?? [i === 0 ? all : [[nameOf(i - 1), 0, 0, {}]]],
  }));
  const random = seeded(11);
  const weights = layers.flatMap(({ weights = {} }, i) =>
    Object.entries(weights).map(([name, shape]) => ({
      layer: i,
      name,
      shape: [...shape],
      values: randomArray(
        shape.reduce((a, b) => a * b, 1),
        random,
        -1,
        1,
      ),
    })),
  );
  const model_config = {
    class_name: 'Functional',
    config: {
      name: 'model',
      layers: [...entrances, ...described],
      input_layers: inputs.map((name) => [name, 0, 0]),
      output_layers: [[nameOf(layers.length - 1), 0, 0]],
    },
  };
  const weightsOf = (i: number): Weights =>
    Object.fromEntries(
      weights
        .filter(({ layer }) => layer === i)
        .map(({ name, shape, values }) => [name, gridOf(shape, values)]),
    );
  return {
    artifacts: {
      modelTopology: { keras_version: version, backend: 'tensorflow', model_config },
      weightSpecs: weights.map(({ layer, name, shape }) => ({
        ...{ name: `${nameOf(layer)}/${name}`, shape, dtype: 'float32' as const },
      })),
      weightData: tf.io.concatenateArrayBuffers(weights.map(({ values }) => values.buffer as ArrayBuffer)),
    },
    weightsOf,
    weights: weightsOf(layers.length - 1),
  };
}

/** The converted file computes what `formula` says of the inputs and the last layer's weights. */
export async function assertFormula(
  { artifacts, weights }: Pick<SavedModel, 'artifacts' | 'weights'>,
  formula: (inputs: readonly Grid[], weights: Weights) => Grid,
): Promise<void> {
  const model = await loadLayersModel({ load: async () => readable(artifacts) });
  await assertComputes(model, (...x) => tensorOf(formula(x.map(gridOfTensor), weights)));
}
