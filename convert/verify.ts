import { engine, type Tensor, tensor } from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { elements, sameShape } from './shapes.ts';
import type { AsyncTracedFunction, InputSpec, TracedFunction } from './trace.ts';

export interface CompareOptions {
  /** Batch sizes to try. Default 1, 3 and 8. */
  batches?: readonly number[];
  /** Seed of the random inputs. Default 1. */
  seed?: number;
  /** Values to compare with, instead of random ones: one list for each input, all of one batch size. */
  given?: Readonly<Record<string, GivenInput>>;
  /** Where the relative difference is larger than this, `rounding` is measured too. Default: never. */
  tolerance?: number;
  /** Range of random float32 inputs. Default 0 to 1. uint8 inputs take 0 to 255, int32 0 to 9, bool both. */
  range?: readonly [number, number];
}

/** Values of an input, in order, and its shape with the batch. */
export interface GivenInput {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

export interface Comparison {
  /** Largest |difference| of any element. */
  readonly absolute: number;
  /** Largest |difference| / max(|expected|, 1 % of the largest |expected| of that output). */
  readonly relative: number;
  /** Where the relative difference was largest. */
  readonly output: string;
  readonly batch: number;
  /** Elements compared. */
  readonly compared: number;
  /**
   * The same measure between onnxruntime with and without its graph optimizations: what another order of the same sums
   * does to this model. Given where the relative difference exceeds the tolerance.
   */
  readonly rounding?: number;
  /**
   * The relative difference where random integers are drawn from 1 on, so that nothing is divided by 0. Given where there
   * are such inputs and the relative difference exceeds the tolerance.
   */
  readonly withoutZeros?: number;
}

/** Elements smaller than this part of an output's largest one are measured against that part. */
const RELATIVE_FLOOR = 0.01;

/**
 * Runs `fn` on TensorFlow.js' current backend and the model on onnxruntime's CPU provider, on equal random inputs, and
 * gives the largest difference. A uint8 output counts only by how far it is from what rounding explains.
 * Throws when names or shapes differ, or where either side gives a number that is not finite and the other does not.
 */
export async function compare(
  fn: TracedFunction | AsyncTracedFunction,
  model: Uint8Array,
  inputs: readonly InputSpec[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const found = await differences((values) => runTensorFlow(fn, values), model, inputs, options);
  if (found.relative <= (options.tolerance ?? Infinity)) return found;
  const plain = await openSession(model, 'disabled');
  try {
    const own = await differences((values) => runOnnx(plain, values), model, inputs, options);
    const whole = !options.given && inputs.some(({ dtype }) => dtype === 'int32');
    const tensorFlow = (values: readonly Input[]) => runTensorFlow(fn, values);
    const withoutZeros = whole && (await differences(tensorFlow, model, inputs, options, 1)).relative;
    return { ...found, rounding: own.relative, ...(withoutZeros !== false && { withoutZeros }) };
  } finally {
    await plain.release();
  }
}

/** The largest difference of the model from what `reference` gives on the same inputs; random integers are `least` to 9. */
async function differences(
  reference: (values: readonly Input[]) => Promise<Expected[]>,
  model: Uint8Array,
  inputs: readonly InputSpec[],
  { batches = [1, 3, 8], seed = 1, range = [0, 1], given }: CompareOptions,
  least = 0,
): Promise<Comparison> {
  const open = inputs.some((i) => i.shape.includes(null));
  for (const name of Object.keys(given ?? {}))
    if (!inputs.some((input) => input.name === name))
      throw new Error(
        `values are given for ${name}, but the inputs are ${inputs.map((input) => input.name).join(', ')}`,
      );
  const session = await openSession(model, 'all');
  try {
    const random = randomNumbers(seed);
    let worst: Comparison = { absolute: 0, relative: 0, output: '', batch: 0, compared: 0 };
    for (const batch of open && !given ? batches : batches.slice(0, 1)) {
      const values = inputs.map((spec) =>
        given ? givenInput(spec, given[spec.name]) : randomInput(spec, batch, range, least, random),
      );
      const run = async () => [await reference(values), await session.run(feedsOf(values))] as const;
      const [expected, results] = given ? await run() : await run().catch((cause) => unfit(inputs, cause));
      for (const { name, shape, data } of expected)
        worst = worse(worst, measure(name, batchOf(inputs, values), shape, data, results[name]));
    }
    return worst;
  } finally {
    await session.release();
  }
}

/** An index that is out of range, most often. */
function unfit(inputs: readonly InputSpec[], cause: unknown): never {
  const whole = inputs.filter(({ dtype }) => dtype === 'int32').map(({ name }) => name);
  if (whole.length === 0) throw cause;
  throw new Error(
    `the model fails on random inputs, 0 to 9 for ${whole.join(', ')}: ${(cause as Error).message}. Give inputs that it takes, ` +
      'with --check-inputs FILE',
    { cause },
  );
}

function openSession(
  model: Uint8Array,
  graphOptimizationLevel: 'all' | 'disabled',
): Promise<InferenceSession> {
  return InferenceSession.create(model, {
    graphOptimizationLevel,
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
}

interface Input {
  name: string;
  shape: number[];
  dtype: 'float32' | 'int32' | 'bool';
  values: number[];
  feed: OrtTensor;
}

interface Expected {
  name: string;
  shape: number[];
  data: ArrayLike<number>;
}

function randomInput(
  { name, shape, dtype = 'float32' }: InputSpec,
  batch: number,
  [low, high]: readonly [number, number],
  least: number,
  random: () => number,
): Input {
  const dims = shape.map((d) => d ?? batch);
  const draw: Record<typeof dtype, () => number> = {
    float32: () => Math.fround(low + (high - low) * random()),
    uint8: () => Math.floor(256 * random()),
    int32: () => Math.max(least, Math.floor(10 * random())),
    bool: () => (random() < 0.5 ? 0 : 1),
  };
  return feedOf(name, dtype, dims, Array.from({ length: elements(dims) }, draw[dtype]));
}

function givenInput({ name, shape, dtype = 'float32' }: InputSpec, given: GivenInput | undefined): Input {
  const fits =
    given?.shape.length === shape.length && shape.every((d, i) => (d ?? given.shape[i]) === given.shape[i]);
  if (!given || !fits)
    throw new Error(
      `input ${name} wants values of shape [${shape.map((d) => d ?? 'N')}], given are ${given ? `[${given.shape}]` : 'none'}`,
    );
  const values = Array.from(given.values);
  const broken = dtype === 'float32' ? undefined : values.find((value) => !Number.isInteger(value));
  if (broken !== undefined)
    throw new Error(`input ${name} takes whole numbers (${dtype}), given is ${broken}`);
  return feedOf(name, dtype, [...given.shape], values);
}

/** Where it is fixed, the first size of the first input that has sizes. */
function batchOf(specs: readonly InputSpec[], inputs: readonly Input[]): number {
  const i = specs.findIndex(({ shape }) => shape.includes(null));
  if (i < 0) return inputs.find(({ shape }) => shape.length > 0)?.shape[0] ?? 1;
  return inputs[i]!.shape[specs[i]!.shape.indexOf(null)]!;
}

function feedOf(
  name: string,
  dtype: NonNullable<InputSpec['dtype']>,
  dims: number[],
  values: number[],
): Input {
  const array = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array }[dtype].from(
    values,
  );
  // onnxruntime's types overload the constructor by element type; `array` is of the type that `dtype` names.
  const feed = new OrtTensor(dtype as 'float32', array as Float32Array, dims);
  return { name, shape: dims, dtype: dtype === 'uint8' ? 'float32' : dtype, values, feed };
}

function feedsOf(values: readonly Input[]): Record<string, OrtTensor> {
  return Object.fromEntries(values.map(({ name, feed }) => [name, feed]));
}

async function runOnnx(session: InferenceSession, values: readonly Input[]): Promise<Expected[]> {
  const results = await session.run(feedsOf(values));
  return Object.entries(results).map(([name, { dims, data }]) => ({
    name,
    shape: [...dims],
    data: data as ArrayLike<number>,
  }));
}

async function runTensorFlow(
  fn: TracedFunction | AsyncTracedFunction,
  inputs: readonly Input[],
): Promise<Expected[]> {
  engine().startScope();
  try {
    const outputs = await fn(...inputs.map(({ values, shape, dtype }) => tensor(values, shape, dtype)));
    const read = async ([name, t]: [string, Tensor]) => ({ name, shape: t.shape, data: await t.data() });
    return await Promise.all(Object.entries(outputs).map(read));
  } finally {
    engine().endScope();
  }
}

function measure(
  output: string,
  batch: number,
  shape: readonly number[],
  expected: ArrayLike<number>,
  result: OrtTensor | undefined,
): Comparison {
  if (!result) throw new Error(`the model has no output named ${output}`);
  if (!sameShape(result.dims, shape))
    throw new Error(`${output} has shape [${result.dims}] in onnxruntime and [${shape}] in TensorFlow.js`);
  const got = result.data as ArrayLike<number>;
  const bytes = result.type === 'uint8';
  let scale = 0;
  for (let i = 0; i < expected.length; i++)
    if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]!));
  let [absolute, relative] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [expected[i]!, got[i]!];
    if (Object.is(a, b)) continue;
    if (!Number.isFinite(a) || !Number.isFinite(b))
      throw new Error(`${output}[${i}] is ${b} in onnxruntime and ${a} in TensorFlow.js, at batch ${batch}`);
    const difference = bytes
      ? Math.max(0, Math.abs(Math.min(255, Math.max(0, a)) - b) - 0.5)
      : Math.abs(a - b);
    absolute = Math.max(absolute, difference);
    relative = Math.max(
      relative,
      difference / Math.max(Math.abs(a), RELATIVE_FLOOR * scale, Number.MIN_VALUE),
    );
  }
  return { absolute, relative, output, batch, compared: expected.length };
}

function worse(a: Comparison, b: Comparison): Comparison {
  const place = a.output === '' || b.relative > a.relative ? b : a;
  return {
    absolute: Math.max(a.absolute, b.absolute),
    relative: Math.max(a.relative, b.relative),
    output: place.output,
    batch: place.batch,
    compared: a.compared + b.compared,
  };
}

/** Numbers from 0 to 1, the same for the same seed: mulberry32, by Tommy Ettinger, public domain. */
function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
