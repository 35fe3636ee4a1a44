/** Where the output of an untrained model begins. */
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/**
 * Sets the bias of the last layer (a sigmoid follows) so that it gives `colour`, the mean of each channel over the
 * training images, where its input is zero. The channel is the last axis of the layer's output, or, for patches, what
 * changes fastest in it.
 */
export function startOutputAt(layer: tfl.layers.Layer, colour: readonly number[]): void {
  const [kernel, bias] = layer.getWeights();
  const logits = colour.map((mean) => {
    const inside = Math.min(Math.max(mean, 0.01), 0.99);
    return Math.log(inside / (1 - inside));
  });
  const start = tf.tensor1d(Float32Array.from({ length: bias!.size }, (_, i) => logits[i % logits.length]!));
  layer.setWeights([kernel!, start]);
  start.dispose();
}
