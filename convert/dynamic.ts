import type { Graph, Initializer, Node } from './graph.ts';
import { dependsOnBatch, sameData, sameNode } from './other_batches.ts';
import { sameShape } from './shapes.ts';

/** A dimension that grows with the batch: factor * N + offset. */
interface Affine {
  readonly factor: number;
  readonly offset: number;
}

/**
 * Joins two traces of one function, made with two batch sizes, into a graph with an open batch dimension N.
 *
 * The graphs must be equal but for int64 constants (shapes, slice bounds). Where those differ they are an affine
 * function of the batch size: a single such dimension of a Reshape becomes -1, anything else is computed from the
 * first input's shape. Any other difference is an error, since the function then does something else for each batch
 * size; two traces of one batch size must be equal. Returns the first graph, changed.
 */
export function mergeTraces(a: Graph, b: Graph, batches: readonly [number, number]): Graph {
  const pair: Pair = { a, b, batches };
  for (const ports of ['inputs', 'outputs'] as const)
    a[ports].forEach((port, i) => {
      port.dims = port.dims.map((d, k) =>
        joinDimension(pair, Number(d), Number(b[ports][i]?.dims[k]), port.name),
      );
    });
  const nodes = a.nodes;
  a.nodes = []; // nodes that compute sizes land before the node that uses them
  nodes.forEach((node, i) => {
    joinNode(pair, node, b.nodes[i]);
    a.nodes.push(node);
  });
  if (nodes.length !== b.nodes.length) throw differs(pair, 'the number of operations', b.nodes.at(-1)?.place);
  return a;
}

interface Pair {
  /** Becomes the result. */
  readonly a: Graph;
  readonly b: Graph;
  /** The batch sizes that they were traced with. */
  readonly batches: readonly [number, number];
}

function joinDimension(pair: Pair, x: number, y: number, port: string): number | string {
  if (x === y) return x;
  const { factor, offset } = affine(pair, x, y, `the size of ${port}`);
  return `${factor === 1 ? '' : factor}N${offset === 0 ? '' : `${offset > 0 ? '+' : ''}${offset}`}`;
}

function joinNode(pair: Pair, node: Node, other: Node | undefined): void {
  if (!other || !sameNode(node, other)) throw differs(pair, `operation ${node.type}`, node.place);
  node.inputs = node.inputs.map((name, i) => {
    const [x, y] = [pair.a.initializers.get(name), pair.b.initializers.get(other.inputs[i]!)];
    if (x && y) return joinConstant(pair, node, i, name, x, y);
    if (name !== other.inputs[i]) throw differs(pair, `an input of operation ${node.type}`, node.place);
    return name;
  });
}

function joinConstant(
  pair: Pair,
  node: Node,
  index: number,
  name: string,
  x: Initializer,
  y: Initializer,
): string {
  if (x.type !== y.type || x.data.length !== y.data.length)
    throw differs(pair, `a constant of ${node.type}`, node.place);
  if (x.type !== 'int64' || x.weight) {
    if (!sameShape(x.dims, y.dims) || !sameData(x.data, y.data))
      throw differs(pair, `a constant of ${node.type}`, node.place);
    return name;
  }
  const parts = Array.from(x.data, (v, i) =>
    v === y.data[i] ? v : affine(pair, v, y.data[i]!, `a constant of ${node.type}`, node.place),
  );
  const open = parts.filter((p) => typeof p !== 'number').length;
  if (open === 0) return name;
  if (node.type === 'Reshape' && index === 1 && open === 1 && !parts.includes(0))
    return pair.a.ints(parts.map((p) => (typeof p === 'number' ? p : -1)));
  return computedSizes(pair.a, parts);
}

/** Nodes that compute a vector of sizes from the batch size. */
function computedSizes(g: Graph, parts: ReadonlyArray<number | Affine>): string {
  const [input, axis] = batchAxis(g);
  const batch = g.op('Slice', [g.op('Shape', [input]), g.ints([axis]), g.ints([axis + 1])]);
  const names = parts.map((part) => {
    if (typeof part === 'number') return g.ints([part]);
    const scaled = part.factor === 1 ? batch : g.op('Mul', [batch, g.ints([part.factor])]);
    return part.offset === 0 ? scaled : g.op('Add', [scaled, g.ints([part.offset])]);
  });
  return names.length === 1 ? names[0]! : g.op('Concat', names, { axis: 0 });
}

function batchAxis(g: Graph): [string, number] {
  for (const { name, dims } of g.inputs) {
    const axis = dims.indexOf('N');
    if (axis >= 0) return [name, axis];
  }
  throw new Error('no input has an open dimension');
}

function affine(pair: Pair, x: number, y: number, what: string, place?: string): Affine {
  const [m, n] = pair.batches;
  const factor = (y - x) / (n - m);
  if (!Number.isInteger(factor)) throw differs(pair, what, place);
  return { factor, offset: x - factor * m };
}

function differs({ batches: [m, n] }: Pair, what: string, place?: string): Error {
  if (m === n)
    return new Error(
      `the function did something else when it was called again: ${what} differs. It must not draw random numbers`,
    );
  return dependsOnBatch(what, place, [{ batch: m }, { batch: n }]);
}
