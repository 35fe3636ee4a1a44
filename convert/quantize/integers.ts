/** Floats as small integers: value = scale * (integer - zero point) (Jacob et al. 2018). */
import type { Range } from './ranges.ts';

/**
 * Weights go from -64 to 64, not to 127: processors without VNNI add the products of two neighbouring weights with two
 * activations of up to 255 in 16 bits, which holds 2 * 255 * 64 = 32,640 and cuts off what is more. onnxruntime would
 * then score the same image differently on such a processor, and the proof samples of the bundle would fail there.
 */
export const LARGEST_WEIGHT = 64;

/** Room for the sum of products beside a bias of 32 bits. */
const LARGEST_BIAS = 2 ** 30;

export interface Activation {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** uint8 that reaches from `low` to `high`, where 0 is an integer exactly. */
export function quantizeRange({ low, high }: Range): Activation {
  const scale = Math.fround((high - low) / 255) || 1;
  return { scale, zeroPoint: Math.min(255, Math.max(0, Math.round(-low / scale))) };
}

export interface Weights {
  /** int8, in the order of the float32 weights. */
  readonly weights: Int8Array;
  /** One for each output channel. */
  readonly scales: Float32Array;
  /** Of unit `scales` times the scale of the input; null: there is no bias. */
  readonly bias: Int32Array | null;
}

/**
 * By output channel, symmetric: the largest weight of a channel becomes 64. A channel whose weights are so small beside
 * its bias that the bias would leave 32 bits gets a larger scale.
 * @param weights channel by channel, as many of each.
 */
export function quantizeWeights(
  weights: Float32Array,
  bias: Float32Array | null,
  channels: number,
  inputScale: number,
): Weights {
  const size = weights.length / channels;
  const scales = Float32Array.from({ length: channels }, (_, c) => {
    const largest = weights
      .subarray(c * size, (c + 1) * size)
      .reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
    const forBias = Math.abs(bias?.[c] ?? 0) / (inputScale * LARGEST_BIAS);
    return Math.max(largest / LARGEST_WEIGHT, forBias) || 1;
  });
  return {
    weights: Int8Array.from(weights, (weight, i) => Math.round(weight / scales[Math.floor(i / size)]!)),
    scales,
    bias: bias && Int32Array.from(bias, (value, c) => Math.round(value / (inputScale * scales[c]!))),
  };
}
