import {
  backend_util,
  broadcast_util,
  cast,
  concat,
  cumprod,
  cumsum,
  engine,
  type GradFunc,
  getGradient,
  mul,
  type NamedAttrMap,
  registerGradient,
  reshape,
  stack,
  sum,
  type Tensor,
  tensor1d,
  transpose,
  unsortedSegmentSum,
  unstack,
  zerosLike,
} from '@tensorflow/tfjs-core';
// Registers TensorFlow.js' gradients: once, and before those of this file.
import '@tensorflow/tfjs-layers';
import { elements, normalizeAxes, normalizeAxis, type Shape, sameShape } from './shapes.ts';

/** Makes a gradient from the one that TensorFlow.js has. */
type Correction = (original: GradFunc) => GradFunc;

/**
 * Gradients of TensorFlow.js 4.22.0 that are wrong or fail whatever the backend. Each is compared with finite
 * differences in test/convert/gradients.test.ts, as are all others.
 */
const CORRECTIONS: Readonly<Record<string, Correction>> = {
  // These forget that an operand was broadcast.
  Maximum: summedToOperands,
  Minimum: summedToOperands,
  SquaredDifference: summedToOperands,
  Prelu: summedToOperands,
  BatchMatMul: summedToOperands,
  // What has steps only is flat between them; TensorFlow.js gives the gradients of a / b and of x.
  FloorDiv: () => (_, saved) => ({ a: () => flat(saved[0]!), b: () => flat(saved[1]!) }),
  Cast: (original) => (dy, saved, attrs) => {
    const whole = (attrs as { dtype: string }).dtype !== 'float32';
    return whole ? { x: () => zerosLike(dy as Tensor) } : original(dy, saved, attrs);
  },
  // Calls methods of tensors that only the package @tensorflow/tfjs adds.
  Prod: () => (dy, saved, attrs) => ({
    x: () => prodGradient(dy as Tensor, saved[0]!, (attrs as { axis?: number | number[] }).axis),
  }),
  // Transposes the result when the axis is not the last.
  Cumsum: () => (dy, _, attrs) => {
    const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean };
    return { x: () => cumsum(dy as Tensor, axis, exclusive, !reverse) };
  },
  // Leaves out what the border mirrors.
  MirrorPad: () => (dy, saved, attrs) => ({
    x: () => mirrorPadGradient(dy as Tensor, saved[0]!.shape, attrs as unknown as MirrorPadAttrs),
  }),
  // Calls methods of tensors, as above.
  GatherV2: (original) => (dy, saved, attrs) => {
    const { axis, batchDims } = attrs as { axis: number; batchDims: number };
    if (batchDims === 0) return original(dy, saved, attrs);
    return { x: () => batchedGatherGradient(original, dy as Tensor, saved, axis, batchDims) };
  },
  // Fail for a list of one, since the engine then hands over its tensor (tensorflow/tfjs#1529).
  Unpack: () => (dy, _, attrs) => ({ value: () => stack([dy].flat(), (attrs as { axis: number }).axis) }),
  SplitV: () => (dy, _, attrs) => ({ x: () => concat([dy].flat(), (attrs as { axis: number }).axis) }),
  // Refuse dilations, which the kernels here know.
  Conv2D: () => convolutionGradient('Conv2DBackpropInput', 'Conv2DBackpropFilter'),
  DepthwiseConv2dNative: () =>
    convolutionGradient('DepthwiseConv2dNativeBackpropInput', 'DepthwiseConv2dNativeBackpropFilter'),
  Conv3D: () => convolutionGradient('Conv3DBackpropInputV2', 'Conv3DBackpropFilterV2'),
  Conv2DBackpropInput:
    () =>
    (ddx, [dy, filter], attrs) => ({
      dy: () => runKernel('Conv2D', { x: ddx as Tensor, filter: filter! }, attrs),
      filter: () =>
        runKernel(
          'Conv2DBackpropFilter',
          { x: ddx as Tensor, dy: dy! },
          { ...attrs, filterShape: filter!.shape },
        ),
    }),
};

/** The kernels whose gradients are put right. */
export const CORRECTED: readonly string[] = Object.keys(CORRECTIONS);

/**
 * Puts these gradients in place of TensorFlow.js' own while `active` says so: other backends keep what they had. The
 * returned function undoes it.
 */
export function correctGradients(active: () => boolean): () => void {
  let correcting = true;
  const undo = Object.entries(CORRECTIONS).map(([kernelName, correct]) => {
    const original = getGradient(kernelName);
    const corrected = correct(original.gradFunc);
    const config = {
      ...original,
      gradFunc: (...args: Parameters<GradFunc>) =>
        (correcting && active() ? corrected : original.gradFunc)(...args),
    };
    registerGradient(config);
    return () => {
      if (getGradient(kernelName) === config) registerGradient(original);
    };
  });
  return () => {
    correcting = false;
    for (const step of undo) step();
  };
}

function summedToOperands(original: GradFunc): GradFunc {
  return (dy, saved, attrs) => {
    const gradients = Object.entries(original(dy, saved, attrs));
    return Object.fromEntries(
      gradients.map(([name, gradient], i) => [name, () => sumTo(gradient(), saved[i]!.shape)]),
    );
  };
}

/** Sums over the axes along which a tensor of shape `to` was broadcast to the shape of `x`. */
function sumTo(x: Tensor, to: number[]): Tensor {
  if (sameShape(x.shape, to)) return x;
  return reshape(sum(x, broadcast_util.getReductionAxes(to, x.shape)), to);
}

function flat(x: Tensor): Tensor {
  return cast(zerosLike(x), 'float32');
}

/** For each element the product of all others, in front and behind: right for zeros, too. */
function prodGradient(dy: Tensor, x: Tensor, axis: number | number[] | undefined): Tensor {
  const axes = normalizeAxes(axis, x.rank);
  const order = backend_util.getAxesPermutation(axes, x.rank) ?? x.shape.map((_, i) => i);
  const behind = transpose(x, order);
  const kept = behind.shape.slice(0, x.rank - axes.length);
  const factors = reshape(behind, [...kept, -1]);
  const last = kept.length;
  const others = mul(cumprod(factors, last, true, false), cumprod(factors, last, true, true));
  const gradient = mul(reshape(dy, [...kept, 1]), others);
  return transpose(reshape(gradient, behind.shape), backend_util.getUndoAxesPermutation(order));
}

interface MirrorPadAttrs {
  paddings: Array<[number, number]>;
  mode: 'reflect' | 'symmetric';
}

/** Adds each element of `dy` to the one that it mirrors, axis by axis. */
function mirrorPadGradient(dy: Tensor, shape: Shape, { paddings, mode }: MirrorPadAttrs): Tensor {
  return paddings.reduce((gradient, [before, behind], axis) => {
    if (before + behind === 0) return gradient;
    const size = shape[axis]!;
    const edge = mode === 'reflect' ? 1 : 0;
    const sources = Array.from({ length: before + size + behind }, (_, i) => {
      const at = i - before;
      if (at < 0) return -at - 1 + edge;
      return at < size ? at : 2 * size - 1 - at - edge;
    });
    const first = gradient.shape.map((_, i) => i).sort((a, b) => Number(b === axis) - Number(a === axis));
    const sums = unsortedSegmentSum(transpose(gradient, first), tensor1d(sources, 'int32'), size);
    return transpose(sums, backend_util.getUndoAxesPermutation(first));
  }, dy);
}

/** TensorFlow.js' own gradient, for each of the batch. */
function batchedGatherGradient(
  original: GradFunc,
  dy: Tensor,
  [x, indices]: Tensor[],
  axis: number,
  batchDims: number,
): Tensor {
  const count = elements(x!.shape.slice(0, batchDims));
  const parts = (of: Tensor) => unstack(reshape(of, [count, ...of.shape.slice(batchDims)]));
  const [places, gradients] = [parts(indices!), parts(dy)];
  const attrs = { axis: normalizeAxis(axis, x!.rank) - batchDims, batchDims: 0 };
  const each = parts(x!).map((part, i) => original(gradients[i]!, [part, places[i]!], attrs).x!());
  return reshape(stack(each), x!.shape);
}

function convolutionGradient(inputKernel: string, filterKernel: string): GradFunc {
  return (dy, [x, filter], attrs) => {
    const gradient = dy as Tensor;
    return {
      x: () => runKernel(inputKernel, { dy: gradient, filter: filter! }, { ...attrs, inputShape: x!.shape }),
      filter: () =>
        runKernel(filterKernel, { x: x!, dy: gradient }, { ...attrs, filterShape: filter!.shape }),
    };
  };
}

function runKernel(kernel: string, inputs: Record<string, Tensor>, attrs: NamedAttrMap): Tensor {
  return engine().runKernel(kernel, inputs, attrs) as Tensor;
}
