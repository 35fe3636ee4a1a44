/** Runs a function of images over many of them, as one compiled graph. */
import type * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { trace } from '../../convert/trace.ts';
import { InterruptedError } from '../error.ts';
import type { Picture } from '../features.ts';
import { EDGE } from './views.ts';

/** Images of one run: enough to keep the processor busy, few enough to answer Ctrl-C at once. */
const BATCH = 8;

export interface RunOptions {
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly onImage: () => void;
}

/** The input of all graphs of voices: uint8 `[N, 224, 224, 3]`. */
export const IMAGE = { name: 'image', shape: [null, EDGE, EDGE, 3], dtype: 'uint8' } as const;

/**
 * `fn` gets float32 `[N, 224, 224, 3]`, 0 to 255. Of each of its outputs, by name, one row for each picture.
 * @throws InterruptedError when it is stopped.
 */
export async function runTraced(
  fn: (pixels: tf.Tensor) => Record<string, tf.Tensor>,
  pictures: readonly Picture[],
  { threads, signal, onImage }: RunOptions,
): Promise<Record<string, Float32Array[]>> {
  const model = trace((image) => fn(image!), [IMAGE]);
  const session = await InferenceSession.create(model, { intraOpNumThreads: threads, logSeverityLevel: 3 });
  const rows: Record<string, Float32Array[]> = Object.fromEntries(
    session.outputNames.map((name) => [name, []]),
  );
  try {
    for (let start = 0; start < pictures.length; start += BATCH) {
      if (signal.aborted) throw new InterruptedError('Interrupted while describing images.');
      const some = pictures.slice(start, start + BATCH);
      const bytes = Buffer.concat(some.map(({ pixels }) => pixels));
      const results = await session.run({
        image: new Tensor('uint8', bytes, [some.length, EDGE, EDGE, 3]),
      });
      for (const name of session.outputNames) {
        const values = results[name]!.data as Float32Array;
        const length = values.length / some.length;
        for (let i = 0; i < some.length; i++) rows[name]!.push(values.slice(i * length, (i + 1) * length));
      }
      for (const _ of some) onImage();
    }
    return rows;
  } finally {
    await session.release();
  }
}
