/** Whether a function does with a third batch size what it does with two others, kernel by kernel. */
import { sameBytes } from './graph.ts';
import type { Job } from './plan.ts';
import { elements, sameShape, uniformValue } from './shapes.ts';
import type { Entry, RecordedKernel } from './storage.ts';

/** What three batch sizes say of one thing. */
export type Three<T> = readonly [first: T, second: T, further: T];

/** Where the third recording is not what the other two say. */
export interface Difference {
  /** Such as `kernel Slice`. */
  readonly what: string;
  /** The layer or node that it comes from. */
  readonly place: string | undefined;
}

/**
 * The first kernel, size, setting or constant of the third job that does not lie on the straight line through the other
 * two; nothing where they are one program. `slope` is how far the batch has grown there, from the first, in steps from the
 * first to the second. The kernels themselves must be equal, so that it does not matter how a graph of
 * them looks: operators are chosen by sizes, and with a batch of 1 some fall away.
 */
export function differenceOfJobs(jobs: Three<Job>, slope: number): Difference | undefined {
  const [a, b, c] = jobs;
  const positions = jobs.map(positionsOf) as unknown as Three<ReadonlyMap<Entry, string>>;
  const fits = (x: unknown, y: unknown, z: unknown) => onLine(x, y, z, slope);
  for (const [i, record] of a.records.entries()) {
    const three = [record, b.records[i], c.records[i]] as Three<RecordedKernel>;
    const place = three[2]?.place ?? record.place;
    const [x, y, z] = three.map((one, k) => one && described(one, positions[k]!));
    if (!fits(x, y, z)) return { what: `kernel ${three[2]?.kernel ?? record.kernel}`, place };
  }
  const extra = c.records[a.records.length];
  if (extra) return { what: `kernel ${extra.kernel}`, place: extra.place };
  for (const [i, leaf] of a.leaves.entries()) {
    const three = [leaf, b.leaves[i], c.leaves[i]] as Three<Entry>;
    const [x, y, z] = three.map(
      (one) => one && { shape: one.shape, dtype: one.dtype, name: one.placeholder ?? '' },
    );
    if (fits(x, y, z) && sameValues(leaf, three[2])) continue;
    const reader = a.records.find(({ inputs }) => inputs.some(({ entry }) => entry === leaf));
    return { what: 'a constant', place: reader?.place };
  }
  const roots = jobs.map(({ roots: wanted }, k) => wanted.map((entry) => positions[k]!.get(entry)).join());
  return roots[0] === roots[2] ? undefined : { what: 'what an output is made of', place: undefined };
}

/** Each tensor of a job by where it comes from, equal for equal programs. */
function positionsOf(job: Job): ReadonlyMap<Entry, string> {
  const positions = new Map<Entry, string>(job.leaves.map((leaf, i) => [leaf, `leaf ${i}`]));
  job.records.forEach(({ outputs }, i) => {
    outputs.forEach((output, k) => {
      positions.set(output, `record ${i}.${k}`);
    });
  });
  return positions;
}

function described(
  { kernel, attrs, inputs, outputs }: RecordedKernel,
  positions: ReadonlyMap<Entry, string>,
) {
  // TensorFlow.js broadcasts to a batch of 1 by copying.
  const copy = kernel === 'Identity';
  return {
    kernel: copy ? 'Tile' : kernel,
    attrs: copy ? { reps: outputs[0]!.shape.map(() => 1) } : attrs,
    inputs: inputs.map(({ name, entry, shape }) => ({ name, shape, from: positions.get(entry)! })),
    outputs: outputs.map(({ shape, dtype }) => ({ shape, dtype })),
  };
}

/** Numbers on a line, everything else equal, however deeply nested. */
function onLine(x: unknown, y: unknown, z: unknown, slope: number): boolean {
  if (typeof x === 'number') return Object.is(x, y) ? Object.is(x, z) : x + slope * (Number(y) - x) === z;
  if (typeof x !== 'object' || x === null) return x === z;
  if (typeof y !== 'object' || y === null || typeof z !== 'object' || z === null) return false;
  if ('toJSON' in x) return JSON.stringify(x) === JSON.stringify(z);
  const keys = Object.keys(x);
  if (keys.length !== Object.keys(z).length) return false;
  const at = (of: object, key: string) => (of as Record<string, unknown>)[key];
  return keys.every((key) => onLine(at(x, key), at(y, key), at(z, key), slope));
}

/** Whether two constants are equal as far as both reach along each axis. */
function sameValues(a: Entry, b: Entry): boolean {
  const [x, y] = [a.host, b.host];
  if (!x || !y || x === y) return x === y;
  if (sameShape(a.shape, b.shape)) return sameBytes(x, y);
  const [one, other] = [uniformValue(x), uniformValue(y)];
  if (one !== undefined && other !== undefined) return Object.is(one, other);
  const both = a.shape.map((size, axis) => Math.min(size, b.shape[axis]!));
  for (let i = 0; i < elements(both); i++) {
    let [rest, inA, inB, strideA, strideB] = [i, 0, 0, 1, 1];
    for (let axis = both.length - 1; axis >= 0; axis--) {
      const at = rest % both[axis]!;
      rest = Math.floor(rest / both[axis]!);
      inA += at * strideA;
      inB += at * strideB;
      strideA *= a.shape[axis]!;
      strideB *= b.shape[axis]!;
    }
    if (!Object.is(x[inA], y[inB])) return false;
  }
  return true;
}
