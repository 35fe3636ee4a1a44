/** Moves the state of model and optimizer between TensorFlow.js and plain arrays, without losing a bit. */
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Recipe } from '../config/recipe.ts';
import type { Values } from './checkpoint.ts';

export function makeOptimizer({ kind, learningRate }: Recipe['optimizer']): tf.Optimizer {
  return kind === 'adam' ? tf.train.adam(learningRate) : tf.train.sgd(learningRate);
}

/** The model's weights, in its order. */
export function readWeights(model: LayersModel): Promise<Values[]> {
  return readAll(model.weights.map((w) => ({ name: w.originalName, tensor: w.read() })));
}

export function setWeights(model: LayersModel, values: readonly Values[]): void {
  const tensors = values.map(toTensor);
  model.setWeights(tensors);
  tf.dispose(tensors);
}

/** Reads the optimizer's state and makes the optimizer go on from just that; returns it. */
export async function reloadOptimizer(optimizer: tf.Optimizer): Promise<Values[]> {
  const old = await optimizer.getWeights();
  const values = await readAll(old);
  await restoreOptimizer(optimizer, values);
  tf.dispose(old.map(({ tensor }) => tensor));
  return values;
}

/**
 * Adam's powers of beta are not part of its state: `setWeights` computes them anew from the number of steps, while
 * training multiplies them up. Hence a run reloads its own optimizer after every epoch.
 */
export async function restoreOptimizer(optimizer: tf.Optimizer, values: readonly Values[]): Promise<void> {
  const named = values.map((v) => ({ name: v.name, tensor: toTensor(v) }));
  await optimizer.setWeights(named);
  tf.dispose(named.map(({ tensor }) => tensor));
}

async function readAll(named: readonly { name: string; tensor: tf.Tensor }[]): Promise<Values[]> {
  const values: Values[] = [];
  for (const { name, tensor } of named) {
    const dtype = tensor.dtype === 'int32' ? 'int32' : 'float32';
    const data = (await tensor.data()).slice() as Float32Array | Int32Array;
    values.push({ name, shape: tensor.shape, dtype, data });
  }
  return values;
}

const toTensor = ({ data, shape, dtype }: Values): tf.Tensor => tf.tensor(data, [...shape], dtype);
