/** Which layers of a model can be computed in integers. */

export interface SearchOptions {
  /** How wrong a candidate is beside the float32 model, in any unit; NaN: utterly. */
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

/** Why a model stays in float32, as the end of a sentence. */
export class QuantizationError extends Error {
  override readonly name = 'QuantizationError';
}

/**
 * Tries all of `names`; where the error is too large, each is measured alone, and the worst stay in float32, as many as
 * it takes.
 * @param write the model with just these layers in integers.
 * @throws QuantizationError when there is none whose error is small enough.
 */
export async function searchLayers(
  names: readonly string[],
  write: (names: ReadonlySet<string>) => Uint8Array,
  { error, tolerance }: SearchOptions,
): Promise<Quantized> {
  const attempt = async (layers: readonly string[]) => {
    const model = write(new Set(layers));
    const measured = await error(model);
    return { model, layers, error: Number.isNaN(measured) ? Number.POSITIVE_INFINITY : measured };
  };
  const all = await attempt(names);
  if (all.error <= tolerance) return { ...all, float: [] };
  const alone = new Map<string, number>();
  for (const name of names) alone.set(name, (await attempt([name])).error);
  const mildest = Math.min(...alone.values());
  const worstFirst = names.toSorted((a, b) => rank(alone.get(b)!) - rank(alone.get(a)!));
  for (let count = 1; count < names.length; count++) {
    const float = worstFirst.slice(0, count);
    const rest = await attempt(names.filter((name) => !float.includes(name)));
    if (rest.error <= tolerance) return { ...rest, float };
  }
  throw new QuantizationError(
    `every layer is too sensitive: with ${worstFirst.at(-1)} alone in integers the error is ${mildest.toPrecision(2)}, and ${tolerance} is allowed`,
  );
}

/** Infinity less infinity is no order. */
const rank = (error: number): number => Math.min(error, Number.MAX_VALUE);
