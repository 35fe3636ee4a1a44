import type { Graph } from '../graph.ts';
import { elements } from '../shapes.ts';
import { type Fold, plain } from '../values.ts';

/** Elements of one product from which on it is worth its two Reshapes. */
const LARGE = 2 ** 12;

/** Of those, elements behind the folded axes: a narrow product is no faster. */
const WIDE = 16;

/**
 * Sums or means over axes with others before and behind them, such as the channels of images in NCHW, as the product of a
 * row of ones with the elements: onnxruntime 1.30 computes its reductions across such axes one element at a time, which
 * takes 3 to 5 times as long. All else, `fold` does.
 */
export function across(what: 'Sum' | 'Mean', fold: Fold): Fold {
  return (g, name, dims, axes, keepDims) => {
    const [first, behind] = [axes[0]!, axes.at(-1)! + 1];
    const parts = [dims.slice(0, first), dims.slice(first, behind), dims.slice(behind)].map(elements);
    const [, count, width] = parts as [number, number, number];
    const pays = count * width >= LARGE && width >= WIDE;
    if (first === 0 || behind - first !== axes.length || !pays) return fold(g, name, dims, axes, keepDims);
    const folded = dims.flatMap((d, i) => (!axes.includes(i) ? [d] : keepDims ? [1] : []));
    if (count === 1) return g.reshape(name, folded);
    const ones = rowOfOnes(g, count);
    const sum = g.op('MatMul', [ones, g.reshape(name, parts)]);
    const total = what === 'Sum' ? sum : g.op('Div', [sum, g.op('ReduceSum', [ones], { keepdims: 1 })]);
    return g.reshape(total, folded);
  };
}

/** Expanded, as a constant could not follow the batch; onnxruntime does it, and counts them, when it loads the graph. */
function rowOfOnes(g: Graph, count: number): string {
  return plain(g, { shape: [1, count], dtype: 'float32', fill: 1, uses: 1 });
}
