import {
  engine,
  registerBackend,
  removeBackend,
  setBackend,
  Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { KERNELS } from './kernels/table.ts';
import { collectJob, type Job } from './plan.ts';
import { predictWhole } from './predict_whole.ts';
import { registerKernels } from './record.ts';
import type { Shape } from './shapes.ts';
import { type Entry, TensorStorage } from './storage.ts';
import type { InputSpec } from './trace.ts';
import type { DataType } from './values.ts';

const BACKEND = 'plumbline-trace';

/** A function wants to know a value that follows from its inputs, which have none while it is recorded. */
export class ReadsValueError extends Error {}

/** What a function did with tensors of one batch size. */
export interface Recording {
  readonly batch: number;
  readonly outputs: ReadonlyArray<{ readonly name: string; readonly entry: Entry }>;
  readonly job: Job;
}

export interface RecordingOptions {
  /** Compute on the host whatever depends on constants alone. */
  readonly fold?: boolean;
  /** What an earlier recording of the function computed on the host; filled by the first. */
  readonly hostWork?: HostWork;
  /** Where in the model the function just is, for errors: `layer conv_1`. */
  readonly place?: () => string | undefined;
}

/**
 * Which of its constant steps a function's first recording computed on the host, in order, being small. Those with other
 * batch sizes do the same, so that they are not told apart by how much is small with theirs.
 */
export type HostWork = boolean[];

/** A recording under way: TensorFlow.js' kernels go into it until it is ended. */
export interface OpenRecording {
  readonly placeholders: readonly Tensor[];
  finish(results: Readonly<Record<string, Tensor>>): Recording;
  /** Makes the backend before it current again and disposes of all tensors made since; call it in any case. */
  end(): void;
}

/** Makes a recording backend TensorFlow.js' current one, with a placeholder for each input. */
export function openRecording(
  specs: readonly InputSpec[],
  batch: number,
  options: RecordingOptions = {},
): OpenRecording {
  const storage = new TraceStorage(options);
  const previous = engine().backendName as string | null | undefined; // no backend yet: undefined, removed: null
  if (!registerBackend(BACKEND, () => storage, 0))
    throw new Error('a traced function must not call trace itself');
  const cutAgain = predictWhole();
  const unregister = registerKernels(BACKEND, KERNELS, () => storage);
  // An async function, but with a ready backend it has done its work when it returns its promise.
  void setBackend(BACKEND);
  engine().startScope('trace');
  const placeholders = specs.map(({ name, shape, dtype = 'float32' }) =>
    placeholder(
      storage,
      name,
      shape.map((d) => (d === null ? batch : d)),
      dtype === 'uint8' ? 'float32' : dtype,
    ),
  );
  return {
    placeholders,
    finish: (results) => {
      if (results instanceof Promise)
        throw new Error('the traced function is async; use traceAsync, or return { name: tensor } at once');
      if (
        typeof results !== 'object' ||
        results === null ||
        Array.isArray(results) ||
        results instanceof Tensor
      )
        throw new Error('the traced function must return tensors by name: { name: tensor }');
      const outputs = Object.entries(results).map(([name, tensor]) => {
        if (!(tensor instanceof Tensor))
          throw new Error(`the traced function's output ${name} is not a tensor`);
        return { name, entry: storage.entryOf(tensor) };
      });
      if (outputs.length === 0)
        throw new Error('the traced function returned no outputs; return { name: tensor }');
      return { batch, outputs, job: collectJob(new Set(outputs.map((o) => o.entry))) };
    },
    end: () => {
      engine().endScope();
      cutAgain();
      unregister();
      removeBackend(BACKEND);
      if (previous != null) void setBackend(previous);
    },
  };
}

/** While recording: the storage behind it. */
export function currentRecording(): TraceStorage | undefined {
  if (engine().backendName !== BACKEND) return undefined;
  return engine().backend as TraceStorage;
}

/** A tensor that stands for a graph input, under a name. */
export function placeholder(storage: TraceStorage, name: string, shape: number[], dtype: DataType): Tensor {
  const entry: Entry = {
    shape,
    dtype,
    origin: 'recorded',
    placeholder: name,
    references: 1,
    sequence: storage.nextSequence(),
  };
  return engine().makeTensorFromDataId(storage.add(entry), shape, dtype);
}

/** Records everything, computes nothing; copies what it needs from other backends. */
export class TraceStorage extends TensorStorage {
  readonly storage = this;
  readonly fold: boolean;
  readonly place: () => string | undefined;
  readonly onHost: ((small: boolean) => boolean) | undefined;
  readonly #copies = new WeakMap<object, Entry>();

  constructor({ fold = false, place = () => undefined, hostWork }: RecordingOptions) {
    super();
    this.fold = fold;
    this.place = place;
    let step = 0;
    this.onHost = hostWork && ((small) => (hostWork[step++] ??= small));
  }

  recorded(): void {}

  computedOnHost(): void {}

  /** Holds nothing but host memory; whatever the function made and kept stays readable. */
  override dispose(): void {}

  /** A tensor of another backend is read there and stays there: the model goes on training afterwards. */
  override entryOf(tensor: Pick<TensorInfo, 'dataId' | 'shape' | 'dtype'>): Entry {
    if (this.data.has(tensor.dataId)) return this.data.get(tensor.dataId);
    const known = this.#copies.get(tensor.dataId);
    if (known) return known;
    if (!engine().state.tensorInfo.has(tensor.dataId))
      throw new Error(
        `a tensor of shape [${tensor.shape}] that ${this.place() ?? 'the traced function'} uses was disposed of; keep it ` +
          '(tf.keep, or outside of tf.tidy) until the function was traced',
      );
    const values = engine().readSync(tensor.dataId);
    const copy = this.hostEntry(values, tensor.shape as Shape, tensor.dtype, 'derived');
    this.#copies.set(tensor.dataId, copy);
    return copy;
  }

  override readSync(dataId: object): Float32Array | Int32Array | Uint8Array {
    const { host } = this.data.get(dataId);
    if (host) return host;
    const place = this.place();
    throw new ReadsValueError(
      `${place ?? 'the function being traced'} reads a value (dataSync, arraySync, data). A graph cannot depend on ` +
        'values: express the step with tensor operations',
    );
  }

  override async read(dataId: object): Promise<Float32Array | Int32Array | Uint8Array> {
    return this.readSync(dataId);
  }
}
