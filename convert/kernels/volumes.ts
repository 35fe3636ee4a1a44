import { backend_util } from '@tensorflow/tfjs-core';
import type { Graph } from '../graph.ts';
import { type Shape, sameShape } from '../shapes.ts';
import { plain, type Value } from '../values.ts';
import { fill } from './elementwise.ts';
import { type Handler, type HandlerTable, handler, UnsupportedKernelError } from './handler.ts';

type Rank5 = [number, number, number, number, number];
type Triple = [number, number, number];

export interface VolumeAttrs {
  strides: number | Triple;
  pad: 'same' | 'valid' | number;
  dilations?: number | Triple;
  dataFormat?: string;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

export interface PoolAttrs extends VolumeAttrs {
  filterSize: number | Triple;
}

/** Convolution and pooling of volumes [N, D, H, W, C]; filters are [depth, height, width, in, out]. */
export const VOLUMES: HandlerTable = {
  Conv3D: handler<VolumeAttrs>({
    outputs: ({ x, filter }, attrs) => [
      { shape: convolution('Conv3D', x!.shape, filter!.shape, attrs).outShape, dtype: x!.dtype },
    ],
    emit: (g, { x, filter }, attrs, [out]) => {
      const c = convolution('Conv3D', x!.shape, filter!.shape, attrs);
      const attributes = { ...windowAttributes(c), dilations: dilationsOf(c) };
      out!.plain = fromNcdhw(g, g.op('Conv', [toNcdhw(g, x!), filterOidhw(g, filter!)], attributes));
    },
  }),
  /** Also the forward pass of a transposed convolution. */
  Conv3DBackpropInputV2: handler<VolumeAttrs & { inputShape: number[] }>({
    outputs: ({ dy }, { inputShape }) => [{ shape: inputShape, dtype: dy!.dtype }],
    emit: (g, { dy, filter }, attrs, [out]) => {
      if (dy!.fill === 0) return fill(out!, 0);
      const c = convolution('Conv3DBackpropInputV2', attrs.inputShape, filter!.shape, attrs);
      const sizes = { dilations: dilationsOf(c), output_padding: outputPadding(c) };
      const attributes = { ...windowAttributes(c), ...sizes };
      const inputs = [toNcdhw(g, dy!), filterOidhw(g, filter!)];
      out!.plain = fromNcdhw(g, g.op('ConvTranspose', inputs, attributes));
    },
  }),
  MaxPool3D: pool('MaxPool3D', (g, x, c) => maxPool(g, x, c)[0]!),
  AvgPool3D: pool('AvgPool3D', (g, x, c) =>
    g.op('AveragePool', [toNcdhw(g, x)], { ...windowAttributes(c), count_include_pad: 0 }),
  ),
};

export type Geometry = backend_util.Conv3DInfo;

/** With gradients in the graph, forward and gradient share one node that also gives the maxima's positions. */
export function maxPool(g: Graph, x: Value, c: Geometry): string[] {
  return g.ops('MaxPool', [toNcdhw(g, x)], windowAttributes(c), g.poolIndices ? 2 : 1);
}

function pool(kernel: string, emit: (g: Graph, x: Value, c: Geometry) => string): Handler {
  return handler<PoolAttrs>({
    outputs: ({ x }, attrs) => [{ shape: pooling(kernel, x!.shape, attrs).outShape, dtype: 'float32' }],
    emit: (g, { x }, attrs, [out]) => {
      out!.plain = fromNcdhw(g, emit(g, x!, pooling(kernel, x!.shape, attrs)));
    },
  });
}

export function convolution(kernel: string, x: Shape, filter: Shape, attrs: VolumeAttrs): Geometry {
  requireChannelsLast(kernel, attrs);
  const { strides, dilations = 1, pad } = attrs;
  // TensorFlow.js types `pad` without numbers here; its own operation refuses them.
  const c = backend_util.computeConv3DInfo(
    [...x] as Rank5,
    [...filter] as Rank5,
    strides,
    dilations,
    pad as 'same',
  );
  refuseNegativeBorder(kernel, c);
  return c;
}

export function pooling(kernel: string, shape: Shape, attrs: PoolAttrs): Geometry {
  requireChannelsLast(kernel, attrs);
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const c = backend_util.computePool3DInfo([...shape] as Rank5, filterSize, strides, 1, pad, dimRoundingMode);
  const window = [c.filterDepth, c.filterHeight, c.filterWidth];
  const [begin, end] = paddings(c);
  refuseNegativeBorder(kernel, c);
  if (window.some((size, i) => Math.max(begin[i]!, end[i]!) >= size))
    throw new UnsupportedKernelError(
      kernel,
      `its padding ${JSON.stringify(pad)} is not smaller than its window; use padding "same", or tf.pad before it`,
    );
  const floored = [c.inDepth, c.inHeight, c.inWidth].map((size, i) =>
    Math.floor((size + begin[i]! + end[i]! - window[i]!) / strideOf(c)[i]! + 1),
  );
  if (!sameShape(floored, [c.outDepth, c.outHeight, c.outWidth]))
    throw new UnsupportedKernelError(kernel, 'its size was not rounded down; use dimRoundingMode "floor"');
  return c;
}

/** Of a stride beyond the window. TensorFlow has no such border: there the windows begin at the first voxel. */
function refuseNegativeBorder(kernel: string, c: Geometry): void {
  if (
    paddings(c)
      .flat()
      .some((border) => border < 0)
  )
    throw new UnsupportedKernelError(
      kernel,
      'its strides are longer than its window, and TensorFlow.js and TensorFlow do not agree on what padding "same" means then; use "valid", or tf.pad before it',
    );
}

function requireChannelsLast(kernel: string, { dataFormat = 'NDHWC' }: VolumeAttrs): void {
  if (dataFormat !== 'NDHWC')
    throw new UnsupportedKernelError(kernel, `dataFormat is "${dataFormat}"; build the model with NDHWC`);
}

export function paddings({ padInfo: p }: Geometry): [number[], number[]] {
  return [
    [p.front, p.top, p.left],
    [p.back, p.bottom, p.right],
  ];
}

export function strideOf(c: Geometry): number[] {
  return [c.strideDepth, c.strideHeight, c.strideWidth];
}

export function dilationsOf(c: Geometry): number[] {
  return [c.dilationDepth, c.dilationHeight, c.dilationWidth];
}

export function windowAttributes(c: Geometry) {
  const kernel_shape = [c.filterDepth, c.filterHeight, c.filterWidth];
  return { kernel_shape, strides: strideOf(c), pads: paddings(c).flat() };
}

/** What a ConvTranspose must append so that it gives back the convolution's input size. */
export function outputPadding(c: Geometry): number[] {
  const [begin, end] = paddings(c);
  const window = [c.effectiveFilterDepth, c.effectiveFilterHeight, c.effectiveFilterWidth];
  const out = [c.outDepth, c.outHeight, c.outWidth];
  return [c.inDepth, c.inHeight, c.inWidth].map(
    (size, i) => size - ((out[i]! - 1) * strideOf(c)[i]! + window[i]! - begin[i]! - end[i]!),
  );
}

export function toNcdhw(g: Graph, v: Value): string {
  return g.transpose(plain(g, v), [0, 4, 1, 2, 3], v.shape);
}

export function fromNcdhw(g: Graph, name: string): string {
  return g.op('Transpose', [name], { perm: [0, 2, 3, 4, 1] });
}

function filterOidhw(g: Graph, filter: Value): string {
  return g.transpose(plain(g, filter), [4, 3, 0, 1, 2], filter.shape);
}
