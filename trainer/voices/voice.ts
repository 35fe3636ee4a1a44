/** What a voice is: something that can be measured in every image, and may depart from good images in its own way. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Views } from './views.ts';

/** The first of a voice's three functions; fitting and scoring are those of its detector. */
export interface VoiceFeatures {
  /** `[N, K]`: numbers whose means over good images `describe` is given, such as the level of noise. */
  readonly measure?: (views: Views) => tf.Tensor2D;
  /** Of `features` columns those of each place in the image, as many of each; absent: they belong to no place. */
  readonly places?: (features: number) => number[][];
  /** Features `[N, F]`. Plain TensorFlow.js that can be traced: nothing in it depends on values, on N or on chance. */
  readonly describe: (views: Views, measured: readonly number[]) => tf.Tensor2D;
}
