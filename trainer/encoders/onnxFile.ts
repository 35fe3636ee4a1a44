/** An ONNX file as a network of taps. */
import { readFile } from 'node:fs/promises';
import type * as tf from '@tensorflow/tfjs-core';
import { embedOnnx } from '../../convert/embed.ts';
import { EncoderError } from './error.ts';
import type { LoadedNetwork } from './layersModel.ts';

type Compute = (images: tf.Tensor4D) => tf.Tensor4D[];

/** @throws EncoderError when it is no ONNX file of one image input, or does not run. */
export async function loadOnnxNetwork(path: string): Promise<LoadedNetwork> {
  const bytes = await readFile(path);
  const model = refusing(path, () => embedOnnx(bytes));
  if (model.taps.length === 0)
    throw new EncoderError(
      `${path} has no result that is an image of features for each image of a batch. Export it with an open batch size.`,
    );
  const prepared = new Map<string, Compute>();
  return {
    taps: model.taps,
    perceptualTaps: [],
    input: model.input,
    differentiable: false,
    // Exporters to NCHW are PyTorch's, whose ImageNet models share one scaling.
    likelyScaling: model.channelsFirst ? 'torch' : undefined,
    run: (images, taps) => {
      const [, height, width] = images.shape;
      const key = `${height} ${width} ${taps.join()}`;
      const compute = prepared.get(key) ?? refusing(path, () => model.at(taps, { width, height }));
      prepared.set(key, compute);
      return compute(images);
    },
  };
}

function refusing<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new EncoderError(`${path} cannot be used as an encoder: ${(cause as Error).message}.`, { cause });
  }
}
