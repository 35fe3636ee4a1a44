/** Adam whose rate goes up and down once. */
import * as tf from '@tensorflow/tfjs-core';

/** Share of the steps in which the rate rises, and by how much it begins and ends below its highest: as in PyTorch. */
const RISE = 0.3;
const FIRST = 1 / 25;
const LAST = FIRST / 1e4;

/** Adam (Kingma and Ba 2015) with one cycle of the learning rate along two half waves of cosine. */
export class OneCycleAdam extends tf.AdamOptimizer {
  readonly #highest: number;
  readonly #total: number;
  #done = 0;

  constructor(highest: number, total: number) {
    super(highest, 0.9, 0.999, 1e-8);
    this.#highest = highest;
    this.#total = total;
  }

  /** Takes the next step; the caller disposes of the loss. */
  step(loss: () => tf.Scalar, variables: tf.Variable[]): tf.Scalar {
    this.learningRate = oneCycle(this.#highest, this.#done++ / Math.max(this.#total - 1, 1));
    return this.minimize(loss, true, variables)!;
  }
}

/** The rate when `progress`, 0 to 1, of all steps are done. */
export function oneCycle(highest: number, progress: number): number {
  const wave = (from: number, to: number, share: number) =>
    to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
  return progress < RISE
    ? highest * wave(FIRST, 1, progress / RISE)
    : highest * wave(1, LAST, (progress - RISE) / (1 - RISE));
}
