import { elements, type NumberArray, type Shape, sameShape, transposeData } from './shapes.ts';

export type OnnxType = 'float32' | 'float64' | 'uint8' | 'int32' | 'int64' | 'bool';

/**
 * A node attribute: integers are plain numbers, floats are marked, since ONNX tells the two apart; `encoded` is a whole
 * AttributeProto in base64, from a foreign file.
 */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly encoded: string };

export interface Node {
  type: string;
  inputs: string[];
  outputs: string[];
  attributes: Readonly<Record<string, Attribute>>;
  domain: string;
  /** The layer or node of the model that it computes, for errors. */
  place?: string | undefined;
}

/** Constant data. A `weight` came from a tensor; anything else was made by a kernel's emitter. */
export interface Initializer {
  type: OnnxType;
  dims: Shape;
  data: ArrayLike<number>;
  weight: boolean;
}

/** A graph input or output; a string dimension is symbolic ('N', the batch). */
export interface Port {
  name: string;
  type: OnnxType;
  dims: readonly (number | string)[];
}

export interface GraphOptions {
  /** Emit only operators of the ONNX standard (for files); otherwise onnxruntime's own faster ones too. */
  portable: boolean;
  /** Some record wants gradients of max pooling: pool with indices, so that both share one node. */
  poolIndices: boolean;
  /** How many channels onnxruntime's blocked layout puts side by side, where convolutions may use it. */
  channelBlock?: number | undefined;
  /** Names that belong to the caller's inputs and outputs; no inner name will equal one of them. */
  reserved: readonly string[];
  /** Stands before every inner name: a graph inside of a node shares no name with the graph around it. */
  prefix?: string;
}

/** The type numbers of onnx.proto, TensorProto.DataType. */
export const ONNX_TYPE: Readonly<Record<OnnxType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

const MICROSOFT_OPERATORS = new Set(['FusedMatMul']);

/**
 * Builds one ONNX graph, node by node. Equal nodes (same operator, inputs and attributes), equal
 * constants and equal weights are made once. Names are numbered in order of creation, so equal call sequences give
 * equal graphs.
 */
export class Graph {
  readonly portable: boolean;
  readonly poolIndices: boolean;
  readonly channelBlock: number | undefined;
  readonly prefix: string;
  readonly initializers = new Map<string, Initializer>();
  /** Where in the model the nodes that are made now come from. */
  place: string | undefined;
  nodes: Node[] = [];
  inputs: Port[] = [];
  outputs: Port[] = [];
  readonly #known = new Map<string, string[]>();
  /** Of each output of a Reshape, what it was made of. */
  readonly #reshaped = new Map<string, string>();
  readonly #reserved: ReadonlySet<string>;
  #names = 0;

  constructor(options: GraphOptions) {
    this.portable = options.portable;
    this.poolIndices = options.poolIndices;
    this.channelBlock = options.channelBlock;
    this.prefix = options.prefix ?? '';
    this.#reserved = new Set(options.reserved);
  }

  /** Adds a node with one output (or finds its equal) and returns the output's name. */
  op(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain?: string,
  ): string {
    return this.ops(type, inputs, attributes, 1, domain)[0]!;
  }

  /** Adds a node with several outputs (or finds its equal) and returns their names. */
  ops(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number,
    domain = MICROSOFT_OPERATORS.has(type) ? 'com.microsoft' : '',
  ): string[] {
    const key = `${domain}|${type}|${inputs.join()}|${JSON.stringify(attributes)}|${outputs}`;
    const known = this.#known.get(key);
    if (known) return known;
    const names = Array.from({ length: outputs }, () => this.#name(type));
    this.nodes.push({ type, inputs: [...inputs], outputs: names, attributes, domain, place: this.place });
    this.#known.set(key, names);
    return names;
  }

  /** A constant made by an emitter; equal constants share one name. */
  constant(type: OnnxType, dims: Shape, data: ArrayLike<number>): string {
    const exact = type === 'float32' ? Float32Array.from(data) : data; // what two numbers round to is one constant
    const key = `constant|${type}|${dims}|${Array.from(exact, (v) => (Object.is(v, -0) ? '-0' : v)).join()}`;
    const known = this.#known.get(key);
    if (known) return known[0]!;
    const name = this.#name('const');
    this.initializers.set(name, { type, dims, data, weight: false });
    this.#known.set(key, [name]);
    return name;
  }

  /** A vector of int64: shapes, axes, starts and ends. */
  ints(values: readonly number[]): string {
    return this.constant('int64', [values.length], values);
  }

  scalar(value: number, type: OnnxType = 'float32'): string {
    return this.constant(type, [], [value]);
  }

  /** A tensor's data, kept in the file; equal tensors share one name, so that what is computed of them is one, too. */
  weight(type: OnnxType, dims: Shape, data: NumberArray): string {
    const key = `weight|${type}|${dims}`;
    const alike = this.#known.get(key) ?? [];
    const known = alike.find((name) => sameBytes(this.initializers.get(name)!.data as NumberArray, data));
    if (known !== undefined) return known;
    const name = this.#name('weight');
    this.initializers.set(name, { type, dims, data, weight: true });
    this.#known.set(key, [...alike, name]);
    return name;
  }

  input(port: Port): string {
    this.inputs.push(port);
    return port.name;
  }

  /** Declares `value` to be the graph output `port`. */
  output(value: string, port: Port): void {
    this.nodes.push({ type: 'Identity', inputs: [value], outputs: [port.name], attributes: {}, domain: '' });
    this.outputs.push(port);
  }

  cast(name: string, type: OnnxType): string {
    return this.op('Cast', [name], { to: ONNX_TYPE[type] });
  }

  /** Reshapes; a weight is relabelled instead, and of two in a row the first is left out. */
  reshape(name: string, dims: Shape): string {
    const weight = this.#weight(name);
    if (!weight) {
      const reshaped = this.#reshaped.get(name) ?? name;
      const output = this.op('Reshape', [reshaped, this.ints(dims)]);
      this.#reshaped.set(output, reshaped);
      return output;
    }
    if (sameShape(weight.dims, dims)) return name;
    return this.#derived(`${name}|reshape|${dims}`, weight, dims, () => weight.data as NumberArray);
  }

  /**
   * Transposes a tensor of dimensions `dims`; nothing for the identity, a Reshape when only axes of length 1
   * move, folded for a weight.
   */
  transpose(name: string, perm: readonly number[], dims: Shape): string {
    if (perm.every((p, i) => p === i)) return name;
    const outDims = perm.map((p) => dims[p]!);
    const weight = this.#weight(name);
    if (weight) {
      const transposed = () => transposeData(weight.data as NumberArray, dims, perm);
      return this.#derived(`${name}|transpose|${perm}`, weight, outDims, transposed);
    }
    const moved = perm.filter((p) => dims[p] !== 1);
    if (moved.every((p, i) => i === 0 || p > moved[i - 1]!)) return this.reshape(name, outDims);
    return this.op('Transpose', [name], { perm });
  }

  /**
   * Ends the building: drops nodes, constants and (unless `keepInputs`) inputs that no output needs, and lets
   * an output's producer write it directly where that saves an Identity.
   */
  finish(options: { keepInputs: boolean }): this {
    const needed = new Set(this.outputs.map((o) => o.name));
    const kept: Node[] = [];
    for (const node of this.nodes.reverse()) {
      if (!node.outputs.some((o) => needed.has(o))) continue;
      for (const i of node.inputs) needed.add(i);
      kept.push(node);
    }
    this.nodes = kept.reverse();
    for (const name of this.initializers.keys()) if (!needed.has(name)) this.initializers.delete(name);
    if (!options.keepInputs) this.inputs = this.inputs.filter((i) => needed.has(i.name));
    this.#nameOutputs();
    return this;
  }

  #nameOutputs(): void {
    const outputs = new Set(this.outputs.map((o) => o.name));
    const produced = new Set(this.nodes.flatMap((n) => n.outputs));
    const renamed = new Map<string, string>();
    this.nodes = this.nodes.filter((node) => {
      const [from, to] = [node.inputs[0]!, node.outputs[0]!];
      const direct = node.type === 'Identity' && outputs.has(to) && !outputs.has(from);
      if (!direct || !produced.has(from) || renamed.has(from)) return true;
      renamed.set(from, to);
      return false;
    });
    const rename = (name: string) => renamed.get(name) ?? name;
    for (const node of this.nodes) {
      node.inputs = node.inputs.map(rename);
      node.outputs = node.outputs.map(rename);
    }
  }

  #weight(name: string): Initializer | undefined {
    const initializer = this.initializers.get(name);
    return initializer?.weight ? initializer : undefined;
  }

  #derived(key: string, from: Initializer, dims: Shape, data: () => NumberArray): string {
    const known = this.#known.get(key) ?? [this.weight(from.type, dims, data())];
    this.#known.set(key, known);
    return known[0]!;
  }

  #name(prefix: string): string {
    const name = `${this.prefix}${prefix}_${this.#names++}`;
    return this.#reserved.has(name) ? this.#name(prefix) : name;
  }
}

/** Unlike a comparison of numbers, this tells -0 from 0, and NaN equals itself. */
export function sameBytes(a: NumberArray, b: NumberArray): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: NumberArray) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return bytes(a).equals(bytes(b));
}

/** Checks what onnxruntime would only report as a parse failure: the weights fit their dimensions. */
export function assertConsistent(graph: Graph): void {
  for (const [name, { dims, data }] of graph.initializers) {
    if (data.length !== elements(dims))
      throw new Error(
        `constant ${name} has ${data.length} elements, its shape [${dims}] wants ${elements(dims)}`,
      );
  }
}
