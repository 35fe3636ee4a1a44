/** A TensorFlow.js graph model, as its converter writes it from a SavedModel, as a function to trace. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import type { io, Tensor } from '@tensorflow/tfjs-core';
import { registerOperations } from './graph_operations.ts';
import { UNSUPPORTED_OPERATIONS } from './kernels/unsupported.ts';
import type { AsyncTracedFunction, InputSpec } from './trace.ts';

export interface TraceableGraph {
  fn: AsyncTracedFunction;
  inputs: InputSpec[];
  outputNames: string[];
  /** The node that was executed last: where an error comes from. */
  place: () => string | undefined;
  dispose(): void;
}

export interface GraphModelOptions {
  /** Sizes of inputs by name, where the model leaves more open than the batch. */
  shapes?: Readonly<Record<string, ReadonlyArray<number | null>>>;
  /** Names of nodes to be the outputs, instead of the model's own. */
  outputs?: readonly string[];
}

/** @throws Error for an input of open size, or an output that is not there. */
export async function traceableGraph(
  artifacts: io.ModelArtifacts,
  { shapes = {}, outputs }: GraphModelOptions = {},
): Promise<TraceableGraph> {
  const unregister = registerOperations();
  const model = await loadGraphModel({ load: async () => artifacts });
  const watched = watchNodes(model);
  const place = () => placeOf(watched());
  const known = new Set(Object.keys(graphOf(model).nodes));
  for (const name of outputs ?? [])
    if (!known.has(name.split(':')[0]!))
      throw new Error(`the model has no node ${name}; its outputs are ${model.outputNodes.join(', ')}`);
  const wanted = outputs ?? model.outputNodes;
  const names = model.inputNodes.map(portName);
  const inputs = model.inputs.map((input, i) => inputSpec(names[i]!, input, shapes[names[i]!]));
  const outputNames = distinct(wanted.map(portName), new Set(names));
  const dynamic = needsAsync(artifacts);
  const fn: AsyncTracedFunction = async (...tensors) => {
    const feeds = Object.fromEntries(tensors.map((tensor, i) => [model.inputNodes[i]!, tensor]));
    const results = await execute(model, feeds, wanted, dynamic).catch((cause) => {
      throw explained(cause, watched());
    });
    return Object.fromEntries([results].flat().map((t, i) => [outputNames[i]!, t as Tensor]));
  };
  return {
    fn,
    inputs,
    outputNames,
    place,
    dispose: () => {
      unregister();
      model.dispose();
    },
  };
}

interface GraphNode {
  readonly name: string;
  readonly op: string;
  category?: string;
}

interface Graph {
  readonly nodes: Readonly<Record<string, GraphNode>>;
  readonly functions?: Readonly<Record<string, Graph>>;
}

/** The graph as tfjs-converter holds it, privately. */
function graphOf(model: GraphModel): Graph {
  return (model as unknown as { executor: { graph: Graph } }).executor.graph;
}

/**
 * Gives the name of the node that is being executed. tfjs-converter tells nobody; it reads a node's `category` first
 * (executeOp in operations/operation_executor.js of 4.22.0), so that is watched.
 */
function watchNodes(model: GraphModel): () => GraphNode | undefined {
  let current: GraphNode | undefined;
  const watch = ({ nodes, functions = {} }: Graph): void => {
    for (const node of Object.values(nodes)) {
      const { category } = node;
      const get = () => {
        current = node;
        return category;
      };
      Object.defineProperty(node, 'category', { get });
    }
    Object.values(functions).forEach(watch);
  };
  watch(graphOf(model));
  return () => current;
}

function placeOf(node: GraphNode | undefined): string | undefined {
  return node && `node ${node.name}, operation ${node.op}`;
}

async function execute(
  model: GraphModel,
  feeds: Record<string, Tensor>,
  wanted: readonly string[],
  dynamic: boolean,
) {
  return dynamic ? model.executeAsync(feeds, [...wanted]) : model.execute(feeds, [...wanted]);
}

/** Of an operation that is known not to convert the reason, instead of how it failed. */
function explained(cause: unknown, node: GraphNode | undefined): unknown {
  const known = UNSUPPORTED_OPERATIONS.find(({ operations }) => operations.includes(node?.op ?? ''));
  if (!known) return cause;
  return new Error(`${placeOf(node)}, cannot be converted: ${known.reason}. ${known.instead}`, { cause });
}

/** Operations that tfjs-converter executes asynchronously. */
const ASYNC =
  /^(Switch|Merge|Enter|Exit|NextIteration|LoopCond|(Stateless)?(If|While)|TensorArray.*|TensorList.*|EmptyTensorList|NonMaxSuppressionV[2-5]|Where|ListDiff|HashTable.*|Lookup.*|InitializeTable.*|SimpleML.*)$/;

function needsAsync({ modelTopology }: io.ModelArtifacts): boolean {
  const { node = [] } = modelTopology as { node?: GraphNode[] };
  return node.some(({ op }) => ASYNC.test(op));
}

function inputSpec(
  name: string,
  { shape, dtype }: { shape?: number[]; dtype: string },
  given: InputSpec['shape'] | undefined,
): InputSpec {
  const type = dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';
  if (given) return { name, shape: given, dtype: type };
  const [batch, ...rest] = shape ?? [];
  if (shape === undefined || rest.some((d) => d < 0))
    throw new Error(
      `input ${name} has shape [${shape?.map((d) => (d < 0 ? 'open' : d)) ?? 'unknown'}]: only the first size, the ` +
        `batch, may be open. Give its sizes, for example --shape ${name}=N,224,224,3`,
    );
  if (batch === undefined) return { name, shape: [], dtype: type };
  return { name, shape: [batch < 0 ? null : batch, ...rest], dtype: type };
}

/** `serving_default_x:0` -> `serving_default_x` */
function portName(node: string): string {
  return node.replace(/:0$/, '');
}

function distinct(names: readonly string[], taken: Set<string>): string[] {
  return names.map((name) => {
    let free = name;
    for (let i = 1; taken.has(free); i++) free = `${name}_${i}`;
    taken.add(free);
    return free;
  });
}
