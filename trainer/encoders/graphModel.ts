/** A TensorFlow.js graph model (converted from a SavedModel) as a network of taps. */
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import type * as tf from '@tensorflow/tfjs-core';
import { readModel } from '../../convert/source.ts';
import { traceShapes } from '../../convert/trace.ts';
import { EncoderError } from './error.ts';
import type { LoadedNetwork } from './layersModel.ts';
import { spreadOver } from './taps.ts';

/** Side where the model leaves the size open, pixels. */
const SIDE = 224;

/** Of the trial: a number that no filter has as its height. */
const BATCH = 29;

/** Operations whose results are worth a tap. */
const FEATURES =
  /^(Add|AddV2|AvgPool|BiasAdd|Concat|ConcatV2|Conv2D|DepthwiseConv2dNative|Elu|FusedBatchNorm(V[23])?|FusedDepthwiseConv2dNative|Identity|LeakyRelu|MaxPool|Mul|Prelu|Relu|Relu6|Selu|Sigmoid|Tanh|_FusedConv2D)$/;

/** @throws EncoderError when it has not one image input of three channels. */
export async function loadGraphNetwork(path: string): Promise<LoadedNetwork> {
  const { artifacts } = await readModel(path);
  const { node: nodes } = artifacts.modelTopology as { node: readonly { name: string; op: string }[] };
  const model = await loadGraphModel({ load: async () => artifacts });
  const shape = model.inputs[0]?.shape ?? [];
  const [, height, width, channels] = shape.map((size) => (size > 0 ? size : undefined));
  if (model.inputs.length !== 1 || shape.length !== 4 || (channels ?? 3) !== 3)
    throw new EncoderError(
      `${path} takes ${model.inputs.map((input) => `[${input.shape}]`).join(' and ')}; an encoder takes one image [N, H, W, 3].`,
    );
  const input = {
    width: width ?? SIDE,
    height: height ?? SIDE,
    fixed: height !== undefined && width !== undefined,
  };
  const run = (images: tf.Tensor4D, wanted: readonly string[]) =>
    [model.execute(images, [...wanted])].flat() as tf.Tensor4D[];
  const candidates = nodes.filter(({ op }) => FEATURES.test(op)).map(({ name }) => name);
  const taps = imageTaps(run, candidates, input);
  if (taps.length === 0) throw new EncoderError(`${path} has no node whose output is an image of features.`);
  return {
    taps,
    perceptualTaps: spreadOver(taps),
    input,
    differentiable: true,
    likelyScaling: undefined,
    run,
  };
}

/** Nodes with an output [N, h, w, c] that still has a place. */
function imageTaps(
  run: (images: tf.Tensor4D, taps: readonly string[]) => tf.Tensor[],
  candidates: readonly string[],
  { width, height }: { width: number; height: number },
): string[] {
  const shapes = traceShapes(
    (images) => Object.fromEntries(run(images as tf.Tensor4D, candidates).map((t, i) => [candidates[i]!, t])),
    [{ name: 'plumbline image', shape: [BATCH, height, width, 3] }],
  );
  return candidates.filter((name) => {
    const [n, h, w, c] = shapes[name]!;
    return n === BATCH && h! > 1 && w! > 1 && c !== undefined;
  });
}
