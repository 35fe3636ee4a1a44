import type { Graph } from '../graph.ts';
import { broadcastShapes, elements } from '../shapes.ts';
import { type DataType, elementwise, plain, spread, type Value, view } from '../values.ts';
import { fill } from './elementwise.ts';
import { type Handler, type HandlerTable, handler, list } from './handler.ts';

/** Kernels of two tensors with broadcasting: arithmetic, comparisons, logic. */
export const ARITHMETIC: HandlerTable = {
  Add: binary((g, a, b, out) => {
    if (b.fill === 0) return spread(g, out, a);
    if (a.fill === 0) return spread(g, out, b);
    if (fuseBias(g, a, b, out) || fuseBias(g, b, a, out)) return;
    elementwise(g, out, [a, b], (x, y) => g.op('Add', [x, y]));
  }),
  Sub: binary((g, a, b, out) => {
    if (b.fill === 0) return spread(g, out, a);
    elementwise(g, out, [a, b], (x, y) => g.op('Sub', [x, y]));
  }),
  /**
   * A constant zero times anything is zero, infinities and NaN too (TensorFlow's own graph optimizer does the same):
   * most of the first step of a recurrent layer then need not be computed, nor its gradient.
   */
  Multiply: binary((g, a, b, out) => {
    if (a.fill === 0 || b.fill === 0) return fill(out, 0);
    if (b.fill === 1) return spread(g, out, a);
    if (a.fill === 1) return spread(g, out, b);
    elementwise(g, out, [a, b], (x, y) => g.op('Mul', [x, y]));
  }),
  RealDiv: binary((g, a, b, out) => {
    if (b.fill === 1) return spread(g, out, a);
    elementwise(g, out, [a, b], (x, y) => g.op('Div', [x, y]));
  }),
  Maximum: named('Max'),
  Minimum: named('Min'),
  Pow: named('Pow'),
  Prelu: named('PRelu'),
  SquaredDifference: computed((g, x, y) => {
    const difference = g.op('Sub', [x, y]);
    return g.op('Mul', [difference, difference]);
  }),
  FloorDiv: computed(floorDivide, 'int32'),
  Mod: handler({
    outputs: binaryOutputs(),
    emit: (g, inputs, _, [out]) => elementwise(g, out!, list(inputs), (x, y) => modulo(g, x, y, out!.dtype)),
  }),
  EluGrad: computed((g, dy, y) =>
    g.op('Mul', [dy, g.op('Min', [g.op('Add', [y, g.scalar(1)]), g.scalar(1)])]),
  ),
  Equal: named('Equal', 'bool'),
  Greater: named('Greater', 'bool'),
  GreaterEqual: named('GreaterOrEqual', 'bool'),
  Less: named('Less', 'bool'),
  LessEqual: named('LessOrEqual', 'bool'),
  Atan2: computed(arcTangent2),
  BitwiseAnd: named('BitwiseAnd'),
  LogicalAnd: named('And', 'bool'),
  LogicalOr: named('Or', 'bool'),
  NotEqual: computed((g, x, y) => g.op('Not', [g.op('Equal', [x, y])]), 'bool'),
};

function binaryOutputs(dtype?: DataType): Handler['outputs'] {
  return (inputs) => {
    const [a, b] = list(inputs);
    return [{ shape: broadcastShapes(a!.shape, b!.shape), dtype: dtype ?? a!.dtype }];
  };
}

function binary(emit: (g: Graph, a: Value, b: Value, out: Value) => void, dtype?: DataType): Handler {
  return {
    outputs: binaryOutputs(dtype),
    emit: (g, inputs, _, [out]) => {
      const [a, b] = list(inputs);
      emit(g, a!, b!, out!);
    },
  };
}

function computed(emit: (g: Graph, x: string, y: string) => string, dtype?: DataType): Handler {
  return binary((g, a, b, out) => elementwise(g, out, [a, b], (x, y) => emit(g, x, y)), dtype);
}

function named(type: string, dtype?: DataType): Handler {
  return computed((g, x, y) => g.op(type, [x, y]), dtype);
}

/** A convolution that only this addition uses takes a bias vector as its third input: Conv + Relu can then fuse. */
function fuseBias(g: Graph, convolution: Value, bias: Value, out: Value): boolean {
  const channels = convolution.shape.at(-1);
  const isBias =
    elements(bias.shape) === channels && bias.shape.at(-1) === channels && bias.shape.length <= 4;
  if (!convolution.deferred || convolution.channelsFirst || convolution.uses !== 1 || !isBias) return false;
  const source = bias.spread ?? bias;
  if (source.fill !== undefined || elements(source.shape) !== channels) return false;
  out.channelsFirst = convolution.deferred(plain(g, view(g, source, [channels])));
  return true;
}

/**
 * floor(a / b) as int32, as TensorFlow.js defines it, for negative operands too. In double precision, which is
 * exact for int32; ONNX integer division would truncate, and a zero divisor would end the process.
 */
function floorDivide(g: Graph, x: string, y: string): string {
  const quotient = g.op('Div', [g.cast(x, 'float64'), g.cast(y, 'float64')]);
  return g.cast(g.op('Floor', [quotient]), 'int32');
}

/** The remainder with the sign of the divisor: tfjs-backend-cpu kernels/Mod.js, in double precision. */
function modulo(g: Graph, x: string, y: string, dtype: DataType): string {
  const [a, b] = [g.cast(x, 'float64'), g.cast(y, 'float64')];
  const truncated = g.op('Mod', [a, b], { fmod: 1 });
  const shifted = g.op('Mod', [g.op('Add', [truncated, b]), b], { fmod: 1 });
  const zero = g.scalar(0, 'float64');
  const signsDiffer = g.op('Xor', [g.op('Less', [a, zero]), g.op('Less', [b, zero])]);
  return g.cast(g.op('Where', [signsDiffer, shifted, truncated]), dtype);
}

/** The angle of (x, y), as Math.atan2 gives it but for the sign of zeros. */
function arcTangent2(g: Graph, y: string, x: string): string {
  const zero = g.scalar(0);
  const [negative, below] = [g.op('Less', [x, zero]), g.op('Less', [y, zero])];
  const half = g.op('Where', [below, g.scalar(-Math.PI / 2), g.scalar(Math.PI / 2)]);
  const turn = g.op('Where', [below, g.scalar(-Math.PI), g.scalar(Math.PI)]);
  // The quotient's size is at most 1, where Atan is exact; the other octants follow from it.
  const steep = g.op('Greater', [g.op('Abs', [y]), g.op('Abs', [x])]);
  const flat = g.op('Add', [g.op('Atan', [g.op('Div', [y, x])]), g.op('Where', [negative, turn, zero])]);
  const upright = g.op('Sub', [half, g.op('Atan', [g.op('Div', [x, y])])]);
  const origin = g.op('And', [g.op('Equal', [x, zero]), g.op('Equal', [y, zero])]);
  return g.op('Where', [origin, zero, g.op('Where', [steep, upright, flat])]);
}
