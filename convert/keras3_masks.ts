/**
 * Masks of Keras 3 that it derived itself: it writes them down as operations, `Any(NotEqual(x, 0))`, and hands them to each
 * layer by keyword. A layer of TensorFlow.js gets its mask without that, from the layers before it.
 */
import { type Fields, fieldsOf, isFields, type Json, listOf } from './topology.ts';

/** What masks are made of: they begin with NotEqual. */
const OPERATIONS: readonly string[] = ['NotEqual', 'Any', 'LogicalAnd'];

const KEYWORDS: readonly string[] = ['mask', 'query_mask', 'value_mask', 'key_mask'];

/** The model, and those within it, without such operations and keywords. */
export function withoutDerivedMasks(model: Fields): Fields {
  const config = fieldsOf(model.config);
  const layers = listOf(config.layers).map((layer) => withoutDerivedMasks(fieldsOf(layer)));
  if (layers.length === 0) return model;
  const byName = new Map(layers.map((layer) => [String(layer.name), layer]));
  const sources = new Set(
    layers.filter(givesMask).flatMap((layer) => usesOf(layer).flatMap(({ args }) => historiesIn(args))),
  );
  const isMask = (history: string): boolean => {
    const layer = byName.get(layerOf(history));
    if (layer === undefined || !OPERATIONS.includes(String(layer.class_name))) return false;
    const given = usesOf(layer).flatMap(({ args }) => historiesIn(args));
    return given.length > 0 && given.every((one) => sources.has(one) || isMask(one));
  };
  const unmasked = (use: Fields): Fields => {
    const kwargs = Object.entries(fieldsOf(use.kwargs)).filter(([name, value]) => {
      const histories = historiesIn(value);
      return !(KEYWORDS.includes(name) && histories.length > 0 && histories.every(isMask));
    });
    return { ...use, kwargs: Object.fromEntries(kwargs) };
  };
  const called = layers.map((layer) =>
    layer.inbound_nodes === undefined ? layer : { ...layer, inbound_nodes: usesOf(layer).map(unmasked) },
  );
  return { ...model, config: { ...config, layers: withoutUnused(called, config.output_layers ?? null) } };
}

function givesMask({ class_name, config }: Fields): boolean {
  return class_name === 'Masking' || (class_name === 'Embedding' && fieldsOf(config).mask_zero === true);
}

/** Without the operations of masks that nothing asks for any more. */
function withoutUnused(layers: readonly Fields[], outputs: Json): readonly Fields[] {
  const used = new Set(layers.flatMap((layer) => historiesIn(layer.inbound_nodes ?? null).map(layerOf)));
  const kept = layers.filter(
    ({ class_name, name }) =>
      !OPERATIONS.includes(String(class_name)) ||
      used.has(String(name)) ||
      JSON.stringify(outputs).includes(JSON.stringify(name)),
  );
  return kept.length === layers.length ? layers : withoutUnused(kept, outputs);
}

function usesOf(layer: Fields): readonly Fields[] {
  return listOf(layer.inbound_nodes).map(fieldsOf);
}

/** `keras_history` of all tensors in `value`, each as text. */
function historiesIn(value: Json | undefined): string[] {
  if (Array.isArray(value)) return value.flatMap(historiesIn);
  if (!isFields(value)) return [];
  if (value.class_name === '__keras_tensor__') return [JSON.stringify(fieldsOf(value.config).keras_history)];
  return Object.values(value).flatMap(historiesIn);
}

function layerOf(history: string): string {
  return String(listOf(JSON.parse(history))[0]);
}
