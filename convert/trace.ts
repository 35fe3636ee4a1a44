import type { Tensor } from '@tensorflow/tfjs-core';
import { type Narrow, type Ramp, ramp, repeated, repeatedConstants } from './broadcast.ts';
import { mergeTraces } from './dynamic.ts';
import { foldUpsampling } from './fold_upsampling.ts';
import { Graph, ONNX_TYPE, type OnnxType } from './graph.ts';
import { serializeModel } from './model.ts';
import { BatchError, FIX_BATCH, type Fixed, requireSameAt, unchanged } from './other_batches.ts';
import { emitJob, wantsPoolIndices } from './plan.ts';
import { openRecording, type Recording, type RecordingOptions } from './recording.ts';
import { type Shape, uniformValue } from './shapes.ts';
import type { Entry } from './storage.ts';
import { plain, type Value } from './values.ts';

/** One input of a traced function. */
export interface InputSpec {
  name: string;
  /** `null` stands for the batch size; every null is the same number, called N in the file. */
  shape: ReadonlyArray<number | null>;
  /** Default float32. A `uint8` input is cast inside the graph: the function sees float32 tensors of 0 to 255. */
  dtype?: 'float32' | 'int32' | 'bool' | 'uint8';
}

const INPUT_TYPES: readonly string[] = ['float32', 'int32', 'bool', 'uint8'];

/** Element type of an output in the file; `uint8` rounds (half to even) and clips to 0..255. */
export type OutputType = 'uint8' | 'float32' | 'int32' | 'bool';

export interface TraceOptions extends RecordingOptions {
  /** Types of outputs by name; without an entry the tensor's own. */
  outputTypes?: Readonly<Record<string, OutputType>>;
  /** Operator set of the file, 13 to 22. Default 18. */
  opset?: number;
}

/** A function of tensors that is to become a graph: record keys are the names of the outputs. */
export type TracedFunction = (...inputs: Tensor[]) => Record<string, Tensor>;

/** The same, of a function that awaits something, as graph models with control flow do. */
export type AsyncTracedFunction = (...inputs: Tensor[]) => Promise<Record<string, Tensor>>;

/** Batch sizes to trace with: two primes, so that sizes which depend on the batch are told from those which do not. */
const BATCHES = [29, 31] as const;

/**
 * Batch sizes at which the file must say what the function does, too, smallest first: what is frozen between 29 and 31 by
 * a limit, a remainder or a comparison shows at one that is far away, or even.
 */
const FURTHER = [1, 2, 254];

/**
 * Records what `fn` does with tensors and returns it as a serialised ONNX model (IR 8, opset 18, operators of the
 * standard only). Equal functions on equal weights give equal bytes.
 *
 * `fn` may use tensors of any backend, for instance a model trained under tfjs-node: their values are read from that
 * backend and copied into the file, the tensors themselves stay where they are. While tracing, another TensorFlow.js
 * backend is current; afterwards the one before is again. `fn` must not read values (`dataSync`). It is called
 * with several batch sizes (BATCHES, FURTHER), twice where none is open: it must do the same with each, in proportion, and
 * draw no random numbers.
 *
 * Throws UnsupportedKernelError where a kernel has no translation.
 */
export function trace(
  fn: TracedFunction,
  inputs: readonly InputSpec[],
  options: TraceOptions = {},
): Uint8Array {
  const joining = new Joining(inputs, options);
  for (const batch of batchesOf(inputs))
    try {
      joining.add(record(fn, inputs, batch, joining.options));
    } catch (cause) {
      throw atBatch(batch, cause);
    }
  return joining.finish();
}

/** As `trace`, of an async function. Until it is done nothing else may use TensorFlow.js. */
export async function traceAsync(
  fn: AsyncTracedFunction,
  inputs: readonly InputSpec[],
  options: TraceOptions = {},
): Promise<Uint8Array> {
  const joining = new Joining(inputs, options);
  for (const batch of batchesOf(inputs)) {
    const recording = openRecording(inputs, batch, joining.options);
    try {
      joining.add(recording.finish(await fn(...recording.placeholders)));
    } catch (cause) {
      throw atBatch(batch, cause);
    } finally {
      recording.end();
    }
  }
  return joining.finish();
}

/** An error of a function that goes on with other batch sizes. */
function atBatch(batch: number, cause: unknown): unknown {
  if (!FURTHER.includes(batch) || cause instanceof BatchError) return cause;
  return new BatchError(
    `${(cause as Error).message}\nThis happens with a batch of ${batch}, not with ${BATCHES.join(' or ')}: ${FIX_BATCH}`,
    { cause },
  );
}

/** Shapes of what `fn` returns, by name; nothing is computed. Every size of the inputs must be given. */
export function traceShapes(fn: TracedFunction, inputs: readonly InputSpec[]): Record<string, Shape> {
  const { outputs } = record(fn, inputs, BATCHES[0], {});
  return Object.fromEntries(outputs.map(({ name, entry }) => [name, entry.shape]));
}

/** At least two: what differs is either the batch size or random. */
function batchesOf(inputs: readonly InputSpec[]): readonly number[] {
  if (inputs.length === 0) throw new Error('trace needs at least one input');
  if (inputs.some(({ name }) => !name)) throw new Error('every input needs a name');
  for (const { name, shape, dtype = 'float32' } of inputs) {
    if (!INPUT_TYPES.includes(dtype))
      throw new Error(`input ${name} is of type ${dtype}; it must be one of ${INPUT_TYPES.join(', ')}`);
    if (!shape.every((d) => d === null || (Number.isInteger(d) && d >= 0)))
      throw new Error(
        `input ${name} has shape [${shape.map(String)}]; every size must be a whole number, or null for the batch`,
      );
  }
  return inputs.some((i) => i.shape.includes(null)) ? [...BATCHES, ...FURTHER] : [1, 1];
}

function record(
  fn: TracedFunction,
  specs: readonly InputSpec[],
  batch: number,
  options: RecordingOptions,
): Recording {
  const recording = openRecording(specs, batch, options);
  try {
    return recording.finish(fn(...recording.placeholders));
  } finally {
    recording.end();
  }
}

/** One graph out of recordings with several batch sizes, of which the first two say what it is. */
class Joining {
  /** How to make each of the recordings. */
  readonly options: RecordingOptions;
  readonly #inputs: readonly InputSpec[];
  readonly #traceOptions: TraceOptions;
  #first: Recording | undefined;
  #joined: { readonly merged: Graph; readonly fixed: readonly [Fixed, Fixed] } | undefined;

  constructor(inputs: readonly InputSpec[], options: TraceOptions) {
    this.#inputs = inputs;
    this.#traceOptions = options;
    this.options = { ...options, hostWork: [] };
  }

  /** @throws Error where the graph that the first two make is not what this one does. */
  add(recording: Recording): void {
    if (!this.#first) this.#first = recording;
    else if (!this.#joined) this.#joined = this.#join(this.#first, recording);
    else {
      const graph = this.#build(recording, this.#first);
      requireSameAt({ batch: recording.batch, job: recording.job, graph }, ...this.#joined.fixed);
    }
  }

  finish(): Uint8Array {
    const graph = foldUpsampling(this.#joined!.merged).finish({ keepInputs: true });
    return serializeModel(graph, this.#traceOptions.opset);
  }

  #join(first: Recording, second: Recording) {
    const graphs = [this.#build(first, second), this.#build(second, first)] as const;
    const [a, b] = [unchanged(graphs[0]), unchanged(graphs[1])];
    const merged = mergeTraces(...graphs, [first.batch, second.batch]);
    return {
      merged,
      fixed: [
        { ...first, graph: a },
        { ...second, graph: b },
      ] as const,
    };
  }

  #build(recording: Recording, other: Recording): Graph {
    return buildGraph(
      recording,
      repeatedConstants(recording.job, other.job),
      this.#inputs,
      this.#traceOptions,
    );
  }
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
  const g = new Graph({ portable: true, poolIndices: wantsPoolIndices(job), reserved });
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
