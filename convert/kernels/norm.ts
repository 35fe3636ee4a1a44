import type { Graph } from '../graph.ts';
import { broadcastShapes, sameShape } from '../shapes.ts';
import { channelsFirst, elementwise, plain, type Value } from '../values.ts';
import { requireFit } from './fit.ts';
import { type HandlerTable, handler, list, sameShapeHandler } from './handler.ts';

/** Batch normalisation with given mean and variance (training computes those by reductions of its own), and LRN. */
export const NORM: HandlerTable = {
  FusedBatchNorm: handler<{ varianceEpsilon: number }>({
    outputs: ({ x, ...parameters }) => {
      for (const { shape } of list(parameters)) {
        const fits = sameShape(broadcastShapes(x!.shape, shape), x!.shape);
        requireFit(fits, 'batchNorm', 'the second has more numbers than the first takes', x!.shape, shape);
      }
      return [x!];
    },
    emit: (g, { x, mean, variance, offset, scale }, { varianceEpsilon }, [out]) => {
      const channels = x!.shape.at(-1)!;
      const absent = (fill: number): Value => ({ shape: [channels], dtype: 'float32', fill, uses: 1 });
      const parameters = [scale ?? absent(1), offset ?? absent(0), mean!, variance!];
      if (x!.shape.length === 4 && parameters.every((p) => p.shape.length === 1 && p.shape[0] === channels)) {
        const inputs = [channelsFirst(g, x!), ...parameters.map((p) => plain(g, p))];
        out!.channelsFirst = g.op('BatchNormalization', inputs, { epsilon: { float: varianceEpsilon } });
      } else {
        elementwise(g, out!, [x!, ...parameters], (...names) => normalize(g, names, varianceEpsilon));
      }
    },
  }),
  /** Across channels; ONNX divides alpha by the number of channels in the window. */
  LRN: sameShapeHandler<LrnAttrs>((g, x, out, { depthRadius, bias, alpha, beta }) => {
    const size = 2 * depthRadius + 1;
    const attributes = { alpha: { float: alpha * size }, beta: { float: beta }, bias: { float: bias } };
    out.channelsFirst = g.op('LRN', [channelsFirst(g, x)], { ...attributes, size });
  }),
  LRNGrad: sameShapeHandler<LrnAttrs>((g, x, out, attrs, { y, dy }) => {
    out.plain = lrnGradient(g, plain(g, x), plain(g, y!), plain(g, dy!), x.shape.at(-1)!, attrs);
  }),
};

interface LrnAttrs {
  depthRadius: number;
  bias: number;
  alpha: number;
  beta: number;
}

/**
 * With s = bias + alpha W x^2, where W sums over the window of each channel, y = x s^-beta has the gradient
 * dy s^-beta - 2 alpha beta x W (dy y / s).
 */
function lrnGradient(
  g: Graph,
  x: string,
  y: string,
  dy: string,
  channels: number,
  { depthRadius, bias, alpha, beta }: LrnAttrs,
): string {
  const near = Array.from({ length: channels ** 2 }, (_, i) =>
    Math.abs(Math.floor(i / channels) - (i % channels)) <= depthRadius ? 1 : 0,
  );
  const window = g.constant('float32', [channels, channels], near);
  const sums = g.op('MatMul', [g.op('Mul', [x, x]), window]);
  const scale = g.op('Add', [g.op('Mul', [sums, g.scalar(alpha)]), g.scalar(bias)]);
  const direct = g.op('Mul', [dy, g.op('Pow', [scale, g.scalar(-beta)])]);
  const shares = g.op('MatMul', [g.op('Div', [g.op('Mul', [dy, y]), scale]), window]);
  const indirect = g.op('Mul', [g.op('Mul', [x, g.scalar(2 * alpha * beta)]), shares]);
  return g.op('Sub', [direct, indirect]);
}

/** (x - mean) / sqrt(variance + epsilon) * scale + offset */
function normalize(g: Graph, names: readonly string[], epsilon: number): string {
  const [x, scale, offset, mean, variance] = names as [string, string, string, string, string];
  const deviation = g.op('Sqrt', [g.op('Add', [variance, g.scalar(epsilon)])]);
  const normalized = g.op('Div', [g.op('Sub', [x, mean]), deviation]);
  return g.op('Add', [g.op('Mul', [normalized, scale]), offset]);
}
