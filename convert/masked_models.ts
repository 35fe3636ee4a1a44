/**
 * Models in which masks reach every layer that Keras hands them to: TensorFlow.js stops them at a model within a model, and gives
 * a layer of several inputs the mask of the first alone.
 */
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel, layers, SymbolicTensor } from '@tensorflow/tfjs-layers';

type Layer = layers.Layer;

/** TensorFlow.js has null and undefined for none. */
export type Masks = ReadonlyArray<Tensor | null | undefined>;

/** A layer that is called with the masks of all its inputs. */
export interface TakesAllMasks {
  readonly takesAllMasks: true;
}

interface Masked {
  readonly value: Tensor;
  readonly mask: Tensor | null | undefined;
}

/** Of models that Keras saved (keras_forms.ts); what TensorFlow.js made stays as it computes it. */
const MAKERS: readonly string[] = ['KerasMasking', 'KerasEmbedding'];

/** Layers that hand a mask on for Keras, and not for TensorFlow.js. */
const HANDING_ON: readonly string[] = ['ELU', 'LeakyReLU'];

/** Whether a layer of the model, or of those within, makes a mask as Keras does. */
export function makesMasks(layer: object): boolean {
  // TensorFlow.js declares none of these on Layer.
  const { layers: within = [], layer: wrapped } = layer as Nesting;
  return (
    MAKERS.includes((layer as Layer).getClassName()) ||
    within.some(makesMasks) ||
    (wrapped !== undefined && makesMasks(wrapped))
  );
}

interface Nesting {
  readonly layers?: readonly Layer[];
  readonly layer?: Layer;
}

export function isModel(layer: Layer): layer is LayersModel {
  return (layer as Nesting).layers !== undefined && 'outputs' in layer;
}

/** What the model computes in inference of its inputs, each with its mask. */
export function computeMasked(model: LayersModel, inputs: readonly Tensor[], masks: Masks = []): Tensor[] {
  return tidy(() => resultsOf(model, inputs, masks).map(({ value }) => value));
}

function resultsOf(model: LayersModel, inputs: readonly Tensor[], masks: Masks): Masked[] {
  const known = new Map<number, Masked>();
  model.inputs.forEach(({ id }, i) => {
    known.set(id, { value: inputs[i]!, mask: masks[i] });
  });
  const find = (symbolic: SymbolicTensor): Masked => {
    const before = known.get(symbolic.id);
    if (before !== undefined) return before;
    const { sourceLayer, nodeIndex, tensorIndex } = symbolic;
    const given = symbolic.inputs.map(find);
    const results = called(sourceLayer, given);
    const { outputTensors } = sourceLayer.inboundNodes[nodeIndex]!;
    outputTensors.forEach(({ id }, i) => {
      known.set(id, results[i]!);
    });
    return results[tensorIndex]!;
  };
  return model.outputs.map(find);
}

function called(layer: Layer, given: readonly Masked[]): Masked[] {
  const [values, masks] = [given.map(({ value }) => value), given.map(({ mask }) => mask ?? null)];
  if (isModel(layer)) return resultsOf(layer, values, masks);
  const all = (layer as Partial<TakesAllMasks>).takesAllMasks === true;
  const mask = all ? masks : masks[0];
  const masked = masks.some((one) => one !== null);
  const results = [layer.apply(values, { training: false, ...(masked && { mask }) })].flat() as Tensor[];
  if (HANDING_ON.includes(layer.getClassName())) return [{ value: results[0]!, mask: masks[0] }];
  const handedOn = layer.supportsMasking ? layer.computeMask(values, masks as Tensor[]) : null;
  return results.map((value, i) => ({ value, mask: [handedOn].flat()[i] }));
}
