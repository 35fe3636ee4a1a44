import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import {
  getKernel,
  getKernelsForBackend,
  registerKernel,
  type TensorInfo,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { type Handler, type HandlerTable, UnsupportedKernelError } from './kernels/handler.ts';
import { whyUnsupported } from './kernels/unsupported.ts';
import { elements } from './shapes.ts';
import type { Entry, RecordedKernel, TensorStorage } from './storage.ts';

/** What TensorFlow.js hands a kernel: tensors by name, or a list (AddN, Concat, Pack). */
type KernelInputs = Record<string, TensorInfo | undefined | null>;
type KernelAttrs = Record<string, unknown>;
type KernelResult = TensorInfo | TensorInfo[];

/** Host tensors up to this many elements are computed on the spot: an optimizer's scalars, index lists. */
const EAGER_ELEMENTS = { float32: 2, bool: 2, int32: 4096 } as const;

/** Kernels that cut batches out of data on the host; recorded, each batch would be a graph of its own. */
const BATCHING = new Set(['Slice', 'GatherV2']);

/** Kernels without tensor inputs that make a table of numbers. */
const GENERATORS = ['Range', 'LinSpace'];

/** Kernels whose result always is a list, even of one tensor. */
const LIST_RESULTS = new Set(['Unpack', 'SplitV']);

/** How a backend takes part in recording. */
export interface Recorder {
  readonly storage: TensorStorage;
  /** Called with each new record and the ids of its outputs. */
  recorded(record: RecordedKernel): void;
  /** Called for each kernel computed on the host instead. */
  computedOnHost(): void;
  /** Compute on the host whatever its inputs allow, however large. */
  readonly fold?: boolean;
  /** Whether to compute on the host what is small enough for it; without it, that is done. */
  readonly onHost?: ((small: boolean) => boolean) | undefined;
  /** Where in the model the recording is, for errors. */
  readonly place?: () => string | undefined;
}

/**
 * Registers, under a backend's name, a recording kernel for each entry of the table, and for every other kernel
 * that TensorFlow.js has one that throws and says so. Returns the function that takes all of them back.
 */
export function registerKernels(
  backendName: string,
  table: HandlerTable,
  recorderOf: () => Recorder,
): () => void {
  const known = (getKernelsForBackend('cpu') ?? []).map((k) => k.kernelName);
  const host = new MathBackendCPU();
  const names = new Set([...Object.keys(table), ...known, ...GENERATORS]);
  for (const kernelName of names) {
    const handler = table[kernelName];
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }): KernelResult => {
        const recorder = recorderOf();
        const call = { kernelName, inputs: inputs as KernelInputs, attrs: (attrs ?? {}) as KernelAttrs };
        if (isHostWork(recorder, call)) return computeOnHost(recorder, host, call);
        const place = recorder.place?.();
        if (!handler) throw new UnsupportedKernelError(kernelName, whyUnsupported(kernelName), place);
        try {
          return record(recorder, handler, call);
        } catch (error) {
          if (error instanceof UnsupportedKernelError && place) throw error.at(place);
          throw error;
        }
      },
    });
  }
  return () => {
    for (const kernelName of names) unregisterKernel(kernelName, backendName);
  };
}

interface KernelCall {
  kernelName: string;
  inputs: KernelInputs;
  attrs: KernelAttrs;
}

function record({ storage, recorded, place }: Recorder, handler: Handler, call: KernelCall): KernelResult {
  const inputs = present(call.inputs).map(([name, tensor]) => ({
    name,
    entry: storage.entryOf(tensor),
    shape: tensor.shape,
  }));
  const specs = Object.fromEntries(
    inputs.map(({ name, entry, shape }) => [name, { shape, dtype: entry.dtype }]),
  );
  const outputs: Entry[] = [];
  const { kernelName: kernel, attrs } = call;
  const sequence = storage.nextSequence();
  const made: RecordedKernel = { sequence, kernel, handler, attrs, inputs, outputs, place: place?.() };
  const infos = handler.outputs(specs, attrs).map(({ shape, dtype }) => {
    const sequence = storage.nextSequence();
    const entry: Entry = { shape, dtype, record: made, origin: 'recorded', references: 1, sequence };
    outputs.push(entry);
    return { dataId: storage.add(entry), shape: [...shape], dtype };
  });
  recorded(made);
  return infos.length === 1 && !LIST_RESULTS.has(kernel) ? infos[0]! : infos;
}

function present(inputs: KernelInputs): Array<[string, TensorInfo]> {
  return Object.entries(inputs).filter((pair): pair is [string, TensorInfo] => pair[1] != null);
}

function isHostWork({ storage, fold, onHost }: Recorder, { kernelName, inputs }: KernelCall): boolean {
  if (GENERATORS.includes(kernelName)) return true;
  const entries = present(inputs).map(([, tensor]) => storage.entryOf(tensor));
  if (entries.length === 0 || !entries.every((e) => e.host && e.origin !== 'recorded')) return false;
  if (fold || BATCHING.has(kernelName)) return true;
  const small = entries.every((e) => elements(e.shape) <= EAGER_ELEMENTS[e.dtype]);
  return onHost ? onHost(small) : small;
}

/** Computes with tfjs-backend-cpu. Its tensors are held weakly and vanish with their ids. */
function computeOnHost(recorder: Recorder, host: MathBackendCPU, call: KernelCall): KernelResult {
  const { storage } = recorder;
  const inputs: Record<string, TensorInfo> = {};
  for (const [name, { dataId, shape, dtype }] of present(call.inputs))
    inputs[name] = host.makeTensorInfo(shape, dtype, storage.entryOf({ dataId, shape, dtype }).host!);
  const kernel = getKernel(call.kernelName, 'cpu');
  const argument = Array.isArray(call.inputs) ? Object.values(inputs) : inputs;
  // The registry types inputs as a map only; list kernels take an array, as TensorFlow.js itself passes it.
  const result = kernel.kernelFunc({ inputs: argument as never, attrs: call.attrs as never, backend: host });
  recorder.computedOnHost();
  const adopt = ({ dataId, shape, dtype }: TensorInfo): TensorInfo => {
    const entry = storage.hostEntry(host.data.get(dataId).values!, shape, dtype, 'derived');
    return { dataId: storage.add(entry), shape, dtype };
  };
  return Array.isArray(result) ? result.map(adopt) : adopt(result);
}
