/** A float32 model as one that computes its convolutions in 8-bit integers. */
import { findLayers, nameOf, openNetwork } from './network.ts';
import { type Feeds, measureRanges } from './ranges.ts';
import { writeQuantized } from './write.ts';

/** Why a model stays in float32, as the end of a sentence. */
export class QuantizationError extends Error {
  override readonly name = 'QuantizationError';
}

export interface QuantizeOptions {
  /** Typical inputs, one run each: the range of each activation is what they reach. */
  readonly feeds: readonly Feeds[];
  /** How wrong a quantised model is, in any unit. */
  readonly error: (model: Uint8Array) => Promise<number>;
  /** Layers stay in float32 until the error is no larger. */
  readonly tolerance: number;
}

export interface Quantized {
  /** Serialised ONNX with the inputs and outputs of the float32 model. */
  readonly model: Uint8Array;
  /** Names of the layers in integers: the tensors that they give, in the order of the graph. */
  readonly layers: readonly string[];
  /** Of those that stay in float32, the most sensitive first. */
  readonly float: readonly string[];
  readonly error: number;
}

/**
 * Static quantisation: activations as uint8 with one scale a tensor, weights as int8 with one a channel, sums in 32
 * bits. All convolutions with constant weights are tried; where the error is too large, each is measured alone, and
 * the worst stay in float32, as many as it takes. Equal input gives equal bytes.
 * @throws QuantizationError when there is no such convolution, or none whose error is small enough.
 */
export async function quantize(
  model: Uint8Array,
  { feeds, error, tolerance }: QuantizeOptions,
): Promise<Quantized> {
  const layers = findLayers(openNetwork(model));
  if (layers.length === 0)
    throw new QuantizationError(
      'the model has no convolution with constant weights, and only those are computed in integers',
    );
  const names = layers.map(nameOf);
  const tensors = new Set(layers.flatMap(({ input, output }) => [input, output]));
  const ranges = await measureRanges(model, [...tensors], feeds);
  const attempt = async (chosen: readonly string[]) => {
    const written = writeQuantized(model, new Set(chosen), ranges);
    return { model: written, layers: chosen, error: await error(written) };
  };

  const all = await attempt(names);
  if (all.error <= tolerance) return { ...all, float: [] };
  const alone = new Map<string, number>();
  for (const name of names) alone.set(name, (await attempt([name])).error);
  const worstFirst = names.toSorted((a, b) => alone.get(b)! - alone.get(a)!);
  for (let count = 1; count < names.length; count++) {
    const float = worstFirst.slice(0, count);
    const rest = await attempt(names.filter((name) => !float.includes(name)));
    if (rest.error <= tolerance) return { ...rest, float };
  }
  throw new QuantizationError(
    `every layer is too sensitive: with ${worstFirst.at(-1)} alone in integers the error is ${alone.get(worstFirst.at(-1)!)!.toPrecision(2)}, and ${tolerance} is allowed`,
  );
}
