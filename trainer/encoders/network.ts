/** A pretrained network as the rest of the trainer sees it, whatever file it came from. */
import type * as tf from '@tensorflow/tfjs-core';

/** How pixels in [0, 1], RGB, become what the network was trained on. */
export type Scaling = keyof typeof SCALINGS;

export const SCALINGS = {
  unit: 'x, in [0, 1]',
  signed: 'x * 2 - 1, in [-1, 1]',
  lite: '(x * 255 - 127) / 128',
  torch: '(x - mean) / sd of ImageNet, each channel',
  caffe: 'x * 255, blue first, minus the mean of ImageNet, each channel',
} as const;

export interface Origin {
  readonly name: string;
  readonly source: string;
  readonly licence: string;
  readonly sha256: string;
}

export interface Network {
  readonly origin: Origin;
  /** Names of layers whose output can be had, in order; the last one is the default. */
  readonly taps: readonly string[];
  /** Taps that the perceptual residual compares when none are named. */
  readonly perceptualTaps: readonly string[];
  /** Pixels; `fixed`: any other size is resized to it. */
  readonly input: { readonly width: number; readonly height: number; readonly fixed: boolean };
  readonly scaling: Scaling;
  /** Nothing states the scaling; it is a guess. */
  readonly scalingIsAssumed: boolean;
  /** Whether gradients flow through it, as the perceptual loss needs. */
  readonly differentiable: boolean;
  /** float32 `[N, height, width, 3]`, scaled -> output at each tap, float32 `[N, h, w, c]`; plain TensorFlow.js. */
  run(images: tf.Tensor4D, taps: readonly string[]): tf.Tensor4D[];
}
