/** What scoring one image costs: multiplications, and time on one thread. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Recipe } from '../config/recipe.ts';
import type { Compute } from './metrics.ts';

const WARM_UPS = 3;
const RUNS = 21;

/** Of an exported graph, one image at a time. */
export async function measureCompute(graph: Uint8Array, input: Recipe['input']): Promise<Compute> {
  return {
    multiplyAdds: await countMultiplyAdds(graph, input),
    milliseconds: await measureMilliseconds(graph, input),
  };
}

/** Multiply-adds of all convolutions and matrix products of the graph as it is in the file, for one image. */
export async function countMultiplyAdds(graph: Uint8Array, input: Recipe['input']): Promise<number> {
  const nodes = await profile(graph, input);
  return nodes.reduce((sum, node) => sum + (COST[node.type]?.(node) ?? 0), 0);
}

/** Median of one image at a time, on one thread. */
export async function measureMilliseconds(graph: Uint8Array, input: Recipe['input']): Promise<number> {
  return (await measureInTurns([graph], input))[0]!;
}

/** As `measureMilliseconds`, of each graph; they take turns, so that what else the machine does slows all alike. */
export async function measureInTurns(
  graphs: readonly Uint8Array[],
  input: Recipe['input'],
): Promise<number[]> {
  const sessions: InferenceSession[] = [];
  try {
    for (const graph of graphs)
      sessions.push(
        await InferenceSession.create(graph, {
          intraOpNumThreads: 1,
          interOpNumThreads: 1,
          logSeverityLevel: 3,
        }),
      );
    const image = blank(input);
    const times = sessions.map((): number[] => []);
    for (let i = 0; i < WARM_UPS + RUNS; i++)
      for (const [k, session] of sessions.entries()) {
        const start = performance.now();
        await session.run({ image });
        if (i >= WARM_UPS) times[k]!.push(performance.now() - start);
      }
    return times.map((some) => some.sort((a, b) => a - b)[RUNS >> 1]!);
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** A node as it ran, with the shapes of its inputs (weights included) and outputs. */
interface RunNode {
  readonly type: string;
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Filters are `[out, in / groups, height, width]`, those of ConvTranspose `[in, out / groups, height, width]`. */
const COST: Readonly<Record<string, (node: RunNode) => number>> = {
  Conv: ({ inputs, outputs }) => product(outputs[0]!) * product(inputs[1]!.slice(1)),
  ConvTranspose: ({ inputs }) => product(inputs[0]!) * product(inputs[1]!.slice(1)),
  MatMul: ({ inputs, outputs }) => product(outputs[0]!) * inputs[0]!.at(-1)!,
  Gemm: ({ inputs, outputs }) => (product(outputs[0]!) * product(inputs[0]!)) / outputs[0]![0]!,
};

/** Runs the graph once, unoptimized, under onnxruntime's profiler, which writes down every node with its shapes. */
async function profile(graph: Uint8Array, input: Recipe['input']): Promise<RunNode[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-profile-'));
  try {
    const session = await InferenceSession.create(graph, {
      enableProfiling: true,
      profileFilePrefix: path.join(folder, 'profile'),
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    await session.run({ image: blank(input) });
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    return readNodes(JSON.parse(await readFile(path.join(folder, file!), 'utf8')));
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface ProfileEvent {
  readonly name: string;
  readonly args?: {
    readonly op_name?: string;
    /** Of each, its element type and shape. */
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

function readNodes(events: readonly ProfileEvent[]): RunNode[] {
  const shapes = (typed: readonly Readonly<Record<string, readonly number[]>>[] | undefined) =>
    (typed ?? []).map((entry) => Object.values(entry)[0]!);
  return events
    .filter(({ name, args }) => name.endsWith('_kernel_time') && args?.op_name !== undefined)
    .map(({ args }) => ({
      type: args!.op_name!,
      inputs: shapes(args!.input_type_shape),
      outputs: shapes(args!.output_type_shape),
    }));
}

function blank({ width, height, channels, frames }: Recipe['input']): Tensor {
  const shape = [1, ...(frames > 1 ? [frames] : []), height, width, channels];
  return new Tensor('uint8', new Uint8Array(product(shape)), shape);
}
