import type { Graph } from '../graph.ts';
import { elements } from '../shapes.ts';
import { channelsFirst, type Value } from '../values.ts';
import { type Handler, type HandlerTable, handler } from './handler.ts';

interface ResizeAttrs {
  alignCorners?: boolean;
  halfPixelCenters?: boolean;
}

interface ForwardAttrs extends ResizeAttrs {
  /** [height, width] */
  size: [number, number];
}

/** Resizing of [N, H, W, C] images, and its gradients. */
export const RESIZE: HandlerTable = {
  ResizeNearestNeighbor: handler<ForwardAttrs>({
    outputs: ({ images }, { size }) => [
      { shape: [images!.shape[0]!, ...size, images!.shape[3]!], dtype: images!.dtype },
    ],
    emit: (g, { images }, attrs, [out]) => {
      out!.channelsFirst = nearest(g, images!, attrs);
      const factor = attrs.size[0] / images!.shape[1]!;
      const even = factor === attrs.size[1] / images!.shape[2]! && Number.isInteger(factor);
      if (even && !attrs.alignCorners && images!.dtype === 'float32') out!.enlarged = { of: images!, factor };
    },
  }),
  ResizeBilinear: handler<ForwardAttrs>({
    outputs: ({ images }, { size }) => [
      { shape: [images!.shape[0]!, ...size, images!.shape[3]!], dtype: 'float32' },
    ],
    emit: (g, { images }, attrs, [out]) => {
      const name = channelsFirst(g, images!);
      const float = images!.dtype === 'float32' ? name : g.cast(name, 'float32');
      const mode = { mode: 'linear', coordinate_transformation_mode: coordinates(attrs) } as const;
      out!.channelsFirst = resize(g, images!, float, attrs.size, mode);
    },
  }),
  ResizeNearestNeighborGrad: gradient(nearestWeights),
  ResizeBilinearGrad: gradient(bilinearWeights),
};

/**
 * A whole factor is a Resize; for any other, single precision inside onnxruntime could round to another
 * neighbour than TensorFlow.js does, so that rows and columns are gathered by index.
 */
function nearest(g: Graph, images: Value, attrs: ForwardAttrs): string {
  const [height, width] = [images.shape[1]!, images.shape[2]!];
  const [outHeight, outWidth] = attrs.size;
  const name = channelsFirst(g, images);
  if (!attrs.alignCorners && outHeight % height === 0 && outWidth % width === 0)
    return resize(g, images, name, attrs.size, {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
  const rows = g.ints(neighbours(height, outHeight, attrs));
  const columns = g.ints(neighbours(width, outWidth, attrs));
  return g.op('Gather', [g.op('Gather', [name, rows], { axis: 2 }), columns], { axis: 3 });
}

/**
 * Sizes go in as scales of all four axes: the short form with `axes` breaks in onnxruntime 1.30's transpose optimizer,
 * and full sizes would tie the graph to one batch size.
 */
function resize(
  g: Graph,
  images: Value,
  name: string,
  size: readonly number[],
  attributes: ResizeMode,
): string {
  const [height, width] = [images.shape[1]!, images.shape[2]!];
  const scales = [1, 1, exactScale(height, size[0]!), exactScale(width, size[1]!)];
  return g.op('Resize', [name, '', g.constant('float32', [4], scales)], { ...attributes });
}

type ResizeMode =
  | { mode: 'nearest'; coordinate_transformation_mode: 'asymmetric'; nearest_mode: 'floor' }
  | { mode: 'linear'; coordinate_transformation_mode: 'asymmetric' | 'half_pixel' | 'align_corners' };

/** The single-precision factor nearest to to / from whose product with `from` is not below `to`, not even in double precision. */
function exactScale(from: number, to: number): number {
  let scale = Math.fround(to / from);
  while (from * scale < to) scale = Math.fround(scale * (1 + 2 ** -23));
  return scale;
}

function coordinates(attrs: ResizeAttrs) {
  if (attrs.alignCorners) return 'align_corners';
  return attrs.halfPixelCenters ? 'half_pixel' : 'asymmetric';
}

/** dx = A^T dy B, where A and B interpolate rows and columns; for whole nearest factors a sum over blocks. */
function gradient(weights: (from: number, to: number, attrs: ResizeAttrs) => Float32Array): Handler {
  return handler<ResizeAttrs>({
    outputs: ({ images }) => [images!],
    emit: (g, { images, dy }, attrs, [out]) => {
      const [height, width] = [images!.shape[1]!, images!.shape[2]!];
      const [outHeight, outWidth] = [dy!.shape[1]!, dy!.shape[2]!];
      const whole = outHeight % height === 0 && outWidth % width === 0 && !attrs.alignCorners;
      if (weights === nearestWeights && whole) {
        out!.channelsFirst = blockSums(g, dy!, [outHeight / height, outWidth / width]);
        return;
      }
      const name = channelsFirst(g, dy!);
      const rows = g.constant('float32', [outHeight, height], weights(height, outHeight, attrs));
      const columns = g.constant('float32', [outWidth, width], weights(width, outWidth, attrs));
      const transposed = g.op('Transpose', [rows], { perm: [1, 0] });
      out!.channelsFirst = g.op('MatMul', [transposed, g.op('MatMul', [name, columns])]);
    },
  });
}

/** Sums over blocks as their means times their size: onnxruntime's ReduceSum takes three times as long. */
function blockSums(g: Graph, images: Value, block: readonly [number, number]): string {
  const direct = block[0] === block[1] ? images.blockSums?.(block[0]) : undefined;
  if (direct !== undefined) return direct;
  const attributes = { kernel_shape: block, strides: block };
  const means = g.op('AveragePool', [channelsFirst(g, images)], attributes);
  return g.op('Mul', [means, g.scalar(elements(block))]);
}

/** Input pixels per output pixel: tfjs-backend-cpu kernels/ResizeBilinear.js. */
function scaleOf(from: number, to: number, attrs: ResizeAttrs): number {
  return attrs.alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
}

/** The input index that each output index copies: tfjs-backend-cpu kernels/ResizeNearestNeighbor.js. */
function neighbours(from: number, to: number, attrs: ResizeAttrs): number[] {
  const scale = scaleOf(from, to, attrs);
  return Array.from({ length: to }, (_, i) => {
    const position = attrs.halfPixelCenters ? scale * (i + 0.5) : scale * i;
    return Math.min(from - 1, attrs.alignCorners ? Math.round(position) : Math.floor(position));
  });
}

/** Row-major [to, from]: how much of each input index each output index takes. */
function nearestWeights(from: number, to: number, attrs: ResizeAttrs): Float32Array {
  const weights = new Float32Array(to * from);
  neighbours(from, to, attrs).forEach((source, i) => {
    weights[i * from + source] = 1;
  });
  return weights;
}

function bilinearWeights(from: number, to: number, attrs: ResizeAttrs): Float32Array {
  const weights = new Float32Array(to * from);
  const scale = scaleOf(from, to, attrs);
  for (let i = 0; i < to; i++) {
    const position = Math.max(0, attrs.halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale);
    const low = Math.min(from - 1, Math.floor(position));
    const high = Math.min(from - 1, low + 1);
    weights[i * from + low]! += 1 - (position - low);
    weights[i * from + high]! += position - low;
  }
  return weights;
}
