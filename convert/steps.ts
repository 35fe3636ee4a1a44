import { Optimizer, type Scalar, type Variable } from '@tensorflow/tfjs-core';

/** Told of the steps of every optimizer. */
export interface StepListener {
  beginStep(): void;
  endStep(): void;
}

/**
 * Makes every optimizer compute its previous step before it records the next one. Without that, `model.fit` without
 * callbacks reads nothing until the end of an epoch, and the whole epoch would become one graph.
 *
 * TensorFlow.js has no hook for this, so `Optimizer.prototype.minimize` is wrapped; the returned function undoes it.
 * `active` gives the listener, or nothing while another backend is in use.
 */
export function watchOptimizerSteps(active: () => StepListener | undefined): () => void {
  const prototype = Optimizer.prototype;
  const original = prototype.minimize;
  let watching = true;
  const minimize = function (this: Optimizer, f: () => Scalar, returnCost?: boolean, variables?: Variable[]) {
    const listener = watching ? active() : undefined;
    listener?.beginStep();
    const cost = original.call(this, f, returnCost, variables);
    listener?.endStep();
    return cost;
  };
  prototype.minimize = minimize;
  return () => {
    watching = false;
    if (prototype.minimize === minimize) prototype.minimize = original;
  };
}
