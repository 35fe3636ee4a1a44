/** A float32 model as one that computes its convolutions in 8-bit integers. */
import { findLayers, type Layer, type Network, nameOf, openNetwork } from './network.ts';
import { writeQdq } from './qdq.ts';
import { type Feeds, measureRanges } from './ranges.ts';
import { QuantizationError, type Quantized, type SearchOptions, searchLayers } from './search.ts';

export interface QuantizeOptions extends SearchOptions {
  /** Typical inputs, one run each: the range of each activation is what they reach. */
  readonly feeds: readonly Feeds[];
  /** Inputs between which every other lies. What reads them before any layer is not cut off, however untypical it is. */
  readonly extremes: readonly Feeds[];
}

/**
 * Static quantisation: activations as uint8 with one scale a tensor, weights as int8 with one a channel, sums in 32
 * bits. Equal input gives equal bytes.
 * @throws QuantizationError when there is nothing to quantise, or nothing that is good enough.
 */
export async function quantize(
  model: Uint8Array,
  { feeds, extremes, ...search }: QuantizeOptions,
): Promise<Quantized> {
  const network = openNetwork(model);
  const layers = requireLayers(network);
  const tensors = new Set(layers.flatMap(({ input, output }) => [input, output]));
  const before = [...tensors].filter((name) => !isBehind(network, layers, name));
  const ranges = new Map([
    ...(await measureRanges(model, [...tensors], feeds)),
    ...(await measureRanges(model, before, [...feeds, ...extremes])),
  ]);
  return searchLayers(layers.map(nameOf), (names) => writeQdq(model, names, ranges), search);
}

/**
 * Whether there is anything to quantise, which the weights themselves do not matter for: a model can be asked before it is trained.
 * @throws QuantizationError when there is nothing.
 */
export function requireQuantizableLayers(model: Uint8Array): void {
  requireLayers(openNetwork(model));
}

function requireLayers(network: Network): Layer[] {
  const layers = findLayers(network);
  if (layers.length > 0) return layers;
  throw new QuantizationError(
    'the model has no convolution with constant weights, and only those are computed in integers',
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
