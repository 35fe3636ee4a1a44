import type { Graph } from '../graph.ts';
import { broadcastShapes, type Shape } from '../shapes.ts';
import { plain, type TensorSpec, type Value } from '../values.ts';
import { activate, type FusedActivation, requireActivation } from './elementwise.ts';
import { type HandlerTable, handler, type Inputs } from './handler.ts';

interface ProductAttrs {
  transposeA?: boolean;
  transposeB?: boolean;
}

/** Matrix products. */
export const MATRIX: HandlerTable = {
  BatchMatMul: handler<ProductAttrs>({
    outputs: productShape,
    emit: (g, { a, b }, attrs, [out]) => {
      out!.plain = product(g, a!, b!, attrs);
    },
  }),
  _FusedMatMul: handler<ProductAttrs & FusedActivation>({
    outputs: (inputs, attrs) => {
      requireActivation('_FusedMatMul', attrs);
      return productShape(inputs, attrs);
    },
    emit: (g, { a, b, bias }, attrs, [out]) => {
      const name = product(g, a!, b!, attrs);
      out!.plain = activate(g, bias ? g.op('Add', [name, plain(g, bias)]) : name, attrs);
    },
  }),
};

function productShape({ a, b }: Inputs<TensorSpec>, { transposeA, transposeB }: ProductAttrs): TensorSpec[] {
  const rows = a!.shape.at(transposeA ? -1 : -2)!;
  const columns = b!.shape.at(transposeB ? -2 : -1)!;
  const batch = broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
  return [{ shape: [...batch, rows, columns], dtype: a!.dtype }];
}

function product(g: Graph, a: Value, b: Value, { transposeA, transposeB }: ProductAttrs): string {
  const fused = (transposeA || transposeB) && !g.portable && a.dtype === 'float32';
  if (fused) {
    const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
    return g.op('FusedMatMul', [plain(g, a), plain(g, b)], attributes);
  }
  return g.op('MatMul', [operand(g, a, transposeA), operand(g, b, transposeB)]);
}

function operand(g: Graph, v: Value, transposed: boolean | undefined): string {
  return transposed ? g.transpose(plain(g, v), swapLast(v.shape), v.shape) : plain(g, v);
}

function swapLast(shape: Shape): number[] {
  const axes = shape.map((_, i) => i);
  return [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!];
}
