/** What every kind of model gives to training and to export. */
import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Recipe } from '../../config/recipe.ts';
import type { Residual } from '../../config/residual.ts';
import type { Random } from '../random.ts';

/** float32 `[N, height, width, channels]`, or `[N, frames, height, width, channels]` for more than one frame, in [0, 1]. */
export type Images = tf.Tensor;

export interface Autoencoder {
  /** Trained by unmodified `model.fitDataset`; all trained weights are in it. */
  readonly model: tfl.LayersModel;
  /**
   * A frozen part in front of `model`, computed once for each image and then kept: null when the model sees the images
   * themselves.
   */
  readonly encoder: FrozenEncoder | null;
  /** What the model is fed in training for `images`, one tensor an input; `features` are those of `encoder`. */
  inputs(images: Images, features: tf.Tensor | null, random: Random): tf.Tensor[];
  /** One tensor an output of the model. */
  targets(images: Images): tf.Tensor[];
  /** Loss of each output, mean over the batch: float32 scalar. `reconstruction` is the recipe's own. */
  losses(reconstruction: ResidualFunction): ((target: tf.Tensor, output: tf.Tensor) => tf.Tensor)[];
  /**
   * Deterministic reconstruction, same shape as `images`, in [0, 1]; plain TensorFlow.js, so that it can be traced.
   * `features` are those of `encoder` when they are at hand.
   */
  reconstruct(images: Images, features?: tf.Tensor | null): Images;
}

/** What a model is built from, beside its recipe and the seed of its initial weights. */
export interface ModelContext {
  /** Mean of each channel over the training images, 0 to 1: where the output starts. */
  readonly meanColour: readonly number[];
  /** Opened by the caller; the kind `pretrained` needs it, the others leave it alone. */
  readonly encoder: FrozenEncoder | null;
}

/** Builds one kind of model. Initial weights follow from `seed`. */
export type BuildAutoencoder = (recipe: Recipe, seed: number, context: ModelContext) => Autoencoder;

export interface FrozenEncoder {
  /** Without the batch. */
  readonly outputShape: readonly number[];
  /** float32 `[N, ...outputShape]` from images as above; plain TensorFlow.js, so that it can be traced. */
  encode(images: Images): tf.Tensor;
  /** The same for many images, through one compiled graph: uint8 `[N, height, width, channels]` -> float32. */
  encodeAll(pixels: readonly Uint8Array[], onImage: () => void): Promise<Float32Array[]>;
  /** For the bundle's provenance. */
  readonly origin: {
    readonly name: string;
    readonly source: string;
    readonly licence: string;
    readonly sha256: string;
  };
}

/**
 * Residual of each value: `x` and `y` as `Images`; the result is float32 `[N, h, w, c]`, or with frames
 * `[N, frames, h, w, c]`, h and w at most those of the images; its mean is loss and score.
 */
export type ResidualFunction = (x: Images, y: Images) => tf.Tensor;

/** `perceptual` needs the tap function of an encoder: images -> features at each tap, float32 `[N, h, w, c]`. */
export type MakeResidual = (
  kind: Residual,
  taps: ((images: Images) => tf.Tensor4D[]) | null,
) => ResidualFunction;
