/** The voice `encoder`: what a network trained on everyday photographs makes of an image as a whole. */
import * as tf from '@tensorflow/tfjs-core';
import type { OpenedNetwork } from '../encoders/open.ts';
import { EDGE, type Views } from './views.ts';
import type { VoiceFeatures } from './voice.ts';

/** Of the foreground's box: about the square within a round fundus. */
const CENTRE = 0.7;

/** Keeps the slope of the square root finite. */
const FLOOR = 1e-12;

/** Features `[N, 2 C]`: mean and standard deviation, over all places, of the C features of `tap`. */
export function encoder(network: OpenedNetwork, tap: string | undefined): VoiceFeatures {
  const taps = [tap ?? network.taps.at(-1)!];
  return {
    describe: (views) => {
      const [features] = network.run(pictureOf(views, CENTRE), taps);
      const mean = tf.mean(features!, [1, 2], true);
      const variance = tf.mean(tf.square(tf.sub(features!, mean)), [1, 2]);
      return tf.concat2d([tf.squeeze(mean, [1, 2]), tf.sqrt(tf.add(variance, FLOOR))], 1);
    },
  };
}

/** For an encoder: the central share of the foreground: `[N, 224, 224, channels]`, 0 to 1. */
export function pictureOf(views: Views, share: number): tf.Tensor4D {
  return tf.transpose(views.foregroundAt(EDGE, share), [0, 2, 3, 1]);
}
