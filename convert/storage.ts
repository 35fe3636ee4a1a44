import {
  type backend_util,
  DataStorage,
  engine,
  KernelBackend,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import type { Handler } from './kernels/handler.ts';
import { elements, type NumberArray, type Shape } from './shapes.ts';
import type { DataType, TensorSpec } from './values.ts';

/** A kernel that TensorFlow.js called and that has not run yet. */
export interface RecordedKernel {
  readonly sequence: number;
  readonly kernel: string;
  readonly handler: Handler;
  readonly attrs: Record<string, unknown>;
  /** A tensor may be used under another shape than it was made with; `shape` is the one used here. */
  readonly inputs: ReadonlyArray<{ readonly name: string; readonly entry: Entry; readonly shape: Shape }>;
  readonly outputs: Entry[];
  /** Where in the model it was called, for errors. */
  readonly place?: string | undefined;
}

/** One tensor's data: on the host, computed by onnxruntime, or still only recorded. */
export interface Entry extends TensorSpec {
  readonly sequence: number;
  references: number;
  host?: NumberArray;
  computed?: OrtTensor;
  /** Set until the tensor is computed. */
  record?: RecordedKernel | undefined;
  /** `written` by the caller, `derived` on the host from such, or the output of a record. */
  readonly origin: 'written' | 'derived' | 'recorded';
  /** The graph input that this stands for, while tracing. */
  readonly placeholder?: string;
}

/** The reason that TensorFlow.js' memory() gives for its figures. */
const UNRELIABLE = 'tensors are computed later than they are made';

/** Keeps tensors for TensorFlow.js; subclasses decide when recorded ones are computed. */
export class TensorStorage extends KernelBackend {
  readonly data = new DataStorage<Entry>(this, engine());
  #sequence = 0;

  nextSequence(): number {
    return this.#sequence++;
  }

  /** The entry behind a tensor; one that another backend holds moves here. */
  entryOf(tensor: Pick<TensorInfo, 'dataId' | 'shape' | 'dtype'>): Entry {
    return this.data.get(tensor.dataId);
  }

  add(entry: Entry): object {
    const dataId = {};
    this.data.set(dataId, entry);
    return dataId;
  }

  hostEntry(values: backend_util.BackendValues, shape: Shape, dtype: string, origin: Entry['origin']): Entry {
    const type = carried(dtype);
    const host = hostArray(values as ArrayLike<number>, type);
    if (host.length !== elements(shape))
      throw new Error(
        `a tensor of shape [${shape}] wants ${elements(shape)} values, ${host.length} were given`,
      );
    return { shape: [...shape], dtype: type, host, origin, references: 1, sequence: this.nextSequence() };
  }

  override write(values: backend_util.BackendValues, shape: number[], dtype: string): object {
    return this.add(this.hostEntry(values, shape, dtype, 'written'));
  }

  /** Data that TensorFlow.js brings over from another backend: never inlined, it may well be a trained weight. */
  override move(
    dataId: object,
    values: backend_util.BackendValues,
    shape: number[],
    dtype: string,
    refCount: number,
  ): void {
    const entry = this.hostEntry(values, shape, dtype, 'derived');
    entry.references = refCount;
    this.data.set(dataId, entry);
  }

  override refCount(dataId: object): number {
    return this.data.has(dataId) ? this.data.get(dataId).references : 0;
  }

  override incRef(dataId: object): void {
    this.data.get(dataId).references++;
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const entry = this.data.get(dataId);
    entry.references--;
    if (!force && entry.references > 0) return false;
    this.data.delete(dataId);
    this.dropped(entry);
    return true;
  }

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  override memory(): { unreliable: boolean; reasons: string[] } {
    return { unreliable: true, reasons: [UNRELIABLE] };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return true;
  }

  /** Called when nobody holds the tensor any more. */
  protected dropped(_entry: Entry): void {}
}

function carried(dtype: string): DataType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new Error(`tensors of type ${dtype} are not supported here; use float32, int32 or bool`);
}

function hostArray(values: ArrayLike<number>, dtype: DataType): NumberArray {
  switch (dtype) {
    case 'float32':
      return values instanceof Float32Array ? values : Float32Array.from(values);
    case 'int32':
      return values instanceof Int32Array ? values : Int32Array.from(values);
    case 'bool':
      return values instanceof Uint8Array ? values : Uint8Array.from(values);
  }
}
