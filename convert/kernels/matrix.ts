import type { Graph } from '../graph.ts';
import { broadcastShapes, type Shape } from '../shapes.ts';
import { plain, type TensorSpec, type Value } from '../values.ts';
import { activate, type FusedActivation, requireActivation } from './elementwise.ts';
import { requireFit } from './fit.ts';
import { type HandlerTable, handler, type Inputs, list } from './handler.ts';

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
    emit: (g, { a, b, bias, preluActivationWeights }, attrs, [out]) => {
      const name = product(g, a!, b!, attrs);
      const sum = bias ? g.op('Add', [name, plain(g, bias)]) : name;
      activate(g, { ...out!, plain: sum }, out!, attrs, preluActivationWeights);
    },
  }),
  /** TensorFlow.js' equations name every axis and the result, as ONNX's may. */
  Einsum: handler<{ equation: string }>({
    outputs: (inputs, { equation }) => {
      const [terms, result] = equation.replaceAll(' ', '').split('->') as [string, string];
      const sizes = new Map<string, number>();
      list(inputs).forEach(({ shape }, i) => {
        [...terms.split(',')[i]!].forEach((letter, axis) => {
          const size = shape[axis]!;
          const shapes = list(inputs).map((input) => input.shape);
          requireFit(
            (sizes.get(letter) ?? size) === size,
            'Einsum',
            `axis ${letter} has two sizes`,
            ...shapes,
          );
          sizes.set(letter, size);
        });
      });
      return [{ shape: [...result].map((letter) => sizes.get(letter)!), dtype: list(inputs)[0]!.dtype }];
    },
    emit: (g, inputs, { equation }, [out]) => {
      out!.plain = g.op(
        'Einsum',
        list(inputs).map((v) => plain(g, v)),
        { equation: equation.replaceAll(' ', '') },
      );
    },
  }),
};

function productShape({ a, b }: Inputs<TensorSpec>, { transposeA, transposeB }: ProductAttrs): TensorSpec[] {
  const rows = a!.shape.at(transposeA ? -1 : -2)!;
  const inner = [a!.shape.at(transposeA ? -2 : -1), b!.shape.at(transposeB ? -1 : -2)];
  requireFit(
    inner[0] === inner[1],
    'matMul',
    `the inner sizes ${inner.join(' and ')} differ`,
    a!.shape,
    b!.shape,
  );
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
