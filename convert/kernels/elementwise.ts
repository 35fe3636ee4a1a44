import type { Graph, OnnxType } from '../graph.ts';
import { sameShape } from '../shapes.ts';
import { alias, type DataType, elementwise, type Value } from '../values.ts';
import {
  type Handler,
  type HandlerTable,
  handler,
  list,
  sameShapeHandler,
  UnsupportedKernelError,
} from './handler.ts';

/** Kernels that work on each element alone: functions of one tensor, casts, selection, fills. */
export const ELEMENTWISE: HandlerTable = {
  ...direct({
    Abs: 'Abs',
    Acos: 'Acos',
    Acosh: 'Acosh',
    Asin: 'Asin',
    Asinh: 'Asinh',
    Atan: 'Atan',
    Atanh: 'Atanh',
    Ceil: 'Ceil',
    Cos: 'Cos',
    Cosh: 'Cosh',
    Elu: 'Elu',
    Erf: 'Erf',
    Exp: 'Exp',
    Floor: 'Floor',
    Log: 'Log',
    Neg: 'Neg',
    Reciprocal: 'Reciprocal',
    Round: 'Round',
    Selu: 'Selu',
    Sigmoid: 'Sigmoid',
    Sign: 'Sign',
    Sin: 'Sin',
    Sinh: 'Sinh',
    Softplus: 'Softplus',
    Sqrt: 'Sqrt',
    Tan: 'Tan',
    Tanh: 'Tanh',
  }),
  IsInf: unary((g, x) => g.op('IsInf', [x]), 'bool'),
  IsNan: unary((g, x) => g.op('IsNaN', [x]), 'bool'),
  IsFinite: unary((g, x) => g.op('Not', [g.op('Or', [g.op('IsInf', [x]), g.op('IsNaN', [x])])]), 'bool'),
  LogicalNot: unary((g, x) => g.op('Not', [x]), 'bool'),
  Square: unary((g, x) => g.op('Mul', [x, x])),
  Rsqrt: unary((g, x) => g.op('Reciprocal', [g.op('Sqrt', [x])])),
  Expm1: unary(expm1),
  Log1p: unary(log1p),
  Relu6: unary((g, x) => g.op('Clip', [x, g.scalar(0), g.scalar(6)])),
  LeakyRelu: unary((g, x, { alpha }: { alpha: number }) => leakyRelu(g, x, alpha)),
  ClipByValue: unary((g, x, a: { clipValueMin: number; clipValueMax: number }, v) =>
    g.op('Clip', [x, g.scalar(a.clipValueMin, v.dtype), g.scalar(a.clipValueMax, v.dtype)]),
  ),
  Relu: sameShapeHandler((g, x, out) => {
    elementwise(g, out, [x], (name) => g.op('Relu', [name]));
    (x.origin ?? x).rectified = out;
  }),
  Step: sameShapeHandler(
    (g, x, out, { alpha }: { alpha?: number }) => step(g, x, out, alpha ?? 0),
    'float32',
  ),
  Cast: handler<{ dtype: DataType }>({
    outputs: ({ x }, { dtype }) => [{ shape: x!.shape, dtype }],
    emit: (g, { x }, _, [out]) => {
      if (x!.dtype === out!.dtype) alias(g, out!, x!);
      else elementwise(g, out!, [x!], (name) => g.cast(name, out!.dtype));
    },
  }),
  Identity: sameShapeHandler((g, x, out) => alias(g, out, x)),
  Select: handler({
    outputs: ({ condition, t, e }) => {
      if (sameShape(condition!.shape, t!.shape) && sameShape(e!.shape, t!.shape)) return [t!];
      const shapes = [condition!, t!, e!].map((v) => `[${v.shape}]`).join(', ');
      throw new UnsupportedKernelError(
        'Select',
        `its operands have shapes ${shapes}; tf.where makes them equal`,
      );
    },
    emit: (g, { condition, t, e }, _, [out]) =>
      elementwise(g, out!, [condition!, t!, e!], (c, x, y) => g.op('Where', [c, x, y])),
  }),
  AddN: sameShapeHandler((g, _, out, __, inputs) =>
    elementwise(g, out, list(inputs), (...names) => g.op('Sum', names)),
  ),
  ZerosLike: sameShapeHandler((_, __, out) => fill(out, 0)),
  OnesLike: sameShapeHandler((_, __, out) => fill(out, 1)),
  Fill: handler<{ shape: number[]; value: number; dtype?: DataType }>({
    outputs: (_, { shape, dtype }) => [{ shape, dtype: dtype ?? 'float32' }],
    emit: (_, __, { value }, [out]) => fill(out!, value),
  }),
};

/** What TensorFlow.js may fuse into a convolution or a matrix product. */
export interface FusedActivation {
  activation?: string;
  leakyreluAlpha?: number;
}

type Activation = (g: Graph, name: string, alpha: number) => string;

const ACTIVATIONS = new Map<string, Activation>([
  ['linear', (_, name) => name],
  ['relu', (g, name) => g.op('Relu', [name])],
  ['relu6', (g, name) => g.op('Clip', [name, g.scalar(0), g.scalar(6)])],
  ['elu', (g, name) => g.op('Elu', [name])],
  ['sigmoid', (g, name) => g.op('Sigmoid', [name])],
  ['leakyrelu', leakyRelu],
]);

const PRELU = 'prelu';

/** Throws unless the fused activation is one that `activate` knows. */
export function requireActivation(kernel: string, { activation = 'linear' }: FusedActivation): void {
  if (activation !== PRELU && !ACTIVATIONS.has(activation))
    throw new UnsupportedKernelError(
      kernel,
      `the fused activation "${activation}" is not known; apply it as an operation of its own`,
    );
}

/** `out` is the fused activation of `x`, which exists in one layout; `slopes` are those of a PReLU. */
export function activate(g: Graph, x: Value, out: Value, attrs: FusedActivation, slopes?: Value): void {
  const { activation = 'linear', leakyreluAlpha = 0.2 } = attrs;
  if (activation === PRELU) {
    elementwise(g, out, [x, slopes!], (name, slope) => g.op('PRelu', [name, slope]));
    return;
  }
  const apply = ACTIVATIONS.get(activation)!;
  if (x.channelsFirst !== undefined) out.channelsFirst = apply(g, x.channelsFirst, leakyreluAlpha);
  else out.plain = apply(g, x.plain!, leakyreluAlpha);
}

function direct(operators: Readonly<Record<string, string>>): HandlerTable {
  return Object.fromEntries(
    Object.entries(operators).map(([kernel, type]) => [kernel, unary((g, x) => g.op(type, [x]))]),
  );
}

function unary<A>(emit: (g: Graph, x: string, attrs: A, value: Value) => string, dtype?: DataType): Handler {
  return sameShapeHandler<A>(
    (g, x, out, attrs) => elementwise(g, out, [x], (name) => emit(g, name, attrs, x)),
    dtype,
  );
}

/** Every element of `out` is `value`; emits nothing. */
export function fill(out: Value, value: number): void {
  out.fill = Number(value);
}

function leakyRelu(g: Graph, x: string, alpha: number): string {
  return g.op('LeakyRelu', [x], { alpha: { float: alpha } });
}

/**
 * The slope of a rectifier: 1 above zero, `alpha` elsewhere. It reads relu(x) where that exists, so that nothing
 * else needs x and onnxruntime can fuse Conv and Relu. (NaN gives `alpha`; TensorFlow.js gives NaN.)
 */
function step(g: Graph, x: Value, out: Value, alpha: number): void {
  const source = (alpha === 0 && (x.origin ?? x).rectified) || x;
  elementwise(g, out, [source], (name) => {
    const positive = g.cast(g.op('Greater', [name, g.scalar(0, source.dtype as OnnxType)]), 'float32');
    if (alpha === 0) return positive;
    return g.op('Add', [g.op('Mul', [positive, g.scalar(1 - alpha)]), g.scalar(alpha)]);
  });
}

/** exp(x) - 1 without cancellation near 0: 2 tanh(x/2) / (1 - tanh(x/2)), for |x| < 1. */
function expm1(g: Graph, x: string): string {
  const t = g.op('Tanh', [g.op('Mul', [x, g.scalar(0.5)])]);
  const near = g.op('Div', [g.op('Add', [t, t]), g.op('Sub', [g.scalar(1), t])]);
  const far = g.op('Sub', [g.op('Exp', [x]), g.scalar(1)]);
  return g.op('Where', [g.op('Less', [g.op('Abs', [x]), g.scalar(1)]), near, far]);
}

/** log(1 + x) without cancellation near 0: 2 artanh(x / (2 + x)) for |x| < 0.5. */
function log1p(g: Graph, x: string): string {
  const near = g.op('Mul', [g.op('Atanh', [g.op('Div', [x, g.op('Add', [x, g.scalar(2)])])]), g.scalar(2)]);
  const far = g.op('Log', [g.op('Add', [x, g.scalar(1)])]);
  return g.op('Where', [g.op('Less', [g.op('Abs', [x]), g.scalar(0.5)]), near, far]);
}
