import { LayersModel } from '@tensorflow/tfjs-layers';

/** What a layers model does with a batch in `predict`, privately: it computes `batchSize` of it at a time and joins them. */
interface Cutting {
  predictLoop(this: LayersModel, inputs: unknown, batchSize?: number, verbose?: boolean): unknown;
}

/**
 * Makes layers models predict whole batches, which gives the same numbers: a file must not hold the pieces that a certain
 * batch was cut into. Returns the function that takes it back.
 */
export function predictWhole(): () => void {
  const models = LayersModel.prototype as unknown as Cutting;
  const { predictLoop } = models;
  models.predictLoop = function (inputs, _batchSize, verbose) {
    return predictLoop.call(this, inputs, Number.MAX_SAFE_INTEGER, verbose);
  };
  return () => {
    models.predictLoop = predictLoop;
  };
}
