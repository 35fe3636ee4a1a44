/** What networks were trained on, from pixels in [0, 1]. */
import * as tf from '@tensorflow/tfjs-core';
import type { Scaling } from './network.ts';

/** Red, green, blue: mean and standard deviation of ImageNet in [0, 1] (torchvision.models, "transforms"). */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/** Blue, green, red, 0 to 255 (keras/src/applications/imagenet_utils.py, mode "caffe"). */
const CAFFE_MEAN = [103.939, 116.779, 123.68];

/** float32 `[N, h, w, 3]`, RGB in [0, 1] -> the same shape. */
export function scaled(images: tf.Tensor4D, scaling: Scaling): tf.Tensor4D {
  switch (scaling) {
    case 'unit':
      return images;
    case 'signed':
      return tf.sub(tf.mul(images, 2), 1);
    case 'lite':
      return tf.mul(tf.sub(tf.mul(images, 255), 127), 1 / 128);
    case 'torch':
      return tf.div(tf.sub(images, tf.tensor1d(MEAN)), tf.tensor1d(DEVIATION));
    case 'caffe':
      return tf.sub(tf.mul(tf.reverse(images, 3), 255), tf.tensor1d(CAFFE_MEAN));
  }
}
