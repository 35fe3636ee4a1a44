import type { Graph } from '../graph.ts';
import type { DataType, TensorSpec, Value } from '../values.ts';

/** A kernel's inputs by TensorFlow.js' own names ('x', 'filter', ...); list inputs are named '0', '1', ... */
export type Inputs<T> = Readonly<Record<string, T>>;

/** How one TensorFlow.js kernel becomes ONNX nodes. `A` is the kernel's attributes. */
export interface Handler<A = Record<string, unknown>> {
  /** Shape and type of each output; called when TensorFlow.js calls the kernel, before anything is emitted. */
  outputs(inputs: Inputs<TensorSpec>, attrs: A): TensorSpec[];
  /** Emits the nodes and names them in `outputs`. */
  emit(g: Graph, inputs: Inputs<Value>, attrs: A, outputs: Value[]): void;
}

/** Kernel name -> handler. */
export type HandlerTable = Readonly<Record<string, Handler>>;

/** Gives a handler its attribute type; the table cannot know it, TensorFlow.js hands attributes over untyped. */
export function handler<A>(h: Handler<A>): Handler {
  return h as Handler<unknown> as Handler;
}

/** A handler whose single output has the shape (and unless given, the type) of its first input. */
export function sameShapeHandler<A>(
  emit: (g: Graph, x: Value, out: Value, attrs: A, inputs: Inputs<Value>) => void,
  dtype?: DataType,
): Handler {
  return handler<A>({
    outputs: (inputs) => [{ shape: first(inputs).shape, dtype: dtype ?? first(inputs).dtype }],
    emit: (g, inputs, attrs, [out]) => emit(g, first(inputs), out!, attrs, inputs),
  });
}

export function list<T>(inputs: Inputs<T>): T[] {
  return Object.values(inputs);
}

export function first<T>(inputs: Inputs<T>): T {
  return list(inputs)[0]!;
}

/** A kernel, or a use of one, that has no correct translation. The message says where it is and what to do instead. */
export class UnsupportedKernelError extends Error {
  readonly kernel: string;
  readonly reason: string;
  /** Whether the message says where in the model it is. */
  readonly placed: boolean;
  constructor(kernel: string, reason: string, place?: string) {
    const where = place === undefined ? '' : ` (${place})`;
    super(`cannot translate the TensorFlow.js kernel ${kernel}${where} to ONNX: ${reason}`);
    this.name = 'UnsupportedKernelError';
    this.kernel = kernel;
    this.reason = reason;
    this.placed = place !== undefined;
  }

  /** The same, found at a place in the model. */
  at(place: string): UnsupportedKernelError {
    return new UnsupportedKernelError(this.kernel, this.reason, place);
  }
}
