/** Models with layers that TensorFlow.js lacks, or computes otherwise than Keras, in those of convert/layers/. */
import type { io } from '@tensorflow/tfjs-core';
import { inOneList, isAttention, type SavedModel } from './attention_calls.ts';
import { MERGED_BY_2, MERGED_BY_3 } from './layers/merge.ts';
import { LACKING, OTHERWISE, registerOwnLayers } from './layers/table.ts';
import { isLayerClass } from './load_layers.ts';
import { type Refuse, refuseAtOnce } from './refuse.ts';
import { type Fields, fieldsOf, isFields, isOfKeras, type Json } from './topology.ts';

/**
 * The same model with such layers replaced, also within models and wrappers. A class that somebody registered stays. `refuse` is
 * told of each that is used in a way which cannot be said.
 */
export function inOwnLayers(artifacts: io.ModelArtifacts, refuse: Refuse = refuseAtOnce): io.ModelArtifacts {
  registerOwnLayers();
  const topology = artifacts.modelTopology as Fields;
  const model: SavedModel = {
    refuse,
    version: isOfKeras(topology) ? String(topology.keras_version) : '',
    masks: givesMasks(topology),
  };
  return { ...artifacts, modelTopology: replaced(topology, model) as Fields };
}

function givesMasks(value: Json): boolean {
  if (Array.isArray(value)) return value.some(givesMasks);
  if (!isFields(value)) return false;
  if (value.class_name === 'Masking' || value.mask_zero === true) return true;
  return Object.values(value).some(givesMasks);
}

function replaced(value: Json, model: SavedModel): Json {
  if (Array.isArray(value)) return value.flatMap((entry) => inPlace(entry, model));
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, layerOr(entry, model)]));
}

/** An entry of a list, which may be a layer before which others are needed. */
function inPlace(entry: Json, model: SavedModel): readonly Json[] {
  if (!isOwnAttention(entry, model)) return [layerOr(entry, model)];
  return inOneList(entry, model).map((layer) => ({
    ...layer,
    class_name: ownLayer(layer, model) ?? layer.class_name!,
  }));
}

/** Attention within a wrapper is refused: there is no list of its uses. */
function layerOr(value: Json, model: SavedModel): Json {
  if (isOwnAttention(value, model)) inOneList({ ...value, inbound_nodes: [] }, model);
  const whole = replaced(value, model);
  if (!isFields(whole)) return whole;
  const layer = ownLayer(whole, model);
  return layer === undefined ? whole : { ...whole, class_name: layer };
}

function isOwnAttention(value: Json, model: SavedModel): value is Fields {
  return isFields(value) && isAttention(value) && ownLayer(value, model) !== undefined;
}

/** The name of the class that stands for that of a layer. */
function ownLayer({ class_name, config }: Fields, { version, masks }: SavedModel): string | undefined {
  const name = String(class_name);
  const merged = (/^3\.([4-9]|\d\d)/.test(version) ? MERGED_BY_3 : MERGED_BY_2)[name];
  if (version !== '' && masks && merged !== undefined) return merged.className;
  const otherwise = OTHERWISE[name];
  if (otherwise?.when(fieldsOf(config), version)) return otherwise.layer.className;
  return isLayerClass(name) ? undefined : LACKING[name]?.className;
}
