/** Layers in which places of one sequence look at those of another. */
import {
  add,
  cast,
  expandDims,
  logicalAnd,
  matMul,
  mul,
  reshape,
  softmax,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor2d,
  transpose,
} from '@tensorflow/tfjs-core';
import { KerasLayer, type Settings, type Shape, type Shapes, type Tensors } from './keras_layer.ts';

/** What a layer is called with, besides tensors; written into its settings by attention_calls.ts. */
interface CallSettings extends Settings {
  /** The arguments that the tensors are, in their order; in the camel case of all words of a configuration. */
  readonly given: string[];
  readonly useCausalMask?: boolean;
  readonly returnAttentionScores?: boolean;
  /** Whether a place that may look nowhere gives zeros, not the mean of all. */
  readonly zerosWhereMasked?: boolean;
}

/** How much less a score is worth that is masked. */
const MASKED = 1e9;

abstract class Attending<S extends CallSettings> extends KerasLayer<S> {
  protected argument<T>(list: readonly T[], name: string): T | undefined {
    const i = this.settings.given.indexOf(name);
    return i === -1 ? undefined : list[i];
  }

  /** Query, value, and key, which is the value where none was given. */
  protected triple<T>(list: readonly T[]): [T, T, T] {
    const [query, value] = ['query', 'value'].map((name) => this.argument(list, name)) as [T, T];
    return [query, value, this.argument(list, 'key') ?? value];
  }

  /** That of the query. */
  override computeMask(_: Tensors, mask?: Tensors): Tensors {
    const own = [mask ?? []].flat()[0] ?? null;
    return (this.settings.returnAttentionScores ? [own, null] : own) as Tensors;
  }

  /** Softmax of the scores [..., T, S], of which those count that all of `masks` (broadcast to them) leave. */
  protected attention(scores: Tensor, masks: readonly Tensor[]): Tensor {
    const [rows, columns] = scores.shape.slice(-2) as [number, number];
    const causal = this.settings.useCausalMask ? [lowerTriangle(rows, columns)] : [];
    const all = [...masks, ...causal].map((mask) => cast(mask, 'bool'));
    if (all.length === 0) return softmax(scores, -1);
    const kept = cast(
      all.reduce((a, b) => logicalAnd(a, b)),
      'float32',
    );
    const weights = softmax(sub(scores, mul(sub(1, kept), MASKED)), -1);
    return this.settings.zerosWhereMasked ? mul(weights, kept) : weights;
  }
}

/** True where the column is not behind the row. */
function lowerTriangle(rows: number, columns: number): Tensor {
  const values = Array.from({ length: rows * columns }, (_, i) =>
    i % columns <= Math.floor(i / columns) ? 1 : 0,
  );
  return tensor2d(values, [rows, columns], 'float32');
}

interface AttentionSettings extends CallSettings {
  readonly useScale?: boolean;
  readonly scoreMode?: 'dot' | 'concat';
}

abstract class SimpleAttention extends Attending<AttentionSettings> {
  /** Of query [N, T, D] and key [N, S, D]: [N, T, S]. */
  protected abstract scores(query: Tensor, key: Tensor): Tensor;

  override computeOutputShape(given: Shapes): Shapes {
    const [query, value] = this.triple(given as Shape[]);
    const result = [...query.slice(0, -1), value.at(-1)!];
    return this.settings.returnAttentionScores ? [result, [...query.slice(0, -1), value[1]!]] : result;
  }

  override call(inputs: Tensors): Tensors {
    const list = inputs as Tensor[];
    const [query, value, key] = this.triple(list);
    const [ofQuery, ofValue] = ['query', 'value'].map((name) => this.argument(list, `${name}Mask`));
    const weights = this.attention(this.scores(query, key), ofValue ? [expandDims(ofValue, 1)] : []);
    const attended = matMul(weights, value);
    const result = ofQuery ? mul(attended, expandDims(cast(ofQuery, 'float32'), -1)) : attended;
    return this.settings.returnAttentionScores ? [result, weights] : result;
  }
}

/** tanh of the sum of each query and each key: [N, T, S, D]. */
function tanhOfSums(query: Tensor, key: Tensor, scale?: Tensor): Tensor {
  const sums = add(expandDims(query, 2), expandDims(key, 1));
  return tanh(scale === undefined ? sums : mul(scale, sums));
}

export class Attention extends SimpleAttention {
  static readonly className = 'PlumblineAttention';

  override build(): void {
    if (this.settings.useScale) this.weigh('scale', []);
    if (this.settings.scoreMode === 'concat') this.weigh('concat_score_weight', []);
    this.built = true;
  }

  protected override scores(query: Tensor, key: Tensor): Tensor {
    const { scale, concat_score_weight: weight } = this.held;
    if (weight !== undefined) return mul(weight, sum(tanhOfSums(query, key, scale), -1));
    const products = matMul(query, key, false, true);
    return scale === undefined ? products : mul(products, scale);
  }
}

export class AdditiveAttention extends SimpleAttention {
  static readonly className = 'PlumblineAdditiveAttention';

  override build(shapes: Shapes): void {
    if (this.settings.useScale ?? true) this.weigh('scale', [(shapes as Shape[])[0]!.at(-1)!]);
    this.built = true;
  }

  protected override scores(query: Tensor, key: Tensor): Tensor {
    const values = tanhOfSums(query, key);
    const { scale } = this.held;
    return sum(scale === undefined ? values : mul(scale, values), -1);
  }
}

interface MultiHeadSettings extends CallSettings {
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim?: number | null;
  readonly outputShape?: number | number[] | null;
  readonly attentionAxes?: number | number[] | null;
  readonly useBias?: boolean;
  readonly useGate?: boolean;
  readonly slidingWindow?: number | null;
}

export class MultiHeadAttention extends Attending<MultiHeadSettings> {
  static readonly className = 'PlumblineMultiHeadAttention';

  get #valueSize(): number {
    return this.settings.valueDim ?? this.settings.keyDim;
  }

  #outputSize(query: Shape): number {
    const sizes = [this.settings.outputShape ?? query.at(-1)!].flat();
    if (sizes.length !== 1)
      return this.refuse(
        `(MultiHeadAttention) gives results of shape ${sizes}; only a single size can be converted`,
      );
    return sizes[0]!;
  }

  override build(shapes: Shapes): void {
    const [query, value, key] = this.triple(shapes as Shape[]);
    const { numHeads, keyDim, attentionAxes, useGate, slidingWindow } = this.settings;
    const axes = [attentionAxes ?? 1].flat();
    if (query.length !== 3 || axes.length !== 1 || (axes[0] !== 1 && axes[0] !== -2))
      this.refuse(
        `(MultiHeadAttention) attends along the axes ${axes} of ${query.length - 2}; only sequences [N, steps, features] can be converted`,
      );
    if (useGate || slidingWindow)
      this.refuse('(MultiHeadAttention) has a gate or a sliding window, which cannot be converted');
    const project = (name: string, features: number, size: number) => {
      this.weigh(`${name}/kernel`, [features, numHeads, size]);
      if (this.settings.useBias ?? true) this.weigh(`${name}/bias`, [numHeads, size]);
    };
    project('query', query.at(-1)!, keyDim);
    project('key', key.at(-1)!, keyDim);
    project('value', value.at(-1)!, this.#valueSize);
    const size = this.#outputSize(query);
    this.weigh('attention_output/kernel', [numHeads, this.#valueSize, size]);
    if (this.settings.useBias ?? true) this.weigh('attention_output/bias', [size]);
    this.built = true;
  }

  override computeOutputShape(given: Shapes): Shapes {
    const [query, value] = this.triple(given as Shape[]);
    const result = [...query.slice(0, -1), this.#outputSize(query)];
    if (!this.settings.returnAttentionScores) return result;
    return [result, [query[0]!, this.settings.numHeads, query[1]!, value[1]!]];
  }

  /** [N, T, features] -> [N, heads, T, size]. */
  #heads(name: 'query' | 'key' | 'value', x: Tensor): Tensor {
    const [batch, steps, features] = x.shape as [number, number, number];
    const { [`${name}/kernel`]: kernel, [`${name}/bias`]: bias } = this.held;
    const [, heads, size] = kernel!.shape as [number, number, number];
    const flat = matMul(x, reshape(kernel!, [1, features, heads * size]));
    const projected = reshape(flat, [batch, steps, heads, size]);
    return transpose(bias === undefined ? projected : add(projected, bias), [0, 2, 1, 3]);
  }

  override call(inputs: Tensors): Tensors {
    const list = inputs as Tensor[];
    const [query, value, key] = this.triple(list);
    const [q, v, k] = [this.#heads('query', query), this.#heads('value', value), this.#heads('key', key)];
    const scores = matMul(mul(q, 1 / Math.sqrt(this.settings.keyDim)), k, false, true);
    const weights = this.attention(scores, this.#masks(list));
    const attended = transpose(matMul(weights, v), [0, 2, 1, 3]);
    const [batch, steps, heads, size] = attended.shape as [number, number, number, number];
    const { 'attention_output/kernel': kernel, 'attention_output/bias': bias } = this.held;
    const flat = reshape(attended, [batch, steps, heads * size]);
    const projected = matMul(flat, reshape(kernel!, [1, heads * size, kernel!.shape[2]!]));
    const result = bias === undefined ? projected : add(projected, bias);
    return this.settings.returnAttentionScores ? [result, weights] : result;
  }

  /** Each [N or 1, heads or 1, T or 1, S or 1]. */
  #masks(list: readonly Tensor[]): Tensor[] {
    const [query, value, key] = ['query', 'value', 'key'].map((name) => this.argument(list, `${name}Mask`));
    const attention = this.argument(list, 'attentionMask');
    return [
      ...(query ? [expandDims(expandDims(query, 1), 3)] : []),
      ...[value, key].flatMap((mask) => (mask ? [expandDims(expandDims(mask, 1), 1)] : [])),
      ...(attention ? [attention.rank === 3 ? expandDims(attention, 1) : attention] : []),
    ];
  }
}
