/** The architecture of a model, layer by layer. */
import type * as tfl from '@tensorflow/tfjs-layers';

export interface LayerSummary {
  readonly name: string;
  readonly kind: string;
  /** Without the batch. */
  readonly shape: readonly number[];
  readonly parameters: number;
}

/** One entry for each layer, in order. */
export function summarize(model: tfl.LayersModel): LayerSummary[] {
  return model.layers.map((layer) => ({
    name: layer.name,
    kind: layer.getClassName(),
    shape: (layer.outputShape as (number | null)[]).slice(1) as number[],
    parameters: layer.countParams(),
  }));
}
