/**
 * Layers that are given one tensor twice, `x * x` or attention of a sequence to itself. TensorFlow.js counts each giving when
 * it frees tensors, but the layer once when it counts who needs them: the tensor is gone before the next layer. And models that
 * give one tensor twice: TensorFlow.js gives it once.
 */
import type { io } from '@tensorflow/tfjs-core';
import { type Fields, fieldsOf, isFields, type Json, listOf } from './topology.ts';

/** The same model, in which such a tensor passes through a layer that does nothing before it is given again. */
export function withoutRepetition(artifacts: io.ModelArtifacts): io.ModelArtifacts {
  return { ...artifacts, modelTopology: apart(artifacts.modelTopology as Fields) as Fields };
}

function apart(value: Json): Json {
  if (Array.isArray(value)) return value.flatMap(layersFor);
  if (!isFields(value)) return value;
  return outputsApart(Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, apart(entry)])));
}

/** The settings of a model; the outputs that it repeats get the names `score_again`, `score_again_2`. */
function outputsApart(config: Fields): Fields {
  const given = listOf(config.output_layers);
  if (config.layers === undefined || new Set(given.map((one) => JSON.stringify(one))).size === given.length)
    return config;
  const added: Fields[] = [];
  const output_layers = given.map((history, i) => {
    const text = JSON.stringify(history);
    const before = given.slice(0, i).filter((one) => JSON.stringify(one) === text).length;
    if (before === 0) return history;
    const [layer, node, tensor] = listOf(history);
    const name = `${layer}_again${before === 1 ? '' : `_${before}`}`;
    added.push(passing(name, [layer!, node!, tensor!, {}]));
    return [name, 0, 0];
  });
  return { ...config, layers: [...listOf(config.layers), ...added], output_layers };
}

/** A layer that does nothing. */
function passing(name: string, history: Json): Fields {
  return {
    class_name: 'Activation',
    name,
    config: { name, activation: 'linear' },
    inbound_nodes: [[history]],
  };
}

/** An entry of a list, which may be a layer; before it, what its repeated inputs pass through. */
function layersFor(entry: Json): readonly Json[] {
  const whole = apart(entry);
  if (!isFields(whole) || whole.inbound_nodes === undefined) return [whole];
  const before: Fields[] = [];
  const inbound_nodes = listOf(whole.inbound_nodes).map((use, i) => {
    const seen = new Set<string>();
    return listOf(use).map((history, position) => {
      const tensor = JSON.stringify(listOf(history).slice(0, 3));
      if (!seen.has(tensor)) {
        seen.add(tensor);
        return history;
      }
      const name = `${fieldsOf(whole.config).name}/again_${i}_${position}`;
      before.push(passing(name, history));
      return [name, 0, 0, listOf(history)[3] ?? {}];
    });
  });
  return before.length === 0 ? [whole] : [...before, { ...whole, inbound_nodes }];
}
