import { io } from '@tensorflow/tfjs-core';

/** An attribute as TensorFlow writes it to JSON. */
export type Attributes = Readonly<Record<string, object>>;

export interface NodeDef {
  name: string;
  op: string;
  input: string[];
  attr: Attributes;
}

/** A number, or numbers in order, that a graph holds. */
export interface Constant {
  values: number[];
  shape: number[];
  dtype: 'float32' | 'int32' | 'bool';
}

export interface FunctionDef {
  name: string;
  /** Name and type of each argument. */
  inputs: Array<[string, string]>;
  /** Name, type and source (`node:output:0`) of each result. */
  outputs: Array<[string, string, string]>;
  nodes: NodeDef[];
}

export interface GraphDef {
  nodes: NodeDef[];
  constants?: Readonly<Record<string, Constant>>;
  functions?: FunctionDef[];
}

export const attribute = {
  int: (value: number) => ({ i: `${value}` }),
  ints: (values: number[]) => ({ list: { i: values.map(String) } }),
  float: (value: number) => ({ f: value }),
  bool: (value: boolean) => ({ b: value }),
  string: (value: string) => ({ s: Buffer.from(value).toString('base64') }),
  type: (value: string) => ({ type: value }),
  shape: (sizes: number[]) => ({ shape: { dim: sizes.map((size) => ({ size: `${size}` })) } }),
  fn: (name: string) => ({ func: { name } }),
};

export const TYPES = { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL' } as const;

/** What tfjs-converter would read from a model.json and its shards. */
export function graphArtifacts({ nodes, constants = {}, functions = [] }: GraphDef): io.ModelArtifacts {
  const weights = Object.entries(constants).map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
  const stored = Object.entries(constants).map(([name, { shape, dtype }]): NodeDef => {
    const value = { tensor: { dtype: TYPES[dtype], tensorShape: attribute.shape(shape).shape } };
    return { name, op: 'Const', input: [], attr: { dtype: attribute.type(TYPES[dtype]), value } };
  });
  const buffers = Object.values(constants).map(({ values, dtype }) => {
    const array = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype].from(values);
    return array.buffer as ArrayBuffer;
  });
  const library = {
    function: functions.map(({ name, inputs, outputs, nodes: nodeDef }) => ({
      signature: {
        name,
        inputArg: inputs.map(([arg, type]) => ({ name: arg, type })),
        outputArg: outputs.map(([arg, type]) => ({ name: arg, type })),
      },
      nodeDef,
      ret: Object.fromEntries(outputs.map(([arg, , source]) => [arg, source])),
    })),
  };
  return {
    format: 'graph-model',
    modelTopology: { node: [...stored, ...nodes], library, versions: { producer: 440 } },
    weightSpecs: weights,
    weightData: io.concatenateArrayBuffers(buffers),
  };
}

export function placeholder(name: string, shape: number[], dtype: keyof typeof TYPES = 'float32'): NodeDef {
  return {
    name,
    op: 'Placeholder',
    input: [],
    attr: { dtype: attribute.type(TYPES[dtype]), shape: attribute.shape(shape) },
  };
}
