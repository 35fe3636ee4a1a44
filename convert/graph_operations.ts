/** Operations of graph models that tfjs-converter executes by reading values, done without. */
import { deregisterOp, registerOp } from '@tensorflow/tfjs-converter';
import { cast, clone, engine, reshape, type Tensor, util, where } from '@tensorflow/tfjs-core';
import { nodePlace } from './graph_problems.ts';
import { LOOP_KERNEL, type LoopBody, variableName } from './kernels/loop.ts';
import { RANDOM } from './kernels/random.ts';
import { collectJob } from './plan.ts';
import { currentRecording, placeholder, type TraceStorage } from './recording.ts';
import { type OperationNode, TENSORFLOW_OPERATIONS } from './tensorflow_operations.ts';
import type { DataType } from './values.ts';

/** What tfjs-converter hands the executor of a registered operation; its types leave out the last two. */
interface ControlNode extends OperationNode {
  readonly node: {
    readonly name: string;
    readonly op: string;
    readonly rawAttrs: Readonly<Record<string, { func?: { name: string } }>>;
  };
  readonly context: {
    getTensorList(id: number): {
      setItem(index: number, tensor: Tensor): void;
      pushBack(tensor: Tensor): void;
    };
    readonly functionMap: Readonly<Record<string, GraphFunction>>;
    readonly tensorArrayMap: object;
    readonly tensorListMap: object;
  };
}

interface GraphFunction {
  readonly graph: { readonly nodes: Readonly<Record<string, { readonly op: string }>> };
  executeFunctionAsync(inputs: Tensor[], arrays: object, lists: object): Promise<Tensor[]>;
}

const CONDITIONS = ['If', 'StatelessIf'];
const LOOPS = ['While', 'StatelessWhile'];
/** tfjs-converter 4.22.0 disposes of what a function wrote into a list when the function ends, and the list then holds nothing. */
const WRITES = { TensorListSetItem: setItem, TensorListPushBack: pushBack } as const;

/**
 * Replaces tfjs-converter's own conditions and loops, which read their condition, its writing into lists, what it computes
 * otherwise than TensorFlow, and what draws random numbers, until the returned function is called. A condition that is known
 * while recording is followed, so that a loop of a fixed number of turns is unrolled. Of an unknown one both branches are
 * computed and one is chosen; a loop becomes ONNX's Loop.
 */
export function registerOperations(): () => void {
  for (const name of RANDOM) registerOp(name, refuseRandom);
  for (const [name, compute] of Object.entries(TENSORFLOW_OPERATIONS))
    registerOp(name, (node) => compute(node as unknown as OperationNode));
  for (const [name, write] of Object.entries(WRITES))
    registerOp(name, (node) => write(node as unknown as ControlNode));
  for (const name of CONDITIONS) registerOp(name, (node) => condition(node as unknown as ControlNode));
  for (const name of LOOPS) registerOp(name, (node) => loop(node as unknown as ControlNode));
  return () => {
    for (const name of [
      ...RANDOM,
      ...Object.keys(TENSORFLOW_OPERATIONS),
      ...Object.keys(WRITES),
      ...CONDITIONS,
      ...LOOPS,
    ])
      deregisterOp(name);
  };
}

function refuseRandom(node: object): never {
  const { node: drawing } = node as ControlNode;
  throw new Error(
    `${nodePlace(drawing)}, draws random numbers: no file computes the same then. Save the model for inference, ` +
      'or make the numbers an input',
  );
}

function setItem({ inputs, context }: ControlNode): Tensor[] {
  const [list, index, tensor] = inputs as [Tensor, Tensor, Tensor];
  context.getTensorList(list.id).setItem(index.dataSync()[0]!, clone(tensor));
  return [list];
}

function pushBack({ inputs, context }: ControlNode): Tensor[] {
  const [list, tensor] = inputs as [Tensor, Tensor];
  context.getTensorList(list.id).pushBack(clone(tensor));
  return [list];
}

async function condition(control: ControlNode): Promise<Tensor[]> {
  const [decision, ...args] = control.inputs as [Tensor, ...Tensor[]];
  const [yes, no] = [functionOf(control, 'then_branch'), functionOf(control, 'else_branch')];
  if (isKnown(decision)) return call(control, (await isTrue(decision)) ? yes : no, args);
  requireNoLists(control, yes, no);
  const [taken, other] = [await call(control, yes, args), await call(control, no, args)];
  const decided = reshape(cast(decision, 'bool'), []);
  return taken.map((a, i) => {
    const b = other[i]!;
    if (!util.arraysEqual(a.shape, b.shape))
      throw new Error(
        `${nodePlace(control.node)}: its branches give [${a.shape}] and [${b.shape}], and which one is taken depends on the ` +
          'input. A file has one shape for each result; let both branches give the same',
      );
    return where(decided, a, b);
  });
}

async function loop(control: ControlNode): Promise<Tensor[]> {
  const [test, body] = [functionOf(control, 'cond'), functionOf(control, 'body')];
  let variables = control.inputs;
  for (;;) {
    const [go] = (await call(control, test, variables)) as [Tensor];
    if (!isKnown(go)) return recordLoop(control, go, variables);
    if (!(await isTrue(go))) return variables;
    variables = await call(control, body, variables);
  }
}

/** The turns that are left, as one kernel. */
async function recordLoop(control: ControlNode, go: Tensor, first: Tensor[]): Promise<Tensor[]> {
  const [test, body] = [functionOf(control, 'cond'), functionOf(control, 'body')];
  requireNoLists(control, test, body);
  const storage = currentRecording()!;
  const variables = first.map((t, i) => placeholder(storage, variableName(i), t.shape, t.dtype as DataType));
  const next = await call(control, body, variables);
  next.forEach((t, i) => {
    if (!util.arraysEqual(t.shape, first[i]!.shape))
      throw new Error(
        `${nodePlace(control.node)}: variable ${i} of the loop has shape [${first[i]!.shape}] before a turn and ` +
          `[${t.shape}] behind it, and how many turns there are depends on the input. Keep the shape the same`,
      );
  });
  const [again] = (await call(control, test, next)) as [Tensor];
  const results = [reshape(cast(again, 'bool'), []), ...next].map((t) => storage.entryOf(t));
  const job = collectJob(new Set(results));
  const positions = results.map((entry) => job.roots.indexOf(entry)).join();
  const made: LoopBody = { job, results, toJSON: () => `${job.key}|${positions}|${first.length}` };
  const inputs = {
    go: reshape(cast(go, 'bool'), []),
    ...Object.fromEntries(first.map((t, i) => [variableName(i), t])),
  };
  Reflect.get(control.node, 'category'); // executed again, behind its body: where the kernel comes from
  // TensorFlow.js types attributes as plain data; they pass through it untouched.
  return [engine().runKernel(LOOP_KERNEL, inputs, { body: made } as never)].flat() as Tensor[];
}

function functionOf(control: ControlNode, attribute: string): GraphFunction {
  const name = control.node.rawAttrs[attribute]?.func?.name ?? '';
  const found = control.context.functionMap[name];
  if (!found) throw new Error(`${nodePlace(control.node)}: the graph has no function ${name}`);
  return found;
}

function call({ context }: ControlNode, fn: GraphFunction, args: Tensor[]): Promise<Tensor[]> {
  return fn.executeFunctionAsync(args, context.tensorArrayMap, context.tensorListMap);
}

/** A branch that is not taken must not write: lists of tensors are not values. */
function requireNoLists({ node }: ControlNode, ...functions: GraphFunction[]): void {
  for (const { graph } of functions)
    for (const { op } of Object.values(graph.nodes))
      if (/^(TensorList|TensorArray|EmptyTensorList)/.test(op))
        throw new Error(
          `${nodePlace(node)}: whether its ${op} is reached depends on the input, which no graph made here can express. Give ` +
            'the loop a fixed number of turns, or stack the tensors instead',
        );
}

/** Whether the value is there to read: always, but while recording only where it follows from constants. */
function isKnown(tensor: Tensor): boolean {
  const recording: TraceStorage | undefined = currentRecording();
  return recording === undefined || recording.entryOf(tensor).host !== undefined;
}

async function isTrue(tensor: Tensor): Promise<boolean> {
  return Boolean((await tensor.data())[0]);
}
