/** Whether what two batch sizes say of a function is true of a third. */
import type { Graph, Initializer, Node } from './graph.ts';
import type { Job } from './plan.ts';
import { type Difference, differenceOfJobs, type Three } from './same_program.ts';
import { sameShape } from './shapes.ts';

/** A graph of fixed sizes. */
export type FixedGraph = Pick<Graph, 'nodes' | 'initializers' | 'inputs' | 'outputs'>;

/** What a function does with one batch size. */
export interface Fixed {
  readonly batch: number;
  readonly job: Job;
  readonly graph: FixedGraph;
}

/** The graph as it is now, though its nodes change. */
export function unchanged({ nodes, initializers, inputs, outputs }: Graph): FixedGraph {
  const copied = <T>(list: readonly T[]) => list.map((one) => ({ ...one }));
  return { nodes: copied(nodes), initializers, inputs: copied(inputs), outputs: copied(outputs) };
}

/**
 * Requires that `further` is what `first` and `second` say for its batch size: the same kernels with the same settings and
 * constants, and every size on the straight line through both. A size that stops at a limit, a remainder or a step that is
 * taken with some batches only is not: two batch sizes cannot tell it from one that is fixed, or that grows.
 *
 * @throws Error naming the layer or node that does something else.
 */
export function requireSameAt(further: Fixed, first: Fixed, second: Fixed): void {
  const three = [first, second, further] as const;
  const slope = (further.batch - first.batch) / (second.batch - first.batch);
  const found =
    differenceOfJobs([first.job, second.job, further.job], slope) ??
    // Operators are chosen by sizes: with a batch of 1 or 2 other ones stand for the same kernels.
    (further.batch > second.batch
      ? differenceOfGraphs([first.graph, second.graph, further.graph], slope)
      : undefined);
  if (found) throw dependsOnBatch(found.what, found.place, three);
}

function differenceOfGraphs([a, b, c]: Three<FixedGraph>, slope: number): Difference | undefined {
  const expected = (x: number, y: number) => x + slope * (y - x);
  for (const [i, node] of a.nodes.entries()) {
    const [other, found] = [b.nodes[i], c.nodes[i]];
    const place = found?.place ?? node.place;
    if (!other || !found || !sameNode(node, found)) return { what: `operation ${node.type}`, place };
    for (const [k, name] of node.inputs.entries()) {
      const [x, y] = [a.initializers.get(name), b.initializers.get(other.inputs[k]!)];
      const z = c.initializers.get(found.inputs[k]!);
      const same = x && y && z ? sameConstant(x, y, z, expected) : name === found.inputs[k];
      if (!same) return { what: `a constant of ${node.type}`, place };
    }
  }
  if (c.nodes.length !== a.nodes.length)
    return { what: 'the number of operations', place: c.nodes.at(-1)?.place };
  for (const ports of ['inputs', 'outputs'] as const)
    for (const [i, { name, dims }] of a[ports].entries()) {
      const [others, found] = [b[ports][i]!.dims, c[ports][i]!.dims];
      if (!dims.every((d, k) => expected(Number(d), Number(others[k])) === found[k]))
        return { what: `the size of ${name}`, place: undefined };
    }
  return undefined;
}

export function sameNode(a: Node, b: Node): boolean {
  return (
    a.type === b.type &&
    a.inputs.length === b.inputs.length &&
    a.outputs.join() === b.outputs.join() &&
    JSON.stringify(a.attributes) === JSON.stringify(b.attributes)
  );
}

export function sameData(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** A function that does not do the same for every batch size. */
export class BatchError extends Error {}

/** What to do about it. */
export const FIX_BATCH = 'fix the batch size (--batch 8; from code its number)';

/** What a function does with the batch size that no file with an open batch can say. */
export function dependsOnBatch(
  what: string,
  place: string | undefined,
  seen: ReadonlyArray<{ readonly batch: number }>,
): Error {
  const batches = seen.map(({ batch }) => batch);
  return new BatchError(
    `${place ? `${place}: ` : ''}the ${place ? 'model' : 'function'} does not do the same for every batch size: ${what} ` +
      `changes with it in a way that a graph cannot express (seen at batches ${batches.slice(0, -1).join(', ')} and ` +
      `${batches.at(-1)}). Use tensor operations that work on any batch and draw no random numbers, or ` +
      FIX_BATCH,
  );
}

function sameConstant(
  x: Initializer,
  y: Initializer,
  z: Initializer,
  expected: (x: number, y: number) => number,
): boolean {
  if (x.type !== z.type || x.data.length !== z.data.length) return false;
  if (x.type !== 'int64' || x.weight) return sameShape(x.dims, z.dims) && sameData(x.data, z.data);
  return Array.from(x.data).every((v, i) => expected(v, y.data[i]!) === z.data[i]);
}
