/** A float32 model as one that computes its convolutions in 8-bit integers. */
import { findLayers, type Layer, type Network, nameOf, openNetwork } from './network.ts';
import { type Feeds, measureRanges } from './ranges.ts';
import { writeQuantized } from './write.ts';

/** Why a model stays in float32, as the end of a sentence. */
export class QuantizationError extends Error {
  override readonly name = 'QuantizationError';
}

export interface QuantizeOptions {
  /** Typical inputs, one run each: the range of each activation is what they reach. */
  readonly feeds: readonly Feeds[];
  /** Inputs between which every other lies. What reads them before any layer is not cut off, however untypical it is. */
  readonly extremes: readonly Feeds[];
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
  { feeds, extremes, error, tolerance }: QuantizeOptions,
): Promise<Quantized> {
  const network = openNetwork(model);
  const layers = findLayers(network);
  if (layers.length === 0)
    throw new QuantizationError(
      'the model has no convolution with constant weights, and only those are computed in integers',
    );
  const names = layers.map(nameOf);
  const tensors = new Set(layers.flatMap(({ input, output }) => [input, output]));
  const before = [...tensors].filter((name) => !isBehind(network, layers, name));
  const ranges = new Map([
    ...(await measureRanges(model, [...tensors], feeds)),
    ...(await measureRanges(model, before, [...feeds, ...extremes])),
  ]);
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

/** Whether a tensor follows from what a layer gives. */
function isBehind({ makers }: Network, layers: readonly Layer[], tensor: string): boolean {
  const made = new Set(layers.map(nameOf));
  const seen = new Set<string>();
  const follows = (name: string): boolean => {
    if (made.has(name)) return true;
    if (seen.has(name)) return false;
    seen.add(name);
    return (makers.get(name)?.input ?? []).some(follows);
  };
  return follows(tensor);
}
