import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type InputSpec, type TracedFunction, trace } from './trace.ts';

/** A layers model as a function to trace, with what its inputs look like. */
export interface TraceableModel {
  fn: TracedFunction;
  inputs: InputSpec[];
  outputNames: string[];
}

/**
 * Inputs and outputs of a layers model, under the names that the model gives them. An input dimension other than the
 * batch that the model leaves open is an error: an ONNX file made here has fixed sizes but for the batch.
 */
export function traceableModel(model: LayersModel): TraceableModel {
  const inputs = model.inputs.map(({ shape }, i): InputSpec => {
    const name = model.inputNames[i]!;
    const rest = shape.slice(1);
    if (rest.some((d) => d === null))
      throw new Error(
        `input ${name} has shape [${shape.map((d) => d ?? 'open')}]: only the first size, the batch, may be open. ` +
          'Build the model with a fixed inputShape',
      );
    return { name, shape: [null, ...rest] };
  });
  const taken = new Set(inputs.map((i) => i.name));
  const outputNames = model.outputNames.map((name) => {
    const free = taken.has(name) ? `${name}_output` : name;
    taken.add(free);
    return free;
  });
  const fn: TracedFunction = (...tensors) => {
    const result = model.apply(tensors.length === 1 ? tensors[0]! : tensors, { training: false });
    return Object.fromEntries([result].flat().map((t, i) => [outputNames[i]!, t as Tensor]));
  };
  return { fn, inputs, outputNames };
}

/** A layers model as a serialised ONNX model; see trace(). */
export function convertModel(model: LayersModel): Uint8Array {
  const { fn, inputs } = traceableModel(model);
  return trace(fn, inputs);
}
