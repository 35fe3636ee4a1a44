/** A repair of TensorFlow.js that recurrent layers over one frame need. */
import * as tf from '@tensorflow/tfjs-core';

/**
 * Replaces the gradient of `tf.unstack`. In TensorFlow.js 4.22.0 it fails for a list of one tensor, since the engine
 * then hands the tensor over instead of the list ("Argument tensors passed to stack must be a `Tensor[]`",
 * tensorflow/tfjs#1529): no recurrent or TimeDistributed layer that is not the first could be trained on one frame.
 * Holds for all backends of the process; doing it again changes nothing. Call it after @tensorflow/tfjs-layers is
 * loaded, which registers the original.
 */
export function repairUnstackGradient(): void {
  tf.registerGradient({
    kernelName: 'Unpack',
    gradFunc: (dy: tf.Tensor | tf.Tensor[], _saved, attrs) => ({
      value: () => tf.stack(Array.isArray(dy) ? dy : [dy], (attrs as { axis: number }).axis),
    }),
  });
}
