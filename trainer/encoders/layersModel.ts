/** A TensorFlow.js layers model, such as one of Keras Applications saved for it, as a network of taps. */
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { modelFiles } from '../../convert/files.ts';
import { EncoderError } from './error.ts';
import type { Network, Scaling } from './network.ts';
import { spreadOver } from './taps.ts';

/** What a file itself says of a network; origin and scaling come from beside it. */
export type LoadedNetwork = Omit<Network, 'origin' | 'scaling' | 'scalingIsAssumed'> & {
  /** What the file gives away about its scaling. */
  readonly likelyScaling: Scaling | undefined;
};

/** Side where the model leaves the size open, pixels. */
const SIDE = 224;

/** @throws EncoderError when it has not one image input of three channels. */
export async function loadLayersNetwork(path: string): Promise<LoadedNetwork> {
  const model = await tfl.loadLayersModel(modelFiles(path));
  const [, height, width, channels] = model.inputs[0]!.shape;
  if (model.inputs.length !== 1 || model.inputs[0]!.shape.length !== 4 || channels !== 3)
    throw new EncoderError(
      `${path} takes ${model.inputs.map(({ shape }) => `[${shape.map((d) => d ?? 'open')}]`).join(' and ')}; an encoder takes one image [N, H, W, 3].`,
    );
  const layers = new Map(model.layers.filter(isImage).map((layer) => [layer.name, layer]));
  if (layers.size === 0) throw new EncoderError(`${path} has no layer whose output is an image of features.`);
  const cut = new Map<string, tfl.LayersModel>();
  const cutAt = (taps: readonly string[]): tfl.LayersModel => {
    const key = taps.join();
    const outputs = taps.map((tap) => layers.get(tap)!.output as tfl.SymbolicTensor);
    const made = cut.get(key) ?? tfl.model({ inputs: model.inputs, outputs });
    cut.set(key, made);
    return made;
  };
  const taps = [...layers.keys()];
  return {
    taps,
    perceptualTaps: spreadOver(taps),
    input: { width: width ?? SIDE, height: height ?? SIDE, fixed: height != null && width != null },
    differentiable: true,
    likelyScaling: scalingOf(model.layers.map(({ name }) => name)),
    run: (images, wanted) => [cutAt(wanted).apply(images, { training: false })].flat() as tf.Tensor4D[],
  };
}

/** One output [N, h, w, c] that still has a place: not pooled to a single point, and not the input itself. */
function isImage(layer: tfl.layers.Layer): boolean {
  if (layer.getClassName() === 'InputLayer' || layer.inboundNodes.length !== 1) return false;
  const shape = layer.outputShape as (number | null)[];
  return shape.length === 4 && !Array.isArray(shape[0]) && shape[1] !== 1 && shape[2] !== 1;
}

/** Keras Applications are known by their layers (keras/src/applications: `preprocess_input` of each). */
function scalingOf(names: readonly string[]): Scaling | undefined {
  const has = (name: string) => names.includes(name);
  if (has('conv_pw_1') || has('Conv_1') || has('post_relu')) return 'signed'; // MobileNet v1 and v2, ResNet v2
  if (has('conv5_block3_out') || has('block5_conv3')) return 'caffe'; // ResNet v1, VGG
  return undefined;
}
