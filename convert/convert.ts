/** A saved TensorFlow.js model as an ONNX file: what the command does, for programs. */
import { traceableGraph } from './graph_model.ts';
import { withoutPort } from './graph_problems.ts';
import { loadLayers } from './load_layers.ts';
import { traceableModel } from './model_conversion.ts';
import { readModel } from './source.ts';
import { type AsyncTracedFunction, type InputSpec, type TraceOptions, traceAsync } from './trace.ts';
import { type CompareOptions, type Comparison, compare } from './verify.ts';

export interface ConvertOptions extends Pick<TraceOptions, 'fold' | 'opset'> {
  /** Sizes of inputs by their names in the model, where it leaves more open than the batch; null is the batch. */
  shapes?: Readonly<Record<string, ReadonlyArray<number | null>>>;
  /** Fix the batch size. */
  batch?: number;
  /** Of a graph model: nodes to be the outputs. */
  outputs?: readonly string[];
  /** New names of inputs and outputs by their old ones. */
  names?: Readonly<Record<string, string>>;
  /** Compare TensorFlow.js with onnxruntime; TensorFlow.js' current backend is the reference. */
  check?: CompareOptions;
}

export interface Converted {
  /** The model.json that was read. */
  readonly model: string;
  /** The ONNX file's content. */
  readonly bytes: Uint8Array;
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
  readonly check?: Comparison;
}

/**
 * Converts the model at `path`: a folder, a model.json or a zip archive with a layers model or a graph model. Layer
 * classes of the caller's own must be registered with `tf.serialization.registerClass` before.
 *
 * @throws Error that names the operation, the layer or node it came from, and what works instead.
 */
export async function convertModel(path: string, given: ConvertOptions = {}): Promise<Converted> {
  const { file, format, artifacts } = await readModel(path, 'inference');
  const options = format === 'graph-model' ? byNode(given) : given;
  const model =
    format === 'graph-model'
      ? await traceableGraph(artifacts, options).catch((cause) => cannotLoad(file, cause))
      : traceableModel(await loadLayers(artifacts).catch((cause) => cannotLoad(file, cause)), options);
  try {
    if (format === 'layers-model' && options.outputs)
      throw new Error(
        `outputs can be chosen of a graph model only; this layers model gives ${model.outputNames.join(', ')}`,
      );
    requireKnown(
      'input',
      options.shapes,
      model.inputs.map(({ name }) => name),
    );
    const inputs = model.inputs.map(({ name, shape, ...rest }) => ({
      ...rest,
      name: renamed(name, options),
      shape: shape.map((d) => d ?? options.batch ?? null),
    }));
    const outputs = model.outputNames.map((name) => renamed(name, options));
    requireKnown('input or output', options.names, [
      ...model.inputs.map(({ name }) => name),
      ...model.outputNames,
    ]);
    const fn: AsyncTracedFunction = async (...tensors) => {
      const results = Object.entries(await model.fn(...tensors));
      return Object.fromEntries(results.map(([name, tensor]) => [renamed(name, options), tensor]));
    };
    const { fold = false, opset } = options;
    const bytes = await traceAsync(fn, inputs, { fold, place: model.place, ...(opset && { opset }) });
    const converted = { model: file, bytes, inputs, outputs };
    return options.check
      ? { ...converted, check: await compare(fn, bytes, inputs, options.check) }
      : converted;
  } finally {
    model.dispose();
  }
}

/** `x:0` means `x`, as in a graph's own names of its inputs and outputs. */
function byNode({ shapes, names, ...options }: ConvertOptions): ConvertOptions {
  const plain = <T>(byName: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(byName).map(([name, value]) => [withoutPort(name), value]));
  return { ...options, ...(shapes && { shapes: plain(shapes) }), ...(names && { names: plain(names) }) };
}

function renamed(name: string, { names = {} }: ConvertOptions): string {
  return names[name] ?? name;
}

function requireKnown(what: string, byName: object = {}, known: readonly string[]): void {
  for (const name of Object.keys(byName))
    if (!known.includes(name))
      throw new Error(`the model has no ${what} ${name}; it has ${known.join(', ')}`);
}

function cannotLoad(file: string, cause: unknown): never {
  const { message } = cause as Error;
  throw new Error(`cannot load ${file}: ${message}`, { cause });
}
