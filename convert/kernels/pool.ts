import { backend_util } from '@tensorflow/tfjs-core';
import type { Graph } from '../graph.ts';
import { elements, toNchw } from '../shapes.ts';
import { channelsFirst, plain, type TensorSpec, type Value } from '../values.ts';
import { type Geometry, nodeAttributes, outputPadding, requireFloorRounding } from './conv.ts';
import { type Handler, type HandlerTable, handler, UnsupportedKernelError } from './handler.ts';

interface PoolAttrs {
  filterSize: number | [number, number];
  strides: number | [number, number];
  pad: 'same' | 'valid' | number;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** Pooling over windows of [N, H, W, C] images, and its gradients. */
export const POOL: HandlerTable = {
  MaxPool: pool('MaxPool', (g, x, c) => maxPool(g, x, c)[0]!),
  AvgPool: pool('AvgPool', (g, x, c) => {
    const attributes = { ...windowAttributes(c), count_include_pad: 0 };
    return g.op('AveragePool', [channelsFirst(g, x)], attributes);
  }),
  MaxPoolWithArgmax: handler<PoolAttrs & { includeBatchInIndex: boolean }>({
    outputs: ({ x }, attrs) => {
      const shape = poolGeometry('MaxPoolWithArgmax', x!, attrs).outShape;
      return [
        { shape, dtype: x!.dtype },
        { shape, dtype: 'int32' },
      ];
    },
    emit: (g, { x }, attrs, [pooled, positions]) => {
      const c = poolGeometry('MaxPoolWithArgmax', x!, attrs);
      const [most, at] = g.ops('MaxPool', [channelsFirst(g, x!)], windowAttributes(c), 2);
      pooled!.channelsFirst = most!;
      positions!.channelsFirst = g.cast(positionInNhwc(g, at!, c, attrs.includeBatchInIndex), 'int32');
    },
  }),
  MaxPoolGrad: handler<PoolAttrs>({
    outputs: ({ input }) => [input!],
    emit: (g, { dy, input }, attrs, [out]) => {
      out!.channelsFirst = maxPoolGradient(g, dy!, input!, poolGeometry('MaxPoolGrad', input!, attrs));
    },
  }),
  AvgPoolGrad: handler<PoolAttrs>({
    outputs: ({ input }) => [input!],
    emit: (g, { dy, input }, attrs, [out]) => {
      out!.channelsFirst = averagePoolGradient(g, dy!, poolGeometry('AvgPoolGrad', input!, attrs));
    },
  }),
};

function pool(kernel: string, emit: (g: Graph, x: Value, c: Geometry) => string): Handler {
  return handler<PoolAttrs>({
    outputs: ({ x }, attrs) => [{ shape: poolGeometry(kernel, x!, attrs).outShape, dtype: x!.dtype }],
    emit: (g, { x }, attrs, [out]) => {
      out!.channelsFirst = emit(g, x!, poolGeometry(kernel, x!, attrs));
    },
  });
}

function poolGeometry(kernel: string, x: TensorSpec, a: PoolAttrs): Geometry {
  const shape = [...x.shape] as [number, number, number, number];
  const info = backend_util.computePool2DInfo(shape, a.filterSize, a.strides, 1, a.pad, a.dimRoundingMode);
  const { top, bottom, left, right } = info.padInfo;
  if (Math.max(top, bottom) >= info.filterHeight || Math.max(left, right) >= info.filterWidth)
    throw new UnsupportedKernelError(
      kernel,
      `its padding ${JSON.stringify(a.pad)} is not smaller than its window, so that a window may hold no pixel; use ` +
        'padding "same", or tf.pad before it',
    );
  return requireFloorRounding(kernel, info);
}

/** A window's attributes; TensorFlow.js has no dilated pooling kernels, and neither has AveragePool in opset 18. */
function windowAttributes(c: Geometry) {
  const { dilations: _, ...attributes } = nodeAttributes(c);
  return attributes;
}

/** ONNX counts positions in [N, C, H, W], TensorFlow.js in [H, W, C] of one image or of all. */
function positionInNhwc(g: Graph, at: string, c: Geometry, withBatch: boolean): string {
  const long = (value: number) => g.scalar(value, 'int64');
  const plane = c.inHeight * c.inWidth;
  const size = plane * c.inChannels;
  const channels = Array.from({ length: c.inChannels }, (_, i) => i);
  const channel = g.constant('int64', [c.inChannels, 1, 1], channels);
  const pixel = g.op('Mul', [g.op('Mod', [at, long(plane)]), long(c.inChannels)]);
  const position = g.op('Add', [pixel, channel]);
  if (!withBatch) return position;
  return g.op('Add', [position, g.op('Mul', [g.op('Div', [at, long(size)]), long(size)])]);
}

/** With gradients in the graph, forward and gradient share one node that also gives the maxima's positions. */
function maxPool(g: Graph, x: Value, c: Geometry): string[] {
  const outputs = g.poolIndices ? 2 : 1;
  return g.ops('MaxPool', [channelsFirst(g, x)], windowAttributes(c), outputs);
}

/** Each dy goes to the position of its window's (first) maximum; where windows overlap, gradients add up. */
function maxPoolGradient(g: Graph, dy: Value, input: Value, c: Geometry): string {
  const indices = maxPool(g, input, c)[1];
  if (indices === undefined)
    throw new Error('MaxPoolGrad in a graph that was not built with pooling indices');
  const shape = toNchw(input.shape);
  if (c.strideHeight >= c.filterHeight && c.strideWidth >= c.filterWidth)
    return g.op('MaxUnpool', [channelsFirst(g, dy), indices, g.ints(shape)], windowAttributes(c));
  const zeros: Value = { shape: [elements(shape)], dtype: 'float32', fill: 0, uses: 1 };
  const flat = [-1];
  const updates = [plain(g, zeros), g.reshape(indices, flat), g.reshape(channelsFirst(g, dy), flat)];
  return g.reshape(g.op('ScatterElements', updates, { axis: 0, reduction: 'add' }), shape);
}

/**
 * Each dy, divided by how many pixels its window really covers, is spread over that window.
 * (tfjs-backend-cpu divides by the full window size, which is wrong at the border of a padded, overlapping pool.)
 */
function averagePoolGradient(g: Graph, dy: Value, c: Geometry): string {
  const { outHeight, outWidth } = c;
  const counts = new Float32Array(outHeight * outWidth);
  for (let i = 0; i < outHeight; i++)
    for (let j = 0; j < outWidth; j++) {
      const rows = covered(i * c.strideHeight - c.padInfo.top, c.filterHeight, c.inHeight);
      counts[i * outWidth + j] = rows * covered(j * c.strideWidth - c.padInfo.left, c.filterWidth, c.inWidth);
    }
  const shares = g.op('Div', [channelsFirst(g, dy), g.constant('float32', [outHeight, outWidth], counts)]);
  const planes = g.reshape(shares, [c.batchSize * c.inChannels, 1, outHeight, outWidth]);
  const window = [c.filterHeight, c.filterWidth];
  const ones = g.constant('float32', [1, 1, ...window], new Float32Array(elements(window)).fill(1));
  const attributes = { ...windowAttributes(c), output_padding: outputPadding(c) };
  const spread = g.op('ConvTranspose', [planes, ones], attributes);
  return g.reshape(spread, [c.batchSize, c.inChannels, c.inHeight, c.inWidth]);
}

function covered(start: number, length: number, limit: number): number {
  return Math.min(start + length, limit) - Math.max(start, 0);
}
