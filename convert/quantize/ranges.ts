/** Between which values the tensors of a model lie while it runs. */
import { create, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { openNetwork } from './network.ts';

/** What a model is given in one run: its inputs by name. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** Smallest and largest value that was seen, and 0: a border of zeros is exact in integers. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/**
 * Runs the model in float32, on one thread, on each of `feeds`.
 * @param tensors float32 tensors inside the model, by name.
 * @throws Error when a value is not finite.
 */
export async function measureRanges(
  model: Uint8Array,
  tensors: readonly string[],
  feeds: Iterable<Feeds>,
): Promise<Map<string, Range>> {
  const session = await InferenceSession.create(withOutputs(model, tensors), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const ranges = new Map(tensors.map((name) => [name, { low: 0, high: 0 }]));
    for (const feed of feeds) {
      const results = await session.run(feed, [...tensors]);
      for (const [name, range] of ranges)
        ranges.set(name, widened(name, range, results[name]!.data as Float32Array));
    }
    return ranges;
  } finally {
    await session.release();
  }
}

function widened(name: string, range: Range, values: Float32Array): Range {
  let { low, high } = range;
  for (const value of values) {
    if (!Number.isFinite(value))
      throw new Error(`The tensor ${name} holds ${value}, and no integer stands for that.`);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high };
}

function withOutputs(bytes: Uint8Array, tensors: readonly string[]): Uint8Array {
  const { model, graph, outputs } = openNetwork(bytes);
  for (const name of tensors)
    if (!outputs.has(name)) graph.output.push(create(onnx.ValueInfoProtoSchema, { name }));
  return toBinary(onnx.ModelProtoSchema, model);
}
