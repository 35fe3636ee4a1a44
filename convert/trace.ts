import {
  engine,
  registerBackend,
  removeBackend,
  setBackend,
  Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { type Narrow, type Ramp, ramp, repeated, repeatedConstants } from './broadcast.ts';
import { mergeTraces } from './dynamic.ts';
import { Graph, ONNX_TYPE, type OnnxType } from './graph.ts';
import { KERNELS } from './kernels/table.ts';
import { serializeModel } from './model.ts';
import { collectJob, emitJob, type Job } from './plan.ts';
import { registerKernels } from './record.ts';
import { type Shape, uniformValue } from './shapes.ts';
import { type Entry, TensorStorage } from './storage.ts';
import { type DataType, plain, type Value } from './values.ts';

/** One input of a traced function. */
export interface InputSpec {
  name: string;
  /** `null` stands for the batch size; every null is the same number, called N in the file. */
  shape: ReadonlyArray<number | null>;
  /** Default float32. A `uint8` input is cast inside the graph: the function sees float32 tensors of 0 to 255. */
  dtype?: 'float32' | 'int32' | 'bool' | 'uint8';
}

/** Element type of an output in the file; `uint8` rounds (half to even) and clips to 0..255. */
export type OutputType = 'uint8' | 'float32' | 'int32' | 'bool';

export interface TraceOptions {
  /** Types of outputs by name; without an entry the tensor's own. */
  outputTypes?: Readonly<Record<string, OutputType>>;
}

/** A function of tensors that is to become a graph: record keys are the names of the outputs. */
export type TracedFunction = (...inputs: Tensor[]) => Record<string, Tensor>;

/**
 * Batch sizes to trace with: two primes, so that sizes which depend on the batch are told from those which do not,
 * below 32, because a layers model's `predict` cuts larger batches in pieces.
 */
const BATCHES = [29, 31] as const;

const BACKEND = 'plumbline-trace';

/**
 * Records what `fn` does with tensors and returns it as a serialised ONNX model (IR 8, opset 18, operators of the
 * standard only). Equal functions on equal weights give equal bytes.
 *
 * `fn` may use tensors of any backend, for instance a model trained under tfjs-node: their values are read from that
 * backend and copied into the file, the tensors themselves stay where they are. While tracing, another TensorFlow.js
 * backend is current; afterwards the one before is again. `fn` must not read values (`dataSync`), and is called twice
 * when the batch size is open. What it does must not depend on the batch size nor on random numbers.
 *
 * Throws UnsupportedKernelError where a kernel has no translation.
 */
export function trace(
  fn: TracedFunction,
  inputs: readonly InputSpec[],
  options: TraceOptions = {},
): Uint8Array {
  if (inputs.length === 0) throw new Error('trace needs at least one input');
  if (inputs.some(({ name }) => !name)) throw new Error('every input needs a name');
  const open = inputs.some((i) => i.shape.includes(null));
  const first = record(fn, inputs, BATCHES[0]);
  if (!open)
    return serializeModel(buildGraph(first, new Map(), inputs, options).finish({ keepInputs: true }));
  const second = record(fn, inputs, BATCHES[1]);
  const graphs = [
    buildGraph(first, repeatedConstants(first.job, second.job), inputs, options),
    buildGraph(second, repeatedConstants(second.job, first.job), inputs, options),
  ] as const;
  return serializeModel(mergeTraces(...graphs, BATCHES).finish({ keepInputs: true }));
}

/** Shapes of what `fn` returns, by name; nothing is computed. Every size of the inputs must be given. */
export function traceShapes(fn: TracedFunction, inputs: readonly InputSpec[]): Record<string, Shape> {
  const { outputs } = record(fn, inputs, BATCHES[0]);
  return Object.fromEntries(outputs.map(({ name, entry }) => [name, entry.shape]));
}

/** What a function did with tensors of one batch size. */
interface Recording {
  readonly batch: number;
  readonly outputs: ReadonlyArray<{ readonly name: string; readonly entry: Entry }>;
  readonly job: Job;
}

function record(fn: TracedFunction, specs: readonly InputSpec[], batch: number): Recording {
  const storage = new TraceStorage();
  return withBackend(storage, () => {
    const placeholders = specs.map((spec) => placeholder(storage, spec, batch));
    const results = Object.entries(fn(...placeholders));
    if (results.length === 0)
      throw new Error('the traced function returned no outputs; return { name: tensor }');
    const outputs = results.map(([name, tensor]) => {
      if (!(tensor instanceof Tensor))
        throw new Error(`the traced function's output ${name} is not a tensor`);
      return { name, entry: storage.entryOf(tensor) };
    });
    return { batch, outputs, job: collectJob(new Set(outputs.map((o) => o.entry))) };
  });
}

function buildGraph(
  { batch, outputs, job }: Recording,
  repeatedLeaves: ReadonlyMap<Entry, Narrow | Ramp>,
  specs: readonly InputSpec[],
  options: TraceOptions,
): Graph {
  const reserved = [...specs.map((s) => s.name), ...outputs.map((o) => o.name)];
  if (new Set(reserved).size !== reserved.length)
    throw new Error(`inputs and outputs need different names, got ${reserved.join(', ')}`);
  const g = new Graph({ portable: true, poolIndices: false, reserved });
  const inputs = new Map(specs.map((spec) => [spec.name, inputName(g, spec, batch)]));
  const leaf = (entry: Entry): Partial<Value> => {
    if (entry.placeholder !== undefined) return { plain: inputs.get(entry.placeholder)! };
    const uniform = uniformValue(entry.host!);
    if (uniform !== undefined) return { fill: uniform };
    const narrow = repeatedLeaves.get(entry);
    if (narrow && 'step' in narrow) return ramp(g, narrow, entry);
    if (narrow) return repeated(narrow, g.weight(narrow.dtype, narrow.shape, narrow.data));
    return { plain: g.weight(entry.dtype, entry.shape, entry.host!) };
  };
  const roots = new Map(emitJob(job, g, leaf).map((value, i) => [job.roots[i]!, value]));
  for (const { name, entry } of outputs) {
    const type = options.outputTypes?.[name] ?? entry.dtype;
    g.output(asType(g, plain(g, roots.get(entry)!), entry.dtype, type), { name, type, dims: entry.shape });
  }
  return g;
}

function inputName(g: Graph, { name, shape, dtype = 'float32' }: InputSpec, batch: number): string {
  g.input({ name, type: dtype, dims: shape.map((d) => d ?? batch) });
  return dtype === 'uint8' ? g.cast(name, 'float32') : name;
}

function asType(g: Graph, name: string, from: OnnxType, to: OutputType): string {
  if (from === to) return name;
  if (to !== 'uint8') return g.op('Cast', [name], { to: ONNX_TYPE[to] });
  const float = from === 'float32' ? name : g.cast(name, 'float32');
  return g.cast(g.op('Clip', [g.op('Round', [float]), g.scalar(0), g.scalar(255)]), 'uint8');
}

function placeholder(
  storage: TraceStorage,
  { name, shape, dtype = 'float32' }: InputSpec,
  batch: number,
): Tensor {
  const type: DataType = dtype === 'uint8' ? 'float32' : dtype;
  const dims = shape.map((d) => d ?? batch);
  const sequence = storage.nextSequence();
  const entry: Entry = {
    shape: dims,
    dtype: type,
    origin: 'recorded',
    placeholder: name,
    references: 1,
    sequence,
  };
  return engine().makeTensorFromDataId(storage.add(entry), dims, type);
}

/** Runs `action` with `storage` as TensorFlow.js' current backend, and disposes of the tensors it makes. */
function withBackend<T>(storage: TraceStorage, action: () => T): T {
  const previous = engine().backendName as string | null;
  if (!registerBackend(BACKEND, () => storage, 0))
    throw new Error('a traced function must not call trace itself');
  const unregister = registerKernels(BACKEND, KERNELS, () => storage);
  try {
    // An async function, but with a ready backend it has done its work when it returns its promise.
    void setBackend(BACKEND);
    engine().startScope('trace');
    try {
      return action();
    } finally {
      engine().endScope();
    }
  } finally {
    unregister();
    removeBackend(BACKEND);
    if (previous !== null) void setBackend(previous);
  }
}

/** Records everything, computes nothing; copies what it needs from other backends. */
class TraceStorage extends TensorStorage {
  readonly storage = this;
  readonly #copies = new WeakMap<object, Entry>();

  recorded(): void {}

  computedOnHost(): void {}

  /** Holds nothing but host memory; whatever the function made and kept stays readable. */
  override dispose(): void {}

  /** A tensor of another backend is read there and stays there: the model goes on training afterwards. */
  override entryOf(tensor: Pick<TensorInfo, 'dataId' | 'shape' | 'dtype'>): Entry {
    if (this.data.has(tensor.dataId)) return this.data.get(tensor.dataId);
    const known = this.#copies.get(tensor.dataId);
    if (known) return known;
    const values = engine().readSync(tensor.dataId);
    const copy = this.hostEntry(values, tensor.shape as Shape, tensor.dtype, 'derived');
    this.#copies.set(tensor.dataId, copy);
    return copy;
  }

  override readSync(dataId: object): Float32Array | Int32Array | Uint8Array {
    const { host } = this.data.get(dataId);
    if (host) return host;
    throw new Error(
      'the function being traced reads a value (dataSync, arraySync, data). A graph cannot depend on values: ' +
        'express the step with tensor operations',
    );
  }

  override async read(dataId: object): Promise<Float32Array | Int32Array | Uint8Array> {
    return this.readSync(dataId);
  }
}
