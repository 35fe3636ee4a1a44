import {
  add,
  cast,
  denseBincount,
  div,
  expandDims,
  mul,
  reshape,
  sqrt,
  sub,
  type Tensor,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';

type Layer = layers.Layer;

/** What a layer computes in inference where its own code cannot be recorded; nothing where it can. */
type InferenceForm = (layer: Layer) => ((inputs: Tensor | Tensor[]) => Tensor) | undefined;

interface BatchNormalizationConfig {
  /** A list of one, as Python's Keras 2 saves it. */
  axis: number | number[];
  epsilon: number;
  scale: boolean;
  center: boolean;
}

/** By class name. Each is what Keras computes in inference. */
const FORMS: Readonly<Record<string, InferenceForm>> = {
  /** TensorFlow.js changes the width in inference, too; Keras passes images on. */
  RandomWidth: () => (inputs) => single(inputs),
  RandomHeight: () => (inputs) => single(inputs),
  /** In a model TensorFlow.js hands it a list, which it takes for the image. */
  Resizing: (layer) => {
    const { call } = Object.getPrototypeOf(layer) as Layer;
    return (inputs) => call.call(layer, single(inputs), {}) as Tensor;
  },
  /** tfjs-backend-cpu, the reference, takes another channel's numbers where the axis is not the last. */
  BatchNormalization: (layer) => {
    const { epsilon, scale, center, ...config } = layer.getConfig() as unknown as BatchNormalizationConfig;
    const [axis = -1, ...more] = [config.axis].flat();
    if (more.length > 0)
      throw new Error(
        `${layer.name} normalizes along the axes ${[axis, ...more]} together, which TensorFlow.js does not compute; it takes one axis`,
      );
    const rank = (layer.inputSpec?.[0]?.ndim ?? 0) as number;
    if (axis === -1 || axis === rank - 1) return undefined;
    return (inputs) => {
      const x = single(inputs);
      const along = x.shape.map((size, i) => (i === (axis < 0 ? axis + x.rank : axis) ? size : 1));
      const numbers = layer.getWeights().map((weight) => reshape(weight, along));
      const [mean, variance] = numbers.slice(-2) as [Tensor, Tensor];
      const normalized = div(sub(x, mean), sqrt(add(variance, epsilon)));
      const scaled = scale ? mul(normalized, numbers[0]!) : normalized;
      return center ? add(scaled, numbers[scale ? 1 : 0]!) : scaled;
    };
  },
  /** TensorFlow.js reads the numbers to refuse those that are out of range; a graph leaves these uncounted. */
  CategoryEncoding: (layer) => {
    const { numTokens, outputMode } = layer.getConfig() as { numTokens: number; outputMode: string };
    return (inputs) => encodeCategories(cast(single(inputs), 'int32'), numTokens, outputMode);
  },
};

/**
 * Runs `action` while the layers of `model` (and of the models and wrappers within) are as they are in inference:
 * nothing is random, nothing reads a value, and a stateful recurrent layer begins each call with zeros. `watch` is told
 * which layer is being computed.
 */
export function inInferenceForm<T>(
  model: LayersModel,
  watch: (layer: string | undefined) => void,
  action: () => T,
): T {
  const undo: Array<() => void> = [];
  let current: string | undefined;
  const enter = (layer: string | undefined) => {
    current = layer;
    watch(layer);
  };
  try {
    for (const layer of new Set(allLayers(model.layers))) {
      const call = FORMS[layer.getClassName()]?.(layer) ?? layer.call;
      const watched: Layer['call'] = (inputs, kwargs) => {
        const outer = current;
        enter(`layer ${layer.name}, class ${layer.getClassName()}`);
        const result = call.call(layer, inputs, kwargs);
        enter(outer); // not where the layer fails: an error comes from the innermost
        return result;
      };
      undo.push(replace(layer, 'call', watched));
      if (Object.hasOwn(layer, '_stateful')) undo.push(replace(layer, '_stateful', false));
    }
    return action();
  } finally {
    for (const step of undo.reverse()) step();
  }
}

/** Layers, and those inside of nested models and wrappers. */
function allLayers(list: readonly Layer[]): Layer[] {
  return list.flatMap((layer) => {
    // TensorFlow.js declares none of these on Layer; wrappers and models have them.
    const { layer: wrapped, forwardLayer, backwardLayer, layers = [] } = layer as Nesting;
    const inner = [wrapped, forwardLayer, backwardLayer, ...layers].filter((l) => l !== undefined);
    return [layer, ...allLayers(inner)];
  });
}

interface Nesting extends Layer {
  layer?: Layer;
  forwardLayer?: Layer;
  backwardLayer?: Layer;
  layers?: Layer[];
}

/** Sets a property of its own on the layer; the returned function puts back what was there. */
function replace(layer: Layer, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(layer, name);
  Object.defineProperty(layer, name, { value, configurable: true, writable: true });
  return () => {
    if (before) Object.defineProperty(layer, name, before);
    else delete (layer as unknown as Record<string, unknown>)[name];
  };
}

/** tfjs-layers layers/preprocessing/preprocessing_utils.js, encodeCategoricalInputs. */
function encodeCategories(numbers: Tensor, numTokens: number, outputMode: string): Tensor {
  if (outputMode === 'int') return numbers;
  const single = numbers.rank === 0 || (outputMode === 'oneHot' && numbers.shape.at(-1) !== 1);
  const rows = single ? expandDims(numbers, -1) : numbers;
  if (rows.rank > 2 || outputMode === 'tfIdf')
    throw new Error(
      `CategoryEncoding in mode ${outputMode} of numbers of shape [${numbers.shape}] cannot be converted; TensorFlow.js itself takes one number or one row of numbers for each example`,
    );
  return denseBincount(rows as Tensor2D, [], numTokens, outputMode !== 'count');
}

function single(inputs: Tensor | Tensor[]): Tensor {
  return Array.isArray(inputs) ? inputs[0]! : inputs;
}
