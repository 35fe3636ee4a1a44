/** Writes a graph of operator set 18 in an older one, for runtimes that know no newer. */
import type { Graph, Node } from './graph.ts';
import { NEWEST_OPSET, OPSET } from './opset.ts';

/** The oldest that can be written: since 13 the axes of Squeeze, Unsqueeze and ReduceSum are inputs. */
export const OLDEST_OPSET = 13;

/** Operators and attributes that came later. What is not listed has the form of set 18 since 13 or before. */
const SINCE: Readonly<Record<string, number>> = {
  BitwiseAnd: 18,
  HardSwish: 14,
  LayerNormalization: 17,
  Loop: 18, // the nodes of its body would have to be rewritten, too
  Mish: 18,
  Split: 18,
};

const REDUCTIONS = new Set(['ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2']);

/** onnxruntime moves a Pad by zero into these, which is wrong; what keeps it from that came with set 18 (kernels/pad.ts). */
const POOLS = new Set(['MaxPool', 'AveragePool']);
const REARRANGED = new Set(['Transpose', 'Reshape', 'Identity']);

/**
 * Changes the graph's nodes to those of `opset`.
 * @throws Error for a set that cannot be written, or an operator that the set does not have.
 */
export function lowerOpset(graph: Graph, opset: number): Graph {
  if (!Number.isInteger(opset) || opset < OLDEST_OPSET || opset > NEWEST_OPSET)
    throw new Error(
      `operator set ${opset} cannot be written; choose one from ${OLDEST_OPSET} to ${NEWEST_OPSET}`,
    );
  if (opset >= OPSET) return graph;
  const pooled = pooledNames(graph.nodes);
  for (const node of graph.nodes) lowerNode(graph, node, opset, pooled);
  const used = new Set([...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs.map((o) => o.name)]);
  for (const name of graph.initializers.keys()) if (!used.has(name)) graph.initializers.delete(name);
  return graph;
}

/** What pooling reads, and what that is a rearrangement of: onnxruntime moves rearrangements out of the way. */
function pooledNames(nodes: readonly Node[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { type, inputs, outputs } of nodes.toReversed())
    if (POOLS.has(type) || (REARRANGED.has(type) && names.has(outputs[0]!))) names.add(inputs[0]!);
  return names;
}

function lowerNode(graph: Graph, node: Node, opset: number, pooled: ReadonlySet<string>): void {
  const { type, inputs, attributes } = node;
  if (opset < (SINCE[type] ?? 0)) throw needs(type, SINCE[type]!);
  if (REDUCTIONS.has(type) && inputs.length > 1) {
    const axes = graph.initializers.get(inputs[1]!);
    if (axes === undefined) throw needs(`${type} with computed axes`, OPSET);
    node.attributes = { ...attributes, axes: Array.from(axes.data, Number) };
    node.inputs = inputs.slice(0, 1);
  }
  if (type === 'Pad' && inputs.length > 3) {
    if (pooled.has(node.outputs[0]!)) throw needs('a border of constants before pooling', OPSET);
    node.inputs = inputs.slice(0, 3);
  }
  if (type.startsWith('Scatter') && 'reduction' in attributes && opset < 16) {
    if (attributes.reduction !== 'none') throw needs(`${type} that adds`, 16);
    const { reduction: _, ...rest } = attributes;
    node.attributes = rest;
  }
}

function needs(what: string, opset: number): Error {
  return new Error(`${what} needs operator set ${opset}; choose that or a later one`);
}
