/** Simple quantities of an image, which stand beside the voices so that people can compare them with what they see. */
import * as tf from '@tensorflow/tfjs-core';
import { centreOf, meanLaplacian } from './sharpness.ts';
import { EDGE, type Views } from './views.ts';

const MEASURES: Readonly<Record<string, (views: Views) => tf.Tensor>> = {
  /** Mean grey of the whole image, 0 to 1. */
  brightness: ({ grey }) => tf.mean(grey, [1, 2]),
  /** Standard deviation of grey over the whole image. */
  contrast: ({ grey }) => {
    const centred = tf.sub(grey, tf.mean(grey, [1, 2], true));
    return tf.sqrt(tf.mean(tf.square(centred), [1, 2]));
  },
  /** Mean absolute Laplacian of the centre at half of the model's resolution. */
  sharpness: (views) => tf.squeeze(meanLaplacian(centreOf(views), 1), [1]),
  /** Standard deviation of white noise, by what a mask that is blind to edges finds (Immerkaer 1996). */
  noise: ({ grey }) => {
    const found = secondDifference(secondDifference(grey, 1), 2);
    return tf.mul(tf.mean(tf.abs(found), [1, 2]), Math.sqrt(Math.PI / 2) / 6);
  },
  /** Share of the image that is brighter than the dark surround. */
  foreground: ({ mask }) => tf.mean(mask, [1, 2]),
  /** Share of the image within the box around the foreground. */
  box: ({ box: { start, stop } }) => tf.div(tf.prod(tf.sub(stop, start), 1), EDGE * EDGE),
  /** Share of pixels of which a channel is at its upper end. */
  saturation: ({ image }) => {
    const [r, g, b] = tf.split(image, 3, 1);
    const largest = tf.maximum(tf.maximum(r!, g!), b!);
    return tf.mean(tf.cast(tf.greater(largest, 254.5), 'float32'), [1, 2, 3]);
  },
  /** Mean of red minus mean of green. */
  'red-green': ({ image }) => channelDifference(image, 0, 1),
  /** Mean of blue minus mean of green. */
  'blue-green': ({ image }) => channelDifference(image, 2, 1),
};

/** Names of what `measureStatistics` gives, in order. */
export const STATISTICS: readonly string[] = Object.keys(MEASURES);

/** float32 `[N, S]`. */
export function measureStatistics(views: Views): tf.Tensor2D {
  return tf.stack(
    Object.values(MEASURES).map((measure) => measure(views)),
    1,
  ) as tf.Tensor2D;
}

function channelDifference(image: tf.Tensor4D, a: number, b: number): tf.Tensor {
  const mean = (c: number) => tf.mean(tf.slice(image, [0, c, 0, 0], [-1, 1, -1, -1]), [1, 2, 3]);
  return tf.div(tf.sub(mean(a), mean(b)), 255);
}

/** Of each line of pixels, 1 -2 1: shorter by two along `axis`. */
function secondDifference(image: tf.Tensor3D, axis: 1 | 2): tf.Tensor3D {
  const length = image.shape[axis] - 2;
  const from = (start: number) => {
    const [begin, size] = [
      [0, 0, 0],
      [-1, -1, -1],
    ];
    [begin[axis], size[axis]] = [start, length];
    return tf.slice(image, begin as [number, number, number], size as [number, number, number]);
  };
  return tf.sub(tf.add(from(0), from(2)), tf.mul(from(1), 2));
}
