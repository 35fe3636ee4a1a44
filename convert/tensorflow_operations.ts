/** What TensorFlow computes where tfjs-converter 4.22.0 executes an operation wrongly, or by reading values. */
import {
  abs,
  add,
  bitwiseAnd,
  broadcastTo,
  clipByValue,
  div,
  floor,
  image,
  less,
  mod,
  mul,
  neg,
  oneHot,
  sub,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tensor2d,
  transpose,
  where,
  zeros,
} from '@tensorflow/tfjs-core';
import { broadcastShapes } from './shapes.ts';

/** What tfjs-converter hands the executor of a registered operation. */
export interface OperationNode {
  readonly inputs: Tensor[];
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** By operation. */
export const TENSORFLOW_OPERATIONS: Readonly<Record<string, (node: OperationNode) => Tensor[]>> = {
  /** tfjs-converter looks for its operands under names that it does not have; tfjs-core wants them of one shape. */
  BitwiseAnd: ({ inputs: [a, b] }) => {
    const shape = broadcastShapes(a!.shape, b!.shape);
    return [bitwiseAnd(broadcastTo(a!, shape), broadcastTo(b!, shape))];
  },
  /** tfjs-converter passes values on as they are. */
  FakeQuantWithMinMaxVars: fakeQuantized,
  NonMaxSuppressionV4: suppressed,
  /** The remainder with the sign of the dividend; tfjs-converter takes that of `FloorMod`. */
  Mod: ({ inputs: [a, b] }) => {
    const size = mod(abs(a!), abs(b!));
    return [where(less(a!, 0), neg(size), size)];
  },
  /** tfjs-converter passes over the axis. */
  OneHot: ({ inputs, attrs }) => {
    const [indices, ...settings] = inputs as [Tensor, Tensor, Tensor, Tensor];
    const [depth, on, off] = settings.map(numberOf) as [number, number, number];
    const last = oneHot(indices, depth, on, off, attrs.T as 'float32');
    const axis = Number(attrs.axis ?? -1);
    if (axis < 0) return [last];
    const order = indices.shape.map((_, i) => i);
    return [transpose(last, [...order.slice(0, axis), indices.rank, ...order.slice(axis)])];
  },
  /** tfjs-converter takes the number of diagonals below for those above, too. */
  MatrixBandPart: ({ inputs: [matrices, ...limits] }) => {
    const [below, above] = limits.map(numberOf) as [number, number];
    const [rows, columns] = matrices!.shape.slice(-2) as [number, number];
    const band = Array.from({ length: rows * columns }, (_, k) => {
      const [i, j] = [Math.floor(k / columns), k % columns];
      return (below < 0 || i - j <= below) && (above < 0 || j - i <= above);
    });
    return [where(tensor2d(band, [rows, columns], 'bool'), matrices!, zeros([], matrices!.dtype))];
  },
};

function suppressed({ inputs, attrs }: OperationNode): Tensor[] {
  const [boxes, scores, ...limits] = inputs as [Tensor2D, Tensor1D, ...Tensor[]];
  const [most, overlap, score] = limits.map(numberOf) as [number, number, number];
  const padded = attrs.pad_to_max_output_size === true;
  const found = image.nonMaxSuppressionPadded(boxes, scores, most, overlap, score, padded);
  return [found.selectedIndices!, found.validOutputs!];
}

/**
 * Rounded to one of 2^bits steps: tensorflow/core/kernels/fake_quant_ops_functor.h, Nudge and FakeQuantWithMinMaxVars; in
 * single precision as there, which decides where 0 lies in a range that is symmetric about it.
 */
function fakeQuantized({ inputs, attrs }: OperationNode): Tensor[] {
  const [x, ...range] = inputs as [Tensor, Tensor, Tensor];
  const [min, max] = range.map(numberOf) as [number, number];
  const [lowest, highest] = [attrs.narrow_range === true ? 1 : 0, 2 ** Number(attrs.num_bits ?? 8) - 1];
  const step = Math.fround(Math.fround(max - min) / (highest - lowest));
  const zero = Math.round(Math.min(highest, Math.max(lowest, lowest - Math.fround(min / step))));
  const [low, high] = [(lowest - zero) * step, (highest - zero) * step];
  const steps = floor(add(div(sub(clipByValue(x, low, high), low), step), 0.5));
  return [add(mul(steps, step), low)];
}

function numberOf(constant: Tensor): number {
  return constant.dataSync()[0]!;
}
