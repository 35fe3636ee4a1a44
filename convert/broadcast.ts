import type { Graph } from './graph.ts';
import type { Job } from './plan.ts';
import { elements, type NumberArray, type Shape, sameShape, uniformValue } from './shapes.ts';
import type { Entry } from './storage.ts';
import type { DataType, Value } from './values.ts';

/** A constant that counts along the batch: start, start + step, ... */
export interface Ramp {
  readonly start: number;
  readonly step: number;
}

/** A constant as it is before it is repeated. */
export interface Narrow {
  readonly shape: Shape;
  readonly dtype: DataType;
  readonly data: NumberArray;
}

/**
 * The constants of a function that are repeated along the batch, for instance where a layer tiles a small weight and
 * TensorFlow.js computes that on the spot: they have a size that grows with the batch, and equal elements along it.
 *
 * `job` and `other` record one function with two batch sizes. Gives each such constant of `job`, with size 1 along every
 * axis where it repeats; or how it counts, where it is a range as long as the batch. One whose elements differ along
 * the batch in another way is left out: no graph can hold it.
 */
export function repeatedConstants(job: Job, other: Job): ReadonlyMap<Entry, Narrow | Ramp> {
  const found = new Map<Entry, Narrow | Ramp>();
  if (job.leaves.length !== other.leaves.length) return found;
  job.leaves.forEach((leaf, i) => {
    if (leaf.host && uniformValue(leaf.host) !== undefined) return; // no data to hold, however large
    const growing = narrowed(leaf, other.leaves[i]!.shape) ?? counting(leaf, other.leaves[i]!);
    if (growing) found.set(leaf, growing);
  });
  return found;
}

/** Nodes that count along the batch: only a shape tells how far. */
export function ramp(g: Graph, { start, step }: Ramp, { shape, dtype }: Entry): Partial<Value> {
  const ones = g.op('Expand', [g.scalar(1, dtype), g.ints([elements(shape)])]);
  const places = g.op('CumSum', [ones, g.scalar(0, 'int32')], { exclusive: 1 });
  const scaled = step === 1 ? places : g.op('Mul', [places, g.scalar(step, dtype)]);
  const moved = start === 0 ? scaled : g.op('Add', [scaled, g.scalar(start, dtype)]);
  return { plain: shape.length === 1 ? moved : g.reshape(moved, shape) };
}

/** `narrow`, broadcast; an operator that broadcasts itself takes it as it is. */
export function repeated({ shape, dtype }: Narrow, name: string): Partial<Value> {
  return { spread: { shape, dtype, plain: name, uses: 1 } };
}

/** Whole numbers only: nothing is lost when they are counted again. */
function counting({ host, shape, dtype }: Entry, other: Entry): Ramp | undefined {
  const apart = shape.flatMap((size, axis) => (size === other.shape[axis] ? [] : [size]));
  if (!host || !other.host || dtype === 'bool' || shape.length !== other.shape.length) return undefined;
  if (apart.length !== 1 || apart[0] !== host.length || host.length < 2) return undefined;
  const [start, step] = [host[0]!, host[1]! - host[0]!];
  const counts = (data: NumberArray) => data.every((v, i) => Number.isInteger(v) && v === start + step * i);
  return counts(host) && counts(other.host) ? { start, step } : undefined;
}

function narrowed({ host, shape, dtype }: Entry, other: Shape): Narrow | undefined {
  if (!host || shape.length !== other.length || sameShape(shape, other)) return undefined;
  const narrow = [...shape];
  let data = host;
  for (const [axis, size] of shape.entries()) {
    const first = firstIfEqual(data, size, elements(shape.slice(axis + 1)));
    if (first) {
      narrow[axis] = 1;
      data = first;
    } else if (size !== other[axis]) return undefined;
  }
  return { shape: narrow, dtype, data };
}

/** The first of each `size` blocks of `inner` elements that follow each other, if all of those are equal. */
function firstIfEqual(data: NumberArray, size: number, inner: number): NumberArray | undefined {
  const first = data.filter((_, i) => i % (size * inner) < inner);
  const source = (i: number) => Math.floor(i / (size * inner)) * inner + (i % inner);
  return data.every((v, i) => Object.is(v, first[source(i)])) ? first : undefined;
}
