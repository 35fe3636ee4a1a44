/** What in a graph model no file can compute, found before it is executed: all of it at once. */
import { nearest } from '../config/nearest.ts';
import { UNSUPPORTED_OPERATIONS } from './kernels/unsupported.ts';
import { converterOperations } from './operation_names.ts';
import type { Place } from './place.ts';
import { refuseAll } from './refuse.ts';

/** A node as tfjs-converter holds it, privately. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** None: tfjs-converter does not know the operation. */
  category?: string;
  /** With `:1` behind them where they mean another result than a node's first. */
  readonly inputNames: readonly string[];
  readonly inputs: readonly GraphNode[];
  readonly rawAttrs?: Readonly<Record<string, { readonly b?: boolean; readonly func?: { name: string } }>>;
}

export interface Graph {
  readonly nodes: Readonly<Record<string, GraphNode>>;
  readonly functions?: Readonly<Record<string, Graph>>;
}

/** @throws Error of all nodes that must be computed for the results `wanted` (`name` or `name:1`) and cannot be. */
export function requireKnownOperations(graph: Graph, wanted: readonly string[]): void {
  const { own, within } = neededNodes(graph, wanted);
  const known = [...own, ...within].flatMap((node) => {
    const problem = problemOf(node);
    return problem === undefined ? [] : [{ node, problem: `${nodePlace(node)}, ${problem}` }];
  });
  const cut = cutBefore(known.map(({ node }) => node).filter((node) => own.has(node)));
  refuseAll(
    known.map(({ problem }) => problem),
    cut,
  );
}

/** @throws Error for a result that is wanted and not there, or wanted twice; `own` are the outputs of the model itself. */
export function requireNodes({ nodes }: Graph, outputs: readonly string[], own: readonly string[]): void {
  const known = Object.keys(nodes);
  outputs.forEach((name, i) => {
    const node = name.split(':')[0]!;
    if (!known.includes(node)) {
      const near = nearest(node, known);
      throw new Error(
        `the model has no node ${JSON.stringify(node)}${near === undefined ? '' : ` (nearest by name: ${near})`}; its outputs are ` +
          `${own.map(withoutPort).join(', ')}, and outputs may be any of its ${known.length} nodes${fewOf(known)}`,
      );
    }
    if (outputs.map(withoutPort).indexOf(withoutPort(name)) < i)
      throw new Error(`the output ${withoutPort(name)} is asked for twice; name it once`);
  });
}

/** The names, where they can be read at a glance. */
function fewOf(names: readonly string[]): string {
  return names.length > 20 ? '' : `: ${names.join(', ')}`;
}

/** `serving_default_x:0`, which is the first result of a node, is `serving_default_x`. */
export function withoutPort(name: string): string {
  return name.replace(/:0$/, '');
}

export function nodePlace({ name, op }: Pick<GraphNode, 'name' | 'op'>): string {
  return `node ${name}, operation ${op}`;
}

/** Where an error comes from while a node is executed. */
export function placeOf(node: GraphNode): Place {
  const instead = cutBefore([node]) ?? 'Do that step before the graph';
  return { name: nodePlace(node), instead };
}

/** Of an operation that is known not to convert, the reason, and the others of that kind in the same graph. */
export function whyNotConverted(
  graph: Graph,
  wanted: readonly string[],
  failed: GraphNode,
): string | undefined {
  const reason = reasonOf(failed);
  if (reason === undefined) return undefined;
  const { own, within } = neededNodes(graph, wanted);
  const others = [...own, ...within].filter((node) => node !== failed && reasonOf(node) !== undefined);
  const also = others.map((node) => `\n  ${nodePlace(node)}, may be no better: ${reasonOf(node)}`);
  return [`${nodePlace(failed)}, cannot be converted: ${reason}`, ...also].join('');
}

/** Of a condition or loop of TensorFlow 1 that reads what only the inputs tell, what works instead. */
export function whyNotDecided(node: GraphNode): string | undefined {
  if (node.op !== 'Switch' && node.op !== 'LoopCond') return undefined;
  return (
    `${nodePlace(node)}: which branch is taken here, or whether a loop goes on, depends on the values of the inputs, and a file ` +
    'cannot say that of conditions and loops in the form of TensorFlow 1. Save the model with those of TensorFlow 2 ' +
    `(tf.compat.v1.enable_control_flow_v2() before it is built): they convert. ${cutBefore([node]) ?? ''}`
  ).trim();
}

function reasonOf({ op }: GraphNode): string | undefined {
  const known = UNSUPPORTED_OPERATIONS.find(({ operations }) => operations.includes(op));
  return known && `${known.reason}. ${known.instead}`;
}

function problemOf({ op, category, rawAttrs }: GraphNode): string | undefined {
  if (category === undefined) {
    const near = nearest(op, converterOperations(), 1 / 4);
    return (
      `is unknown to TensorFlow.js${near === undefined ? '' : ` (nearest by name: ${near})`}. In a program of yours, give it ` +
      `an executor (registerOp('${op}', ...) of @tensorflow/tfjs-converter) before convertModel(), or express it with other operations`
    );
  }
  if (op.startsWith('FusedBatchNorm') && rawAttrs?.is_training?.b === true)
    return (
      'normalizes by each batch, as in training, which TensorFlow.js passes over. Save the model for inference ' +
      '(is_training=False)'
    );
  return undefined;
}

/** The nodes that the results follow from: of the graph itself, and of the functions that these call. */
function neededNodes(
  { nodes, functions = {} }: Graph,
  wanted: readonly string[],
): { own: Set<GraphNode>; within: Set<GraphNode> } {
  const own = new Set<GraphNode>();
  const stack = wanted.flatMap((name) => nodes[name.split(':')[0]!] ?? []);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (own.has(node)) continue;
    own.add(node);
    stack.push(...node.inputs);
  }
  const inOrder = new Set(Object.values(nodes).filter((node) => own.has(node)));
  const within = new Set<GraphNode>();
  const called = [...inOrder].flatMap(calls);
  const entered = new Set<string>();
  for (let name = called.pop(); name !== undefined; name = called.pop()) {
    if (entered.has(name)) continue;
    entered.add(name);
    for (const node of Object.values(functions[name]?.nodes ?? {})) {
      within.add(node);
      called.push(...calls(node));
    }
  }
  return { own: inOrder, within };
}

function calls({ rawAttrs = {} }: GraphNode): string[] {
  return Object.values(rawAttrs).flatMap(({ func }) => func?.name ?? []);
}

/** The results before these nodes that follow from none of them, as a setting; none where only inputs and constants are. */
function cutBefore(nodes: readonly GraphNode[]): string | undefined {
  const behind = new Map<GraphNode, boolean>(nodes.map((node) => [node, true]));
  const follows = (node: GraphNode): boolean => {
    const known = behind.get(node);
    if (known !== undefined) return known;
    behind.set(node, false); // a loop of TensorFlow 1 comes back here
    const result = node.inputs.some(follows);
    behind.set(node, result);
    return result;
  };
  const before = nodes.flatMap(({ inputs, inputNames }) =>
    inputNames.filter((_, i) => {
      const input = inputs[i];
      return input !== undefined && !/^(Const|Placeholder)/.test(input.op) && !follows(input);
    }),
  );
  if (before.length === 0) return undefined;
  const names = new Set(before.map((name) => name.replace(/:0$/, '')));
  return `What comes before converts with --outputs ${[...names].join()}; do the rest behind the graph`;
}

/** @throws Error naming the nodes that read what the graph does not have, where tfjs-converter fails without a word. */
export function requireComplete(nodes: ReadonlyArray<{ name: string; input?: readonly string[] }>): void {
  const names = new Set(nodes.map(({ name }) => name));
  const missing = nodes.flatMap(({ name, input = [] }) =>
    input
      .map((one) => one.replace(/^\^/, '').split(':')[0]!)
      .filter((one) => !names.has(one))
      .map((one) => `node ${name} reads ${one}`),
  );
  if (missing.length > 0)
    throw new Error(`${missing.join(', ')}, which the graph does not have: export the model again`);
}
