/** The voice `sharpness`: how strong the fine detail of the centre is, at three scales. */
import * as tf from '@tensorflow/tfjs-core';
import { cropConstant } from './resampling.ts';
import { EDGE, VIEW, type Views } from './views.ts';
import type { VoiceFeatures } from './voice.ts';

const SCALES = [1, 2, 4] as const;

/** Rows and columns of the central 53 % of the image at 128 x 128. */
const CENTRE = { from: 30, to: 98 } as const;

/** Keeps the logarithm finite on images of one colour. */
const FLOOR = 1e-4;

/** Features `[N, 3]`: log mean absolute Laplacian of the central 53 %, at 128, 64 and 32 pixels for the whole image. */
export const sharpness: VoiceFeatures = {
  describe: (views) =>
    tf.concat2d(
      SCALES.map((scale) => tf.log(tf.add(meanLaplacian(centreOf(views), scale), FLOOR))),
      1,
    ),
};

/** `[N, 68, 68]`. */
export function centreOf({ grey }: Views): tf.Tensor3D {
  return cropConstant(grey, { start: 0, stop: EDGE }, VIEW, CENTRE);
}

/** `[N, 1]`: over the image reduced by `scale`. */
export function meanLaplacian(image: tf.Tensor3D, scale: number): tf.Tensor2D {
  const laplacian = tf.tensor4d([0, 1, 0, 1, -4, 1, 0, 1, 0], [3, 3, 1, 1]);
  const images = tf.expandDims<tf.Tensor4D>(image, 3);
  const reduced = scale === 1 ? images : tf.avgPool(images, scale, scale, 'valid');
  return tf.mean<tf.Tensor2D>(tf.abs(tf.conv2d(reduced, laplacian, 1, 'valid')), [1, 2]);
}
