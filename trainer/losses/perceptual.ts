/** Difference in the eyes of a pretrained encoder. */
import * as tf from '@tensorflow/tfjs-core';
import type { Images } from '../models/autoencoder.ts';

/** Images to features at each tap, float32 `[N, h, w, c]`. */
export type Taps = (images: Images) => tf.Tensor4D[];

/** Under the square root of a length: its gradient is finite at zero too. */
const EPSILON = 1e-10;

/**
 * At each tap the squared distance of the two channel vectors, each of unit length (Zhang et al. 2018, without trained
 * weights), 0 to 4; mean over the taps, those after the first resized to it bilinearly: `[N, h, w, 1]` of the first.
 */
export function perceptualDifference(taps: Taps, x: tf.Tensor4D, y: tf.Tensor4D): tf.Tensor4D {
  const [ofX, ofY] = [taps(x), taps(y)];
  const distances = ofX.map((features, i) => {
    const difference = tf.sub(unitLength(features), unitLength(ofY[i]!));
    return tf.sum(tf.square(difference), 3, true) as tf.Tensor4D;
  });
  const [, height, width] = distances[0]!.shape;
  const same = distances.map((distance) => {
    if (distance.shape[1] === height && distance.shape[2] === width) return distance;
    return tf.image.resizeBilinear(distance, [height, width]);
  });
  return tf.div(tf.addN(same), same.length);
}

function unitLength(features: tf.Tensor4D): tf.Tensor4D {
  return tf.div(features, tf.sqrt(tf.add(tf.sum(tf.square(features), 3, true), EPSILON)));
}
