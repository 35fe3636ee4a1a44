import { engine, registerBackend } from '@tensorflow/tfjs-core';
import { Tensor } from 'onnxruntime-node';
import { channelBlock } from './channel_block.ts';
import { correctGradients } from './gradients.ts';
import { KERNELS } from './kernels/table.ts';
import { serializeModel } from './model.ts';
import {
  changedConstants,
  collectJob,
  compileJob,
  inputName,
  type Job,
  outputName,
  type Plan,
} from './plan.ts';
import { registerKernels } from './record.ts';
import { loadSession, type Session } from './session.ts';
import { type NumberArray, sameShape } from './shapes.ts';
import { watchOptimizerSteps } from './steps.ts';
import { type Entry, type RecordedKernel, TensorStorage } from './storage.ts';

export interface OnnxBackendOptions {
  /** Name for `tf.setBackend`. Default `onnx`. */
  name?: string;
  /** Threads inside one operator. Default 1. */
  threads?: number;
  /** onnxruntime execution providers, best first. Default `['cpu']`. */
  executionProviders?: string[];
  /** Compiled graphs kept; each owns memory of the size of its intermediate results. Default 8. */
  maxSessions?: number;
  /** Beginning of the path of onnxruntime's profile of each graph, written when the backend is disposed of. */
  profile?: string;
}

/** Counters since the backend was made. */
export interface BackendStatistics {
  /** Kernels recorded. */
  readonly records: number;
  /** Graphs compiled. */
  readonly compiles: number;
  /** Compiled graphs kept now. */
  readonly sessions: number;
  /** Graphs run by onnxruntime. */
  readonly runs: number;
  /** Milliseconds spent compiling. */
  readonly compileMilliseconds: number;
  /** Small kernels computed on the host instead of recorded. */
  readonly eager: number;
  /** Runs that a synchronous read or an optimizer step asked for, without giving the event loop a turn. */
  readonly syncRuns: number;
}

/** A step's graph of an ordinary model has hundreds of records; beyond this, nobody is reading: run what is there. */
const MAX_RECORDS = 20_000;

/**
 * Registers the TensorFlow.js backend that records kernels and runs them with onnxruntime. Afterwards
 * `await tf.setBackend('onnx')` and unmodified `model.fit` train on it. Returns a function that gives the backend
 * once `setBackend` has made it. `tf.removeBackend('onnx')` takes everything back.
 */
export function registerOnnxBackend(options: OnnxBackendOptions = {}): () => OnnxBackend {
  const name = options.name ?? 'onnx';
  let backend: OnnxBackend | undefined;
  const current = () => {
    if (!backend)
      throw new Error(`backend ${name} does not exist yet: call await tf.setBackend('${name}') first`);
    return backend;
  };
  const made = registerBackend(
    name,
    () => {
      const undo: Array<() => void> = [];
      backend = new OnnxBackend(options, () => {
        for (const step of undo) step();
      });
      undo.push(registerKernels(name, KERNELS, current));
      const active = () => engine().backendName === name;
      undo.push(watchOptimizerSteps(() => (active() ? backend : undefined)));
      undo.push(correctGradients(active));
      return backend;
    },
    0,
  );
  if (!made)
    throw new Error(
      `a TensorFlow.js backend named ${name} is registered already; remove it or choose another`,
    );
  return current;
}

interface CompiledJob {
  plan: Plan;
  session: Session;
  /** Leaves that were constants once and changed since. */
  variable: Set<number>;
}

/** See registerOnnxBackend. Computing happens when data is read, and before each new optimizer step. */
export class OnnxBackend extends TensorStorage {
  readonly #options: Required<Omit<OnnxBackendOptions, 'name' | 'profile'>>;
  readonly #profiling: { enableProfiling?: boolean; profileFilePrefix?: string };
  readonly #onDispose: () => void;
  readonly #pending = new Set<Entry>();
  /** In order of last use. */
  readonly #compiled = new Map<string, CompiledJob>();
  readonly #statistics = { records: 0, compiles: 0, runs: 0, compileMilliseconds: 0, eager: 0, syncRuns: 0 };
  readonly #channelBlock: number | undefined;
  #recordsSinceRun = 0;
  #stepWaits = false;
  #disposed = false;
  readonly storage = this;

  constructor(options: OnnxBackendOptions, onDispose: () => void) {
    super();
    const { threads = 1, executionProviders = ['cpu'], maxSessions = 8 } = options;
    if (!Number.isInteger(threads) || threads < 1)
      throw new Error(`threads must be a whole number from 1, not ${threads}`);
    if (!Number.isInteger(maxSessions) || maxSessions < 1)
      throw new Error(`maxSessions must be a whole number from 1, not ${maxSessions}`);
    this.#options = { threads, executionProviders, maxSessions };
    const { profile } = options;
    this.#profiling = profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile };
    this.#onDispose = onDispose;
    // Only the CPU has these operators.
    this.#channelBlock = executionProviders.every((name) => name === 'cpu') ? channelBlock() : undefined;
  }

  get statistics(): BackendStatistics {
    return { ...this.#statistics, sessions: this.#compiled.size };
  }

  readonly recorded = (record: RecordedKernel): void => {
    for (const output of record.outputs) this.#pending.add(output);
    this.#statistics.records++;
    if (++this.#recordsSinceRun > MAX_RECORDS) this.flush();
  };

  readonly computedOnHost = (): void => {
    this.#statistics.eager++;
  };

  /** Gives the event loop a turn, then computes. (onnxruntime-node's own asynchronous run does no more.) */
  override async read(dataId: object): Promise<NumberArray> {
    const entry = this.data.get(dataId);
    if (entry.record) await new Promise((resolve) => setImmediate(resolve));
    if (entry.record) this.#run(this.#pending.add(entry));
    return hostOf(entry);
  }

  override readSync(dataId: object): NumberArray {
    const entry = this.data.get(dataId);
    if (entry.record) {
      this.#pending.add(entry); // missing there only after a run that failed
      this.flush();
    }
    return hostOf(entry);
  }

  override async time(f: () => void): Promise<{ kernelMs: number }> {
    const start = performance.now();
    f();
    this.flush();
    return { kernelMs: performance.now() - start };
  }

  /** Computes, now, every recorded tensor that is still alive. */
  flush(): void {
    if (this.#pending.size === 0) return;
    this.#statistics.syncRuns++;
    this.#run(this.#pending);
  }

  /** An optimizer starts a step: computes the last one, unless somebody has read a result since. */
  beginStep(): void {
    if (this.#stepWaits) this.flush();
  }

  endStep(): void {
    this.#stepWaits = true;
  }

  override dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const { session } of this.#compiled.values()) session.dispose();
    this.#compiled.clear();
    this.#onDispose();
  }

  protected override dropped(entry: Entry): void {
    this.#pending.delete(entry);
  }

  /** Should it fail, its tensors are left alone until somebody reads one: one bad kernel must not block all others. */
  #run(wanted: ReadonlySet<Entry>): void {
    if (this.#disposed)
      throw new Error('this onnx backend was disposed of; its tensors cannot be computed any more');
    const job = collectJob(wanted);
    this.#pending.clear();
    const { plan, session } = this.#compile(job);
    const feeds: Record<string, Tensor> = {};
    for (const i of plan.inputs) feeds[inputName(i)] = tensorOf(job.leaves[i]!);
    const names = job.roots.map((_, i) => outputName(i));
    const results = session.run(feeds, names);
    this.#statistics.runs++;
    this.#recordsSinceRun = 0;
    this.#stepWaits = false;
    job.roots.forEach((root, i) => {
      const result = results[names[i]!]!;
      if (!sameShape(result.dims, root.shape))
        throw new Error(
          `${root.record?.kernel} gave shape [${result.dims}], TensorFlow.js expects [${root.shape}]`,
        );
      root.computed = result;
      root.record = undefined;
    });
  }

  #compile(job: Job): CompiledJob {
    const known = this.#compiled.get(job.key);
    const changed = known ? changedConstants(job, known.plan.constants) : [];
    if (known && changed.length === 0) {
      this.#compiled.delete(job.key);
      this.#compiled.set(job.key, known);
      return known;
    }
    const start = performance.now();
    known?.session.dispose();
    this.#compiled.delete(job.key);
    this.#evict();
    const variable = new Set([...(known?.variable ?? []), ...changed]);
    const plan = compileJob(job, variable, this.#channelBlock);
    const session = loadSession(serializeModel(plan.graph), {
      executionProviders: this.#options.executionProviders,
      intraOpNumThreads: this.#options.threads,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // Threads that wait in a loop take the processor from each other, unless there is one for each of them alone.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      ...this.#profiling,
    });
    const made = { plan, session, variable };
    this.#compiled.set(job.key, made);
    this.#statistics.compiles++;
    this.#statistics.compileMilliseconds += performance.now() - start;
    return made;
  }

  #evict(): void {
    for (const [key, { session }] of this.#compiled) {
      if (this.#compiled.size < this.#options.maxSessions) return;
      session.dispose();
      this.#compiled.delete(key);
    }
  }
}

function hostOf(entry: Entry): NumberArray {
  if (entry.host) return entry.host;
  if (!entry.computed) throw new Error('a tensor was read that nothing has computed');
  entry.host = entry.computed.data as NumberArray;
  return entry.host;
}

function tensorOf(entry: Entry): Tensor {
  // onnxruntime's types overload the constructor by element type; entries keep type and array in step.
  entry.computed ??= new Tensor(entry.dtype as 'float32', entry.host as Float32Array, entry.shape);
  return entry.computed;
}
