import type { Graph } from '../graph.ts';
import { elements, type Shape } from '../shapes.ts';
import { plain, type Value } from '../values.ts';
import { fill } from './elementwise.ts';
import { type HandlerTable, handler } from './handler.ts';
import { constantPad } from './pad.ts';
import {
  convolution,
  dilationsOf,
  fromNcdhw,
  type Geometry,
  maxPool,
  outputPadding,
  type PoolAttrs,
  paddings,
  pooling,
  strideOf,
  toNcdhw,
  type VolumeAttrs,
  windowAttributes,
} from './volumes.ts';

/** Gradients of convolution (by its filter) and pooling of volumes [N, D, H, W, C]. */
export const VOLUME_GRADIENTS: HandlerTable = {
  Conv3DBackpropFilterV2: handler<VolumeAttrs & { filterShape: number[] }>({
    outputs: ({ x }, { filterShape }) => [{ shape: filterShape, dtype: x!.dtype }],
    emit: (g, { x, dy }, attrs, [out]) => {
      if (x!.fill === 0 || dy!.fill === 0) return fill(out!, 0);
      const c = convolution('Conv3DBackpropFilterV2', x!.shape, attrs.filterShape, attrs);
      out!.plain = filterGradient(g, x!, dy!, c, attrs.filterShape);
    },
  }),
  MaxPool3DGrad: handler<PoolAttrs>({
    outputs: ({ input }) => [input!],
    emit: (g, { dy, input }, attrs, [out]) => {
      const c = pooling('MaxPool3DGrad', input!.shape, attrs);
      out!.plain = fromNcdhw(g, maxPoolGradient(g, dy!, input!, c));
    },
  }),
  AvgPool3DGrad: handler<PoolAttrs>({
    outputs: ({ input }) => [input!],
    emit: (g, { dy, input }, attrs, [out]) => {
      const c = pooling('AvgPool3DGrad', input!.shape, attrs);
      out!.plain = fromNcdhw(g, averagePoolGradient(g, dy!, c));
    },
  }),
};

/** dW[tap] = sum over positions p of x[p * stride + tap] dy[p]: one matrix product for each filter tap. */
function filterGradient(g: Graph, x: Value, dy: Value, c: Geometry, filterShape: Shape): string {
  const out = [c.outDepth, c.outHeight, c.outWidth];
  const [begin, end] = paddings(c);
  const source = constantPad(g, toNcdhw(g, x), [0, 0, ...begin, 0, 0, ...end], g.scalar(0));
  const columns = g.reshape(toNcdhw(g, dy), [c.batchSize, c.outChannels, elements(out)]);
  const gradient = g.op('Transpose', [columns], { perm: [0, 2, 1] });
  const strides = strideOf(c);
  const dilations = dilationsOf(c);
  const taps: string[] = [];
  for (let i = 0; i < c.filterDepth; i++)
    for (let j = 0; j < c.filterHeight; j++)
      for (let k = 0; k < c.filterWidth; k++) {
        const starts = [i, j, k].map((tap, axis) => tap * dilations[axis]!);
        const ends = starts.map((start, axis) => start + (out[axis]! - 1) * strides[axis]! + 1);
        const bounds = [g.ints(starts), g.ints(ends), g.ints([2, 3, 4]), g.ints(strides)];
        const shifted = g.reshape(g.op('Slice', [source, ...bounds]), [
          c.batchSize,
          c.inChannels,
          elements(out),
        ]);
        taps.push(g.op('ReduceSum', [g.op('MatMul', [shifted, gradient]), g.ints([0])], { keepdims: 0 }));
      }
  return g.reshape(taps.length === 1 ? taps[0]! : g.op('Concat', taps, { axis: 0 }), filterShape);
}

/** Each dy goes to the position of its window's (first) maximum; where windows overlap, gradients add up. */
function maxPoolGradient(g: Graph, dy: Value, input: Value, c: Geometry): string {
  const indices = maxPool(g, input, c)[1];
  if (indices === undefined)
    throw new Error('MaxPool3DGrad in a graph that was not built with pooling indices');
  const [n, depth, height, width, channels] = input.shape;
  const zeros: Value = { shape: [elements(input.shape)], dtype: 'float32', fill: 0, uses: 1 };
  const updates = [plain(g, zeros), g.reshape(indices, [-1]), g.reshape(toNcdhw(g, dy), [-1])];
  const scattered = g.op('ScatterElements', updates, { axis: 0, reduction: 'add' });
  return g.reshape(scattered, [n!, channels!, depth!, height!, width!]);
}

/** Each dy, divided by how many voxels its window really covers, is spread over that window. */
function averagePoolGradient(g: Graph, dy: Value, c: Geometry): string {
  const out = [c.outDepth, c.outHeight, c.outWidth];
  const window = [c.filterDepth, c.filterHeight, c.filterWidth];
  const size = [c.inDepth, c.inHeight, c.inWidth];
  const planes = c.batchSize * c.inChannels;
  const shape = [1, 1, ...window];
  const ones = g.constant('float32', shape, new Float32Array(elements(window)).fill(1));
  const { pads, strides } = windowAttributes(c);
  const attributes = { kernel_shape: window, pads, strides };
  const everywhere = g.constant('float32', [1, 1, ...size], new Float32Array(elements(size)).fill(1));
  const counts = g.op('Conv', [everywhere, ones], attributes);
  const shares = g.op('Div', [g.reshape(toNcdhw(g, dy), [planes, 1, ...out]), counts]);
  const spread = g.op('ConvTranspose', [shares, ones], { ...attributes, output_padding: outputPadding(c) });
  return g.reshape(spread, [c.batchSize, c.inChannels, ...size]);
}
