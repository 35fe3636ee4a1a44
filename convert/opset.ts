/** Carries nodes of a foreign ONNX file to the operator set that files are written in here. */
import type { Attribute } from './graph.ts';
import type { EmbeddedNode } from './kernels/embedded.ts';

/** The operator set of every file that is written here. */
export const OPSET = 18;

/** Sets that were compared with 18, operator by operator. */
export const NEWEST_OPSET = 22;

/**
 * Operators that image encoders are made of, with the set since which their form is that of 18 (ONNX operators,
 * "Operator Changelog"). What later sets added to them is a new attribute or element type only.
 */
const SINCE: Readonly<Record<string, number>> = {
  // biome-ignore format: a table
  Abs: 6,
  Add: 7,
  AveragePool: 7,
  BatchNormalization: 7,
  Cast: 6,
  Ceil: 6,
  Clip: 11,
  Concat: 4,
  Constant: 1,
  ConstantOfShape: 9,
  Conv: 1,
  ConvTranspose: 1,
  DepthToSpace: 11,
  Div: 7,
  Dropout: 7,
  Elu: 6,
  Equal: 7,
  Erf: 9,
  Exp: 6,
  Expand: 8,
  Flatten: 1,
  Floor: 6,
  Gather: 1,
  Gemm: 7,
  GlobalAveragePool: 1,
  GlobalMaxPool: 1,
  Greater: 7,
  HardSigmoid: 6,
  HardSwish: 14,
  Identity: 1,
  InstanceNormalization: 6,
  LRN: 1,
  LayerNormalization: 17,
  LeakyRelu: 6,
  Less: 7,
  Log: 6,
  LogSoftmax: 13,
  MatMul: 1,
  Max: 8,
  MaxPool: 1,
  Mean: 8,
  Min: 8,
  Mish: 18,
  Mul: 7,
  Neg: 6,
  PRelu: 9,
  Pad: 11,
  Pow: 7,
  Range: 11,
  Reciprocal: 6,
  ReduceSum: 13,
  Relu: 6,
  Reshape: 5,
  Resize: 11,
  Selu: 6,
  Shape: 1,
  Sigmoid: 6,
  Slice: 10,
  Softmax: 13,
  Softplus: 1,
  SpaceToDepth: 1,
  Sqrt: 6,
  Squeeze: 13,
  Sub: 7,
  Sum: 8,
  Tanh: 6,
  Tile: 6,
  Transpose: 1,
  Unsqueeze: 13,
  Where: 9,
};

/** Reductions whose `axes` became an input with set 18, as those of the sum did with 13. */
const REDUCTIONS = new Set(['ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2']);

/** Makes a constant vector and gives its name. */
export interface Constants {
  ints(values: readonly number[]): string;
  float(value: number): string;
}

/**
 * The node as set 18 writes it.
 * @throws Error for an operator, or a set of it, that cannot be carried.
 */
export function carryToOpset(node: EmbeddedNode, from: number, constants: Constants): EmbeddedNode {
  const { type } = node;
  if (REDUCTIONS.has(type)) return from < 18 ? attributeToInput(node, 'axes', constants) : node;
  if (type === 'Split') return from < 18 ? carrySplit(node, from, constants) : node;
  if (type === 'Clip' && from >= 6 && from < 11) return carryClip(node, constants);
  if (['Squeeze', 'Unsqueeze', 'ReduceSum'].includes(type) && from < 13)
    return attributeToInput(node, 'axes', constants);
  if (type === 'Dropout' && from >= 7)
    return {
      ...node,
      type: 'Identity',
      inputs: node.inputs.slice(0, 1),
      outputs: node.outputs.slice(0, 1),
      attributes: {},
    };
  const since = SINCE[type];
  if (since === undefined) throw new Error(`operator ${type} is not one that can be carried into a bundle`);
  if (from < since)
    throw new Error(
      `operator ${type} of operator set ${from} has another form than today; export the model with operator set ${Math.max(since, 13)} to ${NEWEST_OPSET}`,
    );
  return node;
}

/** A list attribute becomes the second input. */
function attributeToInput(node: EmbeddedNode, name: string, constants: Constants): EmbeddedNode {
  const { [name]: list, ...attributes } = node.attributes;
  if (list === undefined) return { ...node, attributes };
  return { ...node, inputs: [node.inputs[0]!, constants.ints(list as readonly number[])], attributes };
}

/** Sizes became an input with set 13; equal parts must be counted since 18. */
function carrySplit(node: EmbeddedNode, from: number, constants: Constants): EmbeddedNode {
  const carried = from < 13 ? attributeToInput(node, 'split', constants) : node;
  if (carried.inputs.length > 1) return carried;
  return { ...carried, attributes: { ...carried.attributes, num_outputs: carried.outputs.length } };
}

/** Bounds became inputs with set 11. */
function carryClip(node: EmbeddedNode, constants: Constants): EmbeddedNode {
  const bound = (value: Attribute | undefined) =>
    typeof value === 'object' && 'float' in value ? constants.float(value.float) : '';
  const { min, max, ...attributes } = node.attributes;
  return { ...node, inputs: [node.inputs[0]!, bound(min), bound(max)], attributes };
}
