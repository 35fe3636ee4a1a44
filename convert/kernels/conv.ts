import { backend_util } from '@tensorflow/tfjs-core';
import type { Graph } from '../graph.ts';
import { elements, type Shape } from '../shapes.ts';
import { channelsFirst, plain, type Value, view } from '../values.ts';
import { convolve } from './blocked.ts';
import { activate, type FusedActivation, fill, requireActivation } from './elementwise.ts';
import { enlargedConvolution, isFoldable } from './enlarged.ts';
import { type Handler, type HandlerTable, handler, UnsupportedKernelError } from './handler.ts';
import { borderedImages } from './pad.ts';

/** Attributes that the two-dimensional convolution kernels share. */
export interface ConvolutionAttrs {
  strides: number | [number, number];
  pad: 'same' | 'valid' | number;
  dataFormat?: string;
  dilations?: number | [number, number];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** Convolutions, forward. Images are [N, H, W, C], filters [height, width, in, out] (depthwise: multiplier). */
export const CONVOLUTION: HandlerTable = {
  Conv2D: handler<ConvolutionAttrs>({
    outputs: ({ x, filter }, attrs) => [
      { shape: geometry('Conv2D', x!.shape, filter!.shape, attrs).outShape, dtype: x!.dtype },
    ],
    emit: (g, { x, filter }, attrs, [out]) => {
      if (x!.fill === 0) return fill(out!, 0); // the state that a recurrent convolution begins with
      out!.deferred = convolution(g, x!, filter!, geometry('Conv2D', x!.shape, filter!.shape, attrs));
    },
  }),
  FusedConv2D: fused('FusedConv2D', geometry, convolution),
  DepthwiseConv2dNative: handler<ConvolutionAttrs>({
    outputs: ({ x, filter }, attrs) => [
      {
        shape: depthwiseGeometry('DepthwiseConv2dNative', x!.shape, filter!.shape, attrs).outShape,
        dtype: x!.dtype,
      },
    ],
    emit: (g, { x, filter }, attrs, [out]) => {
      const c = depthwiseGeometry('DepthwiseConv2dNative', x!.shape, filter!.shape, attrs);
      out!.deferred = depthwiseConvolution(g, x!, filter!, c);
    },
  }),
  FusedDepthwiseConv2D: fused('FusedDepthwiseConv2D', depthwiseGeometry, depthwiseConvolution),
};

/** Emits a convolution in NCHW, with a bias for each channel or without. */
type EmitConvolution = (bias?: string) => string;

function convolution(g: Graph, x: Value, filter: Value, c: Geometry): EmitConvolution {
  const { enlarged } = x.origin ?? x;
  if (enlarged && isFoldable(g, c, enlarged.factor))
    return enlargedConvolution(g, enlarged.of, filter, c, enlarged.factor);
  const { images, attributes } = source(x, c);
  const [name, oihw] = [channelsFirst(g, images), filterOihw(g, filter)];
  const dims = [c.outChannels, c.inChannels, c.filterHeight, c.filterWidth] as const;
  return (bias) => convolve(g, { images: name, filter: oihw, bias, dims, attributes });
}

function depthwiseConvolution(g: Graph, x: Value, filter: Value, c: Geometry): EmitConvolution {
  const { images, attributes } = source(x, c);
  const inputs = [channelsFirst(g, images), depthwiseFilter(g, filter)];
  const grouped = { ...attributes, group: c.inChannels };
  return (bias) => g.op('Conv', bias === undefined ? inputs : [...inputs, bias], grouped);
}

/** A convolution with what TensorFlow.js fused behind it: a bias for each channel, and an activation. */
function fused(
  kernel: string,
  geometryOf: typeof depthwiseGeometry,
  convolutionOf: typeof convolution,
): Handler {
  return handler<ConvolutionAttrs & FusedActivation>({
    outputs: ({ x, filter, bias }, attrs) => {
      requireActivation(kernel, attrs);
      const { outShape, outChannels } = geometryOf(kernel, x!.shape, filter!.shape, attrs);
      if (bias && elements(bias.shape) !== outChannels)
        throw new UnsupportedKernelError(
          kernel,
          `its bias has shape [${bias.shape}]; give one number for each of the ${outChannels} channels`,
        );
      return [{ shape: outShape, dtype: x!.dtype }];
    },
    emit: (g, { x, filter, bias, preluActivationWeights }, attrs, [out]) => {
      const c = geometryOf(kernel, x!.shape, filter!.shape, attrs);
      const channelBias = bias && plain(g, view(g, bias, [c.outChannels]));
      const name = convolutionOf(g, x!, filter!, c)(channelBias);
      activate(g, { ...out!, channelsFirst: name }, out!, attrs, preluActivationWeights);
    },
  });
}

/** What a Conv reads for `x`, and its attributes: a border of zeros around `x` becomes padding of the Conv itself. */
function source(x: Value, c: Geometry) {
  const { images, pads } = borderedImages(x);
  const attributes = nodeAttributes(c);
  return { images, attributes: { ...attributes, pads: attributes.pads.map((p, i) => p + pads[i]!) } };
}

/** Sizes and padding of a convolution, by TensorFlow.js' own rules. */
export function geometry(
  kernel: string,
  x: Shape,
  filter: Shape,
  attrs: ConvolutionAttrs,
  depthwise = false,
) {
  const { strides, dilations, pad, dataFormat, dimRoundingMode } = attrs;
  if (dataFormat !== undefined && dataFormat !== 'NHWC')
    throw new UnsupportedKernelError(
      kernel,
      `dataFormat is "${dataFormat}"; build the model with channels last (NHWC)`,
    );
  type Rank4 = [number, number, number, number];
  const rest = [strides, dilations ?? 1, pad, dimRoundingMode, depthwise] as const;
  const info = backend_util.computeConv2DInfo([...x] as Rank4, [...filter] as Rank4, ...rest);
  if (depthwise || info.inChannels === filter[2]) return requireFloorRounding(kernel, info);
  throw new UnsupportedKernelError(
    kernel,
    `the input has ${info.inChannels} channels, the filter takes ${filter[2]}; grouped convolutions are not supported`,
  );
}

export function depthwiseGeometry(kernel: string, x: Shape, filter: Shape, attrs: ConvolutionAttrs) {
  return geometry(kernel, x, filter, attrs, true);
}

export type Geometry = backend_util.Conv2DInfo;

/** ONNX rounds sizes down when padding is explicit; where TensorFlow.js was asked to round up, results differ. */
export function requireFloorRounding(kernel: string, c: Geometry): Geometry {
  const { top, bottom, left, right } = c.padInfo;
  const rows = Math.floor((c.inHeight + top + bottom - c.effectiveFilterHeight) / c.strideHeight) + 1;
  const columns = Math.floor((c.inWidth + left + right - c.effectiveFilterWidth) / c.strideWidth) + 1;
  if (rows === c.outHeight && columns === c.outWidth) return c;
  throw new UnsupportedKernelError(
    kernel,
    `its size [${c.outHeight}, ${c.outWidth}] was not rounded down; use dimRoundingMode "floor" or padding "same"`,
  );
}

/** The attributes that ONNX's Conv, ConvTranspose and pooling operators share. */
export function nodeAttributes(c: Geometry) {
  return {
    kernel_shape: [c.filterHeight, c.filterWidth],
    strides: [c.strideHeight, c.strideWidth],
    dilations: [c.dilationHeight, c.dilationWidth],
    pads: [c.padInfo.top, c.padInfo.left, c.padInfo.bottom, c.padInfo.right],
  };
}

/** Rows and columns that a ConvTranspose must append so that it gives back the convolution's input size. */
export function outputPadding(c: Geometry): [number, number] {
  const rows =
    (c.outHeight - 1) * c.strideHeight + c.effectiveFilterHeight - c.padInfo.top - c.padInfo.bottom;
  const columns =
    (c.outWidth - 1) * c.strideWidth + c.effectiveFilterWidth - c.padInfo.left - c.padInfo.right;
  return [c.inHeight - rows, c.inWidth - columns];
}

/** A filter [height, width, in, out] as ONNX wants it: [out, in, height, width]. */
export function filterOihw(g: Graph, filter: Value): string {
  return g.transpose(plain(g, filter), [3, 2, 0, 1], filter.shape);
}

/** A depthwise filter [height, width, in, multiplier] as [in * multiplier, 1, height, width]. */
export function depthwiseFilter(g: Graph, filter: Value): string {
  const [height, width, channels, multiplier] = filter.shape;
  const order = g.transpose(plain(g, filter), [2, 3, 0, 1], filter.shape);
  return g.reshape(order, [channels! * multiplier!, 1, height!, width!]);
}
