import { InferenceSession, Tensor } from 'onnxruntime-node';
import { elements } from '../../../convert/shapes.ts';
import type { InputSpec } from '../../../convert/trace.ts';
import { randomArray, seeded } from './numbers.ts';

/**
 * The largest difference, relative to the largest value, between onnxruntime's result for a model as it stands and
 * after all its graph optimizations, on random float32 inputs in `range`.
 */
export async function optimizationDifference(
  model: Uint8Array,
  inputs: readonly InputSpec[],
  { batch, seed, range }: { batch: number; seed: number; range: readonly [number, number] },
): Promise<number> {
  const random = seeded(seed);
  const feeds = Object.fromEntries(
    inputs.map(({ name, shape }) => {
      const dims = shape.map((d) => d ?? batch);
      return [name, new Tensor('float32', randomArray(elements(dims), random, ...range), dims)];
    }),
  );
  const [plain, optimized] = [await results(model, feeds, 'disabled'), await results(model, feeds, 'all')];
  let scale = Number.MIN_VALUE;
  let difference = 0;
  for (const [name, expected] of Object.entries(plain))
    expected.forEach((v, i) => {
      scale = Math.max(scale, Math.abs(v));
      const d = Math.abs(v - optimized[name]![i]!);
      difference = d <= difference ? difference : d; // NaN stays
    });
  return difference / scale;
}

async function results(
  model: Uint8Array,
  feeds: Record<string, Tensor>,
  graphOptimizationLevel: 'disabled' | 'all',
): Promise<Record<string, Float32Array>> {
  const session = await InferenceSession.create(model, {
    graphOptimizationLevel,
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const outputs = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, tensor.data as Float32Array]),
    );
  } finally {
    await session.release();
  }
}
