import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { inInferenceForm } from './inference_forms.ts';
import { inputType } from './input_type.ts';
import { computeMasked, makesMasks } from './masked_models.ts';
import { type Place, placed } from './place.ts';
import type { InputSpec, TracedFunction } from './trace.ts';

/** A layers model as a function to trace, with what its inputs look like. */
export interface TraceableModel {
  fn: TracedFunction;
  inputs: InputSpec[];
  outputNames: string[];
  /** The layer that is being computed: where an error comes from. */
  place: () => string | undefined;
  /** Releases the model's weights. */
  dispose: () => void;
}

/**
 * Inputs and outputs of a layers model, named after the layers they come from. An input dimension other than the
 * batch that the model leaves open is an error: an ONNX file made here has fixed sizes but for the batch.
 * A model is converted as it is in inference, see inInferenceForm().
 */
export function traceableModel(
  model: LayersModel,
  { shapes = {} }: { shapes?: Readonly<Record<string, InputSpec['shape']>> } = {},
): TraceableModel {
  const taken = new Set<string>();
  // A loaded Sequential has no inputNames before its first use; its tensors know their layers always.
  const inputs = model.inputs.map(({ shape, dtype, sourceLayer }): InputSpec => {
    const name = unused(sourceLayer.name, taken);
    const type = inputType(name, dtype);
    if (shapes[name]) return { name, shape: shapes[name], dtype: type };
    const rest = shape.slice(1);
    if (rest.some((d) => d === null))
      throw new Error(
        `input ${name} has shape [${shape.map((d) => d ?? 'open')}]: only the first size, the batch, may be open. ` +
          `Give its sizes, for example --shape ${name}=${shape.map((d, i) => (i === 0 ? 'N' : (d ?? 16))).join()}`,
      );
    const batch = model.stateful ? shape[0]! : null; // a stateful layer takes no other batch than its own
    return { name, shape: [batch, ...rest], dtype: type };
  });
  const outputNames = model.outputs.map(({ sourceLayer }) => unused(sourceLayer.name, taken));
  const masked = makesMasks(model);
  let current: Place | undefined;
  const watch = (layer: Place | undefined) => {
    current = layer;
  };
  const fn: TracedFunction = (...tensors) => {
    const apply = () =>
      masked
        ? computeMasked(model, tensors)
        : model.apply(tensors.length === 1 ? tensors[0]! : tensors, { training: false });
    watch(undefined);
    try {
      const result = inInferenceForm(model, watch, apply);
      return Object.fromEntries([result].flat().map((t, i) => [outputNames[i]!, t as Tensor]));
    } catch (cause) {
      throw placed(current, cause);
    }
  };
  return { fn, inputs, outputNames, place: () => current?.name, dispose: () => model.dispose() };
}

/** The name, with a number behind it where it is taken: a layer may be an input and an output, or give several. */
function unused(name: string, taken: Set<string>): string {
  let free = name;
  for (let i = 1; taken.has(free); i++) free = `${name}_${i}`;
  taken.add(free);
  return free;
}
