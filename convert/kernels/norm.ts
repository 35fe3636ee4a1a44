import type { Graph } from '../graph.ts';
import { channelsFirst, elementwise, plain, type Value } from '../values.ts';
import { type HandlerTable, handler, sameShapeHandler } from './handler.ts';

/** Batch normalisation with given mean and variance (training computes those by reductions of its own), and LRN. */
export const NORM: HandlerTable = {
  FusedBatchNorm: handler<{ varianceEpsilon: number }>({
    outputs: ({ x }) => [x!],
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
  LRN: sameShapeHandler<{ depthRadius: number; bias: number; alpha: number; beta: number }>(
    (g, x, out, { depthRadius, bias, alpha, beta }) => {
      const size = 2 * depthRadius + 1;
      const attributes = { alpha: { float: alpha * size }, beta: { float: beta }, bias: { float: bias } };
      out.channelsFirst = g.op('LRN', [channelsFirst(g, x)], { ...attributes, size });
    },
  ),
};

/** (x - mean) / sqrt(variance + epsilon) * scale + offset */
function normalize(g: Graph, names: readonly string[], epsilon: number): string {
  const [x, scale, offset, mean, variance] = names as [string, string, string, string, string];
  const deviation = g.op('Sqrt', [g.op('Add', [variance, g.scalar(epsilon)])]);
  const normalized = g.op('Div', [g.op('Sub', [x, mean]), deviation]);
  return g.op('Add', [g.op('Mul', [normalized, scale]), offset]);
}
