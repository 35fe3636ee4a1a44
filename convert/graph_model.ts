/** A TensorFlow.js graph model, as its converter writes it from a SavedModel, as a function to trace. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import type { io, Tensor } from '@tensorflow/tfjs-core';
import { registerOperations } from './graph_operations.ts';
import {
  type Graph,
  type GraphNode,
  nodePlace,
  placeOf,
  requireComplete,
  requireKnownOperations,
  requireNodes,
  whyNotConverted,
  whyNotDecided,
  withoutPort,
} from './graph_problems.ts';
import { inputType } from './input_type.ts';
import { placed } from './place.ts';
import { ReadsValueError } from './recording.ts';
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

/** @throws Error for an input of open size, an output that is not there, or everything that is known not to convert. */
export async function traceableGraph(
  artifacts: io.ModelArtifacts,
  options: GraphModelOptions = {},
): Promise<TraceableGraph> {
  requireComplete(nodesOf(artifacts));
  const unregister = registerOperations();
  let model: GraphModel | undefined;
  const dispose = () => {
    unregister();
    model?.dispose();
  };
  try {
    model = await loadGraphModel({ load: async () => artifacts });
    return { ...traceable(model, needsAsync(artifacts), options), dispose };
  } catch (cause) {
    dispose();
    throw cause;
  }
}

function traceable(
  model: GraphModel,
  dynamic: boolean,
  { shapes = {}, outputs }: GraphModelOptions,
): Omit<TraceableGraph, 'dispose'> {
  const graph = graphOf(model);
  requireNodes(graph, outputs ?? [], model.outputNodes);
  const wanted = outputs ?? model.outputNodes;
  requireKnownOperations(graph, wanted);
  const watched = watchNodes(graph);
  const names = model.inputNodes.map(withoutPort);
  const inputs = model.inputs.map((input, i) => inputSpec(names[i]!, input, shapes[names[i]!]));
  const outputNames = distinct(wanted.map(withoutPort), new Set(names));
  const fn: AsyncTracedFunction = async (...tensors) => {
    const feeds = Object.fromEntries(tensors.map((tensor, i) => [model.inputNodes[i]!, tensor]));
    const results = await execute(model, feeds, wanted, dynamic).catch((cause) => {
      const node = watched();
      const undecided = cause instanceof ReadsValueError && node ? whyNotDecided(node) : undefined;
      const why = undecided ?? (node && whyNotConverted(graph, wanted, node));
      throw why === undefined ? placed(node && placeOf(node), cause) : new Error(why, { cause });
    });
    return Object.fromEntries([results].flat().map((t, i) => [outputNames[i]!, t as Tensor]));
  };
  const place = () => {
    const node = watched();
    return node && nodePlace(node);
  };
  return { fn, inputs, outputNames, place };
}

/** The graph as tfjs-converter holds it, privately. */
function graphOf(model: GraphModel): Graph {
  return (model as unknown as { executor: { graph: Graph } }).executor.graph;
}

/**
 * Gives the name of the node that is being executed. tfjs-converter tells nobody; it reads a node's `category` first
 * (executeOp in operations/operation_executor.js of 4.22.0), so that is watched.
 */
function watchNodes(graph: Graph): () => GraphNode | undefined {
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
  watch(graph);
  return () => current;
}

async function execute(
  model: GraphModel,
  feeds: Record<string, Tensor>,
  wanted: readonly string[],
  dynamic: boolean,
): Promise<Tensor | Tensor[]> {
  if (!dynamic) return model.execute(feeds, [...wanted]);
  const { warn } = console;
  console.warn = (...said: unknown[]) => {
    if (!String(said[0]).startsWith(NEEDLESS)) warn.apply(console, said);
  };
  try {
    return await model.executeAsync(feeds, [...wanted]);
  } finally {
    console.warn = warn;
  }
}

/** tfjs-converter's advice to execute lists of tensors synchronously, which it cannot do itself. */
const NEEDLESS = 'This model execution did not contain any nodes with control flow';

/** Operations that tfjs-converter executes asynchronously. */
const ASYNC =
  /^(Switch|Merge|Enter|Exit|NextIteration|LoopCond|(Stateless)?(If|While)|TensorArray.*|TensorList.*|EmptyTensorList|NonMaxSuppressionV[2-5]|Where|ListDiff|HashTable.*|Lookup.*|InitializeTable.*|SimpleML.*)$/;

function needsAsync(artifacts: io.ModelArtifacts): boolean {
  return nodesOf(artifacts).some(({ op }) => ASYNC.test(op));
}

function nodesOf({
  modelTopology,
}: io.ModelArtifacts): Array<{ name: string; op: string; input?: string[] }> {
  return (modelTopology as { node?: ReturnType<typeof nodesOf> }).node ?? [];
}

function inputSpec(
  name: string,
  { shape, dtype }: { shape?: number[]; dtype: string },
  given: InputSpec['shape'] | undefined,
): InputSpec {
  const type = inputType(name, dtype);
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

function distinct(names: readonly string[], taken: Set<string>): string[] {
  return names.map((name) => {
    let free = name;
    for (let i = 1; taken.has(free); i++) free = `${name}_${i}`;
    taken.add(free);
    return free;
  });
}
