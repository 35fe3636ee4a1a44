import { Graph } from './graph.ts';
import { fuseRectifiers } from './kernels/blocked.ts';
import { sameShape, uniformValue } from './shapes.ts';
import type { Entry, RecordedKernel } from './storage.ts';
import { plain, type Value, view } from './values.ts';

/** Everything that must run to compute some tensors. */
export interface Job {
  /** In order of recording. */
  readonly records: readonly RecordedKernel[];
  /** Tensors that exist already (or are placeholders), in order of first use. */
  readonly leaves: readonly Entry[];
  /** Tensors to compute, in order of recording. */
  readonly roots: readonly Entry[];
  /** Equal for jobs that compile to the same graph up to constants. */
  readonly key: string;
}

/** A compiled job: the graph, which leaves it reads as inputs (by index), and which it holds as constants. */
export interface Plan {
  readonly graph: Graph;
  readonly inputs: readonly number[];
  readonly constants: ReadonlyMap<number, number>;
}

/** Collects the records that the roots depend on and have not run. */
export function collectJob(wanted: ReadonlySet<Entry>): Job {
  const roots = [...wanted].sort((a, b) => a.sequence - b.sequence);
  const found = new Set<RecordedKernel>();
  const stack = roots.flatMap((e) => e.record ?? []);
  for (let record = stack.pop(); record; record = stack.pop()) {
    if (found.has(record)) continue;
    found.add(record);
    for (const { entry } of record.inputs) if (entry.record) stack.push(entry.record);
  }
  const records = [...found].sort((a, b) => a.sequence - b.sequence);
  return { records, roots, ...describe(records, roots) };
}

function describe(
  records: readonly RecordedKernel[],
  roots: readonly Entry[],
): { leaves: Entry[]; key: string } {
  const position = new Map<Entry, string>();
  const leaves: Entry[] = [];
  let key = '';
  const locate = (entry: Entry): string => {
    const known = position.get(entry);
    if (known !== undefined) return known;
    const at = `L${leaves.length}`;
    position.set(entry, at);
    leaves.push(entry);
    key += `${entry.dtype}[${entry.shape}]`;
    return at;
  };
  records.forEach((record, i) => {
    key += `${record.kernel}${attributesKey(record.attrs)}(`;
    for (const { entry, shape } of record.inputs) {
      const at = locate(entry);
      key += sameShape(shape, entry.shape) ? `${at},` : `${at}[${shape}],`;
    }
    key += ')';
    record.outputs.forEach((output, k) => {
      position.set(output, `${i}.${k}`);
    });
  });
  const wanted = roots.map(locate).join(); // a root that is itself a leaf: an input handed through
  return { leaves, key: `${key}>${wanted}` };
}

function attributesKey(attrs: Record<string, unknown>): string {
  return JSON.stringify(attrs, (_, value) =>
    typeof value === 'number' && !Number.isFinite(value) ? `${value}` : value,
  );
}

/** Emits a job's records into `g` and returns the value of each root; `leafValue` says how each leaf gets in. */
export function emitJob(
  job: Job,
  g: Graph,
  leafValue: (leaf: Entry, index: number) => Partial<Value>,
): Value[] {
  const values = new Map<Entry, Value>();
  const make = ({ shape, dtype }: Entry): Value => ({ shape, dtype, uses: 0 });
  job.leaves.forEach((leaf, i) => {
    values.set(leaf, { ...make(leaf), ...leafValue(leaf, i) });
  });
  for (const record of job.records) {
    for (const output of record.outputs) values.set(output, make(output));
    for (const { entry } of record.inputs) values.get(entry)!.uses++;
  }
  for (const root of job.roots) values.get(root)!.uses += 2; // its name is wanted outside: never fused away
  for (const record of job.records) {
    const inputs = record.inputs.map(
      ({ name, entry, shape }) => [name, view(g, values.get(entry)!, shape)] as const,
    );
    const outputs = record.outputs.map((output) => values.get(output)!);
    g.place = record.place;
    record.handler.emit(g, Object.fromEntries(inputs), record.attrs, outputs);
  }
  g.place = undefined;
  return job.roots.map((root) => values.get(root)!);
}

/** Whether a graph of these records needs the positions of pooled maxima. */
export function wantsPoolIndices(job: Job): boolean {
  return job.records.some(({ kernel }) => kernel === 'MaxPoolGrad' || kernel === 'MaxPool3DGrad');
}

/**
 * Compiles a job. Tensors that the caller wrote and whose elements are all equal (scalars, ones) go into the graph
 * as constants, so that emitters can simplify; `variable` holds the leaves that were seen to change, which do not.
 */
export function compileJob(job: Job, variable: ReadonlySet<number>, channelBlock: number | undefined): Plan {
  const constants = new Map<number, number>();
  job.leaves.forEach((leaf, i) => {
    const value = variable.has(i) ? undefined : constantOf(leaf);
    if (value !== undefined) constants.set(i, value);
  });
  const poolIndices = wantsPoolIndices(job);
  const graph = new Graph({ portable: false, poolIndices, channelBlock, reserved: [] });
  const roots = emitJob(job, graph, (leaf, i) => {
    const value = constants.get(i);
    if (value !== undefined) return { fill: value };
    return { plain: graph.input({ name: inputName(i), type: leaf.dtype, dims: leaf.shape }) };
  });
  roots.forEach((root, i) => {
    graph.output(plain(graph, root), { name: outputName(i), type: root.dtype, dims: root.shape });
  });
  graph.finish({ keepInputs: false });
  fuseRectifiers(graph);
  const inputs = graph.inputs.map((port) => Number(port.name.slice(inputName('').length)));
  return { graph, inputs, constants };
}

/** Leaves that the plan holds as constants and that have another value now. */
export function changedConstants(job: Job, constants: ReadonlyMap<number, number>): number[] {
  return [...constants].filter(([i, value]) => !Object.is(constantOf(job.leaves[i]!), value)).map(([i]) => i);
}

export function inputName(index: number | string): string {
  return `input${index}`;
}

export function outputName(index: number): string {
  return `output${index}`;
}

function constantOf(leaf: Entry): number | undefined {
  return leaf.origin === 'written' && leaf.host ? uniformValue(leaf.host) : undefined;
}
