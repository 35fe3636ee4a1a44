/** What some layers compute in inference, where TensorFlow.js' own code cannot be recorded or does something else. */
import {
  add,
  cast,
  denseBincount,
  div,
  exp,
  expandDims,
  logSumExp,
  moments,
  mul,
  pad,
  reshape,
  slice,
  sqrt,
  sub,
  type Tensor,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

type Layer = layers.Layer;

/** What a layer computes in inference where its own code will not do; nothing where it will. */
type LayerForm = (
  layer: Layer,
) => ((inputs: Tensor | Tensor[], settings: { mask?: Tensor | null }) => Tensor) | undefined;

interface NormalizationConfig {
  /** Batch normalization: a number, or a list of one as Python's Keras 2 saves it. */
  axis: number | number[];
  epsilon: number;
  scale: boolean;
  center: boolean;
}

/** The largest rank that `tf.batchNorm` takes. */
const BATCH_NORM_RANK = 4;

/** By class name. Each is what Keras computes in inference. */
export const LAYER_FORMS: Readonly<Record<string, LayerForm>> = {
  /** TensorFlow.js changes the width in inference, too; Keras passes images on. */
  RandomWidth: () => (inputs) => single(inputs),
  RandomHeight: () => (inputs) => single(inputs),
  /** In a model TensorFlow.js hands it a list, which it takes for the image. */
  Resizing: (layer) => (inputs) => layerCall(layer)(single(inputs)),
  /**
   * tfjs-backend-cpu, the reference, takes another channel's numbers where the axis is not the last, and TensorFlow.js
   * refuses volumes.
   */
  BatchNormalization: (layer) => {
    const { epsilon, scale, center, ...config } = layer.getConfig() as unknown as NormalizationConfig;
    const [axis = -1, ...more] = [config.axis].flat();
    if (more.length > 0)
      throw new Error(
        `${layer.name} normalizes along the axes ${[axis, ...more]} together, which TensorFlow.js does not compute; it takes one axis`,
      );
    const rank = rankOf(layer);
    if (rank <= BATCH_NORM_RANK && (axis === -1 || axis === rank - 1)) return undefined;
    return (inputs) => {
      const x = single(inputs);
      const numbers = layer.getWeights().map((weight) => reshape(weight, along(x, [axis])));
      const [mean, variance] = numbers.slice(-2) as [Tensor, Tensor];
      return normalized(x, mean, variance, epsilon, scale && numbers[0], center && numbers[scale ? 1 : 0]);
    };
  },
  /** TensorFlow.js refuses volumes. */
  LayerNormalization: (layer) => {
    const { epsilon, scale, center, ...config } = layer.getConfig() as unknown as NormalizationConfig;
    const axes = [config.axis].flat();
    return (inputs) => {
      const x = single(inputs);
      if (x.rank <= BATCH_NORM_RANK) return layerCall(layer)(inputs);
      const numbers = layer.getWeights().map((weight) => reshape(weight, along(x, axes)));
      const { mean, variance } = moments(x, axes, true);
      return normalized(x, mean, variance, epsilon, scale && numbers[0], center && numbers[scale ? 1 : 0]);
    };
  },
  /**
   * Where a stride is longer than the window, TensorFlow.js gives `same` a negative border, which moves the windows; for
   * Keras they begin at the first voxel. A border of zeros and `valid` say the same.
   */
  Conv3D: (layer) => {
    if (!stridesBeyondWindow(layer)) return undefined;
    return (inputs) => {
      const x = single(inputs);
      const borders = sameBorders(layer as Volumetric, x.shape);
      return asValid(layer, () => layerCall(layer)(pad(x, borders)));
    };
  },
  Conv3DTranspose: (layer) => {
    if (!stridesBeyondWindow(layer)) return undefined;
    return (inputs) => {
      const x = single(inputs);
      const whole = asValid(layer, () => layerCall(layer)(x));
      const { strides, dataFormat, kernelSize } = layer as Volumetric;
      const begin = whole.shape.map(() => 0);
      const size = [...whole.shape];
      strides.forEach((stride, i) => {
        const axis = i + (dataFormat === 'channelsFirst' ? 2 : 1);
        begin[axis] = Math.floor(Math.max(kernelSize[i]! - stride, 0) / 2);
        size[axis] = x.shape[axis]! * stride;
      });
      return slice(whole, begin, size);
    };
  },
  /** TensorFlow.js refuses one axis other than the last. */
  Softmax: (layer) => {
    const { axis = -1 } = layer.getConfig() as { axis?: number | number[] };
    const [one = -1, ...more] = [axis].flat();
    return (inputs, settings) => {
      const x = single(inputs);
      if (more.length > 0 || one === -1 || one === x.rank - 1 || settings.mask)
        return layerCall(layer)(inputs, settings);
      return exp(sub(x, logSumExp(x, one, true)));
    };
  },
  /** TensorFlow.js reads the numbers to refuse those that are out of range; a graph leaves these uncounted. */
  CategoryEncoding: (layer) => {
    const { numTokens, outputMode } = layer.getConfig() as { numTokens: number; outputMode: string };
    return (inputs) => encodeCategories(cast(single(inputs), 'int32'), numTokens, outputMode);
  },
};

/** A convolution, as TensorFlow.js holds its settings: a number for each axis of space. */
interface Volumetric extends Layer {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly dilationRate: number | readonly number[];
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
  padding: 'same' | 'valid';
}

function stridesBeyondWindow(layer: Layer): boolean {
  const { padding, kernelSize, strides } = layer as Volumetric;
  return padding === 'same' && kernelSize.some((size, i) => size < strides[i]!);
}

/** The zeros before and behind each axis that `same` means, as TensorFlow defines it: never fewer than none. */
function sameBorders(
  { kernelSize, strides, dilationRate, dataFormat }: Volumetric,
  shape: readonly number[],
): Array<[number, number]> {
  const borders = shape.map((): [number, number] => [0, 0]);
  kernelSize.forEach((size, i) => {
    const axis = i + (dataFormat === 'channelsFirst' ? 2 : 1);
    const [length, stride, rates] = [shape[axis]!, strides[i]!, [dilationRate].flat()];
    const window = (size - 1) * (rates[i] ?? rates[0]!) + 1;
    const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + window - length);
    borders[axis] = [Math.floor(total / 2), Math.ceil(total / 2)];
  });
  return borders;
}

function asValid(layer: Layer, action: () => Tensor): Tensor {
  const convolution = layer as Volumetric;
  convolution.padding = 'valid';
  try {
    return action();
  } finally {
    convolution.padding = 'same';
  }
}

/** The layer's own code, whatever stands in its place while a model is converted. */
function layerCall(layer: Layer): (inputs: Tensor | Tensor[], settings?: object) => Tensor {
  const { call } = Object.getPrototypeOf(layer) as Layer;
  return (inputs, settings = {}) => call.call(layer, inputs, settings) as Tensor;
}

/** The shape of numbers for each place along `axes`, ready to be broadcast. */
function along({ shape, rank }: Tensor, axes: readonly number[]): number[] {
  const own = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  return shape.map((size, i) => (own.includes(i) ? size : 1));
}

function normalized(
  x: Tensor,
  mean: Tensor,
  variance: Tensor,
  epsilon: number,
  scale: Tensor | false | undefined,
  offset: Tensor | false | undefined,
): Tensor {
  const unit = div(sub(x, mean), sqrt(add(variance, epsilon)));
  const scaled = scale ? mul(unit, scale) : unit;
  return offset ? add(scaled, offset) : scaled;
}

function rankOf(layer: Layer): number {
  return layer.inputSpec?.[0]?.ndim ?? 0;
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
