import type { Job } from './plan.ts';
import { elements, type NumberArray, type Shape, sameShape } from './shapes.ts';
import type { Entry } from './storage.ts';
import type { DataType, Value } from './values.ts';

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
 * axis where it repeats. One whose elements differ along the batch is left out: no graph can hold it.
 */
export function repeatedConstants(job: Job, other: Job): ReadonlyMap<Entry, Narrow> {
  const found = new Map<Entry, Narrow>();
  if (job.leaves.length !== other.leaves.length) return found;
  job.leaves.forEach((leaf, i) => {
    const narrow = narrowed(leaf, other.leaves[i]!.shape);
    if (narrow) found.set(leaf, narrow);
  });
  return found;
}

/** `narrow`, broadcast; an operator that broadcasts itself takes it as it is. */
export function repeated({ shape, dtype }: Narrow, name: string): Partial<Value> {
  return { spread: { shape, dtype, plain: name, uses: 1 } };
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
