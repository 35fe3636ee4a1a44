/** Features of many images, through one compiled graph. */
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { trace } from '../../convert/trace.ts';

export interface EncodingGraph {
  /** float32 `[N, height, width, channels]` in [0, 1] -> `[N, ...outputShape]`. */
  encode(images: tf.Tensor): tf.Tensor;
  /** Height, width, channels. */
  readonly size: readonly [number, number, number];
  readonly outputShape: readonly number[];
  readonly threads: number;
}

/** Images of one run: enough to keep the processor busy, few enough to answer Ctrl-C at once. */
const BATCH = 8;

/**
 * Each of `pixels` is uint8 `[height, width, channels]`; the results are float32 `[...outputShape]`, in the same order.
 * `onImage` is called after each image; what it throws ends the work.
 */
export async function encodeAll(
  { encode, size, outputShape, threads }: EncodingGraph,
  pixels: readonly Uint8Array[],
  onImage: () => void,
): Promise<Float32Array[]> {
  const model = trace(
    (image) => ({ features: encode(tf.div(image, 255)) }),
    [{ name: 'image', shape: [null, ...size], dtype: 'uint8' }],
  );
  const session = await InferenceSession.create(model, { intraOpNumThreads: threads, logSeverityLevel: 3 });
  const bytes = size[0] * size[1] * size[2];
  const length = outputShape.reduce((product, side) => product * side, 1);
  const results: Float32Array[] = [];
  try {
    for (let start = 0; start < pixels.length; start += BATCH) {
      const images = pixels.slice(start, start + BATCH);
      const batch = new Uint8Array(images.length * bytes);
      for (const [i, image] of images.entries()) batch.set(image, i * bytes);
      const { features } = await session.run({ image: new Tensor('uint8', batch, [images.length, ...size]) });
      const values = features!.data as Float32Array;
      for (let i = 0; i < images.length; i++) {
        results.push(values.slice(i * length, (i + 1) * length));
        onImage();
      }
    }
    return results;
  } finally {
    await session.release();
  }
}
