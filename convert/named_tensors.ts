/** Models whose inputs, or outputs, are a dictionary: `Model({'left': a, 'right': b}, c)`. TensorFlow.js knows lists alone. */
import type { io } from '@tensorflow/tfjs-core';
import { type Fields, isFields, type Json } from './topology.ts';

/** The same model with lists, in the order of the names, in which Keras takes tensors out of dictionaries. */
export function withListedTensors(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  return { ...artifacts, modelTopology: listed(artifacts.modelTopology as Fields) as Fields };
}

function listed(value: Json): Json {
  if (Array.isArray(value)) return value.map(listed);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (key === 'input_layers' || key === 'output_layers')
        return [key, isFields(entry) ? tensorsIn(entry) : entry];
      if (key === 'inbound_nodes' && Array.isArray(entry)) return [key, entry.map(asList)];
      return [key, listed(entry)];
    }),
  );
}

/** A use of a layer; that of Keras 3 has fields of its own, with dictionaries among its arguments. */
function asList(use: Json): Json {
  if (!isFields(use)) return use;
  if (use.args === undefined) return tensorsIn(use);
  return { ...use, args: inOrder(use.args) };
}

function inOrder(value: Json): Json {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isFields(value) || value.class_name !== undefined) return value;
  return byName(value).map(inOrder);
}

/** `["left", 0, 0]` of all that are in `value`. */
function tensorsIn(value: Json): Json[] {
  if (Array.isArray(value))
    return typeof value[0] === 'string' && typeof value[1] === 'number' ? [value] : value.flatMap(tensorsIn);
  return isFields(value) ? byName(value).flatMap(tensorsIn) : [];
}

function byName(fields: Fields): Json[] {
  return Object.keys(fields)
    .toSorted()
    .map((name) => fields[name]!);
}
