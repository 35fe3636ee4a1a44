import type { Graph } from '../graph.ts';
import type { Shape } from '../shapes.ts';
import { channelsFirst, plain, type Value } from '../values.ts';
import { convolve } from './blocked.ts';
import {
  type ConvolutionAttrs,
  depthwiseFilter,
  depthwiseGeometry,
  filterOihw,
  type Geometry,
  geometry,
  nodeAttributes,
  outputPadding,
} from './conv.ts';
import { fill } from './elementwise.ts';
import { enlargedInputGradient, isFoldable } from './enlarged.ts';
import { type HandlerTable, handler } from './handler.ts';
import { padImages } from './pad.ts';

/** Below this many channels times filter taps, one product over all taps beats one product for each. */
const SINGLE_PRODUCT_LIMIT = 64;

const BEFORE_START = -(2 ** 31);

interface InputGradientAttrs extends ConvolutionAttrs {
  inputShape: number[];
}

interface FilterGradientAttrs extends ConvolutionAttrs {
  filterShape: number[];
}

/** Gradients of the convolutions. Conv2DBackpropInput is also the forward pass of a transposed convolution. */
export const CONVOLUTION_GRADIENTS: HandlerTable = {
  Conv2DBackpropInput: handler<InputGradientAttrs>({
    outputs: ({ dy }, { inputShape }) => [{ shape: inputShape, dtype: dy!.dtype }],
    emit: (g, { dy, filter }, attrs, [out]) => {
      if (dy!.fill === 0) return fill(out!, 0);
      const c = geometry('Conv2DBackpropInput', attrs.inputShape, filter!.shape, attrs);
      out!.deferred = inputGradient(g, dy!, filter!, c);
      out!.blockSums = (factor) =>
        isFoldable(g, c, factor) ? enlargedInputGradient(g, dy!, filter!, c, factor) : undefined;
    },
  }),
  Conv2DBackpropFilter: handler<FilterGradientAttrs>({
    outputs: ({ x }, { filterShape }) => [{ shape: filterShape, dtype: x!.dtype }],
    emit: (g, { x, dy }, attrs, [out]) => {
      if (x!.fill === 0 || dy!.fill === 0) return fill(out!, 0);
      const c = geometry('Conv2DBackpropFilter', x!.shape, attrs.filterShape, attrs);
      out!.plain = filterGradient(g, x!, dy!, c);
    },
  }),
  DepthwiseConv2dNativeBackpropInput: handler<InputGradientAttrs>({
    outputs: ({ dy }, { inputShape }) => [{ shape: inputShape, dtype: dy!.dtype }],
    emit: (g, { dy, filter }, attrs, [out]) => {
      const c = depthwiseGeometry(
        'DepthwiseConv2dNativeBackpropInput',
        attrs.inputShape,
        filter!.shape,
        attrs,
      );
      const attributes = { ...nodeAttributes(c), output_padding: outputPadding(c), group: c.inChannels };
      out!.channelsFirst = g.op(
        'ConvTranspose',
        [channelsFirst(g, dy!), depthwiseFilter(g, filter!)],
        attributes,
      );
    },
  }),
  DepthwiseConv2dNativeBackpropFilter: handler<FilterGradientAttrs>({
    outputs: ({ x }, { filterShape }) => [{ shape: filterShape, dtype: x!.dtype }],
    emit: (g, { x, dy }, attrs, [out]) => {
      const c = depthwiseGeometry('DepthwiseConv2dNativeBackpropFilter', x!.shape, attrs.filterShape, attrs);
      out!.plain = depthwiseFilterGradient(g, x!, dy!, c, attrs.filterShape);
    },
  }),
};

/** At stride 1 a plain Conv with the flipped, transposed filter: faster in onnxruntime than ConvTranspose. */
function inputGradient(g: Graph, dy: Value, filter: Value, c: Geometry): (bias?: string) => string {
  const { top, left, bottom, right } = c.padInfo;
  const [height, width] = [c.effectiveFilterHeight - 1, c.effectiveFilterWidth - 1];
  const pads = [height - top, width - left, height - bottom, width - right];
  const images = channelsFirst(g, dy);
  if (c.strideHeight === 1 && c.strideWidth === 1 && pads.every((p) => p >= 0)) {
    const flipped = flippedFilter(g, filter, c);
    const dims = [c.inChannels, c.outChannels, c.filterHeight, c.filterWidth] as const;
    const attributes = { ...nodeAttributes(c), pads };
    return (bias) => convolve(g, { images, filter: flipped, bias, dims, attributes });
  }
  const inputs = [images, filterOihw(g, filter)];
  const attributes = { ...nodeAttributes(c), output_padding: outputPadding(c) };
  return (bias) => g.op('ConvTranspose', bias === undefined ? inputs : [...inputs, bias], attributes);
}

function flippedFilter(g: Graph, filter: Value, c: Geometry): string {
  const ioHw = g.transpose(plain(g, filter), [2, 3, 0, 1], filter.shape);
  if (c.filterHeight * c.filterWidth === 1) return ioHw;
  const back = g.ints([-1, -1]);
  return g.op('Slice', [ioHw, back, g.ints([BEFORE_START, BEFORE_START]), g.ints([2, 3]), back]);
}

/**
 * dW[tap] = sum over positions p of x[p * stride + tap] dy[p]: one matrix product for each filter tap, with a
 * shifted slice. What is sliced is x, or at stride 1 dy where that has fewer channels; with few channels the
 * slices are joined into a single product. (A Conv with swapped axes does the same several times slower.)
 */
function filterGradient(g: Graph, x: Value, dy: Value, c: Geometry): string {
  const taps = c.filterHeight * c.filterWidth;
  const unitStride = c.strideHeight === 1 && c.strideWidth === 1;
  const { top, left, bottom, right } = c.padInfo;
  const back = [c.effectiveFilterHeight - 1, c.effectiveFilterWidth - 1] as const;
  const dyPads = [back[0] - top, back[1] - left, back[0] - bottom, back[1] - right];
  const shiftDy = unitStride && taps > 1 && c.outChannels < c.inChannels && dyPads.every((p) => p >= 0);

  const [height, width] = shiftDy ? [c.inHeight, c.inWidth] : [c.outHeight, c.outWidth];
  const [fixedChannels, channels] = shiftDy ? [c.inChannels, c.outChannels] : [c.outChannels, c.inChannels];
  const fixed = g.reshape(channelsFirst(g, shiftDy ? x : dy), [c.batchSize, fixedChannels, height * width]);
  const source = padImages(
    g,
    channelsFirst(g, shiftDy ? dy : x),
    shiftDy ? dyPads : [top, left, bottom, right],
  );
  const strides = [c.strideHeight, c.strideWidth];
  const shifted = (row: number, column: number) => {
    const whole = taps === 1 && unitStride;
    const slice = whole ? source : window(g, source, [row, column], [height, width], strides);
    return g.reshape(slice, [c.batchSize, channels, height * width]);
  };
  const product = (slice: string) =>
    g.op('ReduceSum', [productTransposed(g, fixed, slice), g.ints([0])], { keepdims: 0 });

  const slices: string[] = [];
  for (let i = 0; i < c.filterHeight; i++)
    for (let j = 0; j < c.filterWidth; j++) {
      const [row, column] = [i * c.dilationHeight, j * c.dilationWidth];
      slices.push(shiftDy ? shifted(back[0] - row, back[1] - column) : shifted(row, column));
    }
  const single = taps > 1 && channels * taps <= SINGLE_PRODUCT_LIMIT;
  const joined = single
    ? product(g.op('Concat', slices, { axis: 1 }))
    : concat(
        g,
        slices.map((s) => g.reshape(product(s), [fixedChannels, 1, channels])),
        1,
      );
  const byTap = g.reshape(joined, [fixedChannels, taps, channels]);
  const order = g.op('Transpose', [byTap], { perm: shiftDy ? [1, 0, 2] : [1, 2, 0] });
  return g.reshape(order, [c.filterHeight, c.filterWidth, c.inChannels, c.outChannels]);
}

function depthwiseFilterGradient(g: Graph, x: Value, dy: Value, c: Geometry, filterShape: Shape): string {
  const { top, left, bottom, right } = c.padInfo;
  const [channels, multiplier] = [filterShape[2]!, filterShape[3]!];
  const positions = c.outHeight * c.outWidth;
  const source = padImages(g, channelsFirst(g, x), [top, left, bottom, right]);
  const gradient = g.reshape(channelsFirst(g, dy), [c.batchSize, channels, multiplier, positions]);
  const taps: string[] = [];
  for (let i = 0; i < c.filterHeight; i++)
    for (let j = 0; j < c.filterWidth; j++) {
      const start = [i * c.dilationHeight, j * c.dilationWidth];
      const slice = window(g, source, start, [c.outHeight, c.outWidth], [c.strideHeight, c.strideWidth]);
      const factors = g.op('Mul', [g.reshape(slice, [c.batchSize, channels, 1, positions]), gradient]);
      taps.push(
        g.reshape(g.op('ReduceSum', [factors, g.ints([0, 3])], { keepdims: 0 }), [1, channels, multiplier]),
      );
    }
  return g.reshape(concat(g, taps, 0), filterShape);
}

/** a b^T for each image of the batch. */
function productTransposed(g: Graph, a: string, b: string): string {
  if (g.portable) return g.op('MatMul', [a, g.op('Transpose', [b], { perm: [0, 2, 1] })]);
  return g.op('FusedMatMul', [a, b], { transA: 0, transB: 1 });
}

function concat(g: Graph, names: readonly string[], axis: number): string {
  return names.length === 1 ? names[0]! : g.op('Concat', names, { axis });
}

/** `size` rows and columns of NCHW images, from `start`, every `stride`-th. */
function window(g: Graph, name: string, start: Shape, size: Shape, stride: Shape): string {
  const ends = start.map((s, i) => s + (size[i]! - 1) * stride[i]! + 1);
  return g.op('Slice', [name, g.ints(start), g.ints(ends), g.ints([2, 3]), g.ints(stride)]);
}
