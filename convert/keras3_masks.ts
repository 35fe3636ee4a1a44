/**
 * Masks of Keras 3 that it derived itself: it writes them down as operations, `Any(NotEqual(x, 0))`, and hands them to each
 * layer by keyword. A layer of TensorFlow.js gets its mask without that, from the layers before it.
 */
import { type Fields, fieldsOf, isFields, type Json, listOf } from './topology.ts';

/** What masks are made of, between the tensor and the layer that gets it; the latter ones by Add and the like, and Concatenate. */
const OPERATIONS: readonly string[] = [
  ...['NotEqual', 'Any', 'LogicalAnd'],
  ...['LogicalOr', 'ExpandDims', 'BroadcastTo', 'Concatenate', 'All'],
];

/** What stands in a mask for an input without one, or gives a mask the shape of its input. */
const CONSTANTS: readonly string[] = ['OnesLike', 'ZerosLike'];

/** The layers of Keras that hand a mask on: behind others, a mask is the user's own. */
const HANDING_ON: ReadonlySet<string> = new Set([
  ...['Activation', 'ActivityRegularization', 'Add', 'AdditiveAttention', 'AlphaDropout', 'Attention'],
  ...[
    'Average',
    'BatchNormalization',
    'Bidirectional',
    'Concatenate',
    'ConvLSTM1D',
    'ConvLSTM2D',
    'ConvLSTM3D',
  ],
  ...[
    'Dense',
    'Dropout',
    'ELU',
    'Embedding',
    'GRU',
    'GaussianDropout',
    'GaussianNoise',
    'GroupNormalization',
  ],
  ...['Identity', 'LSTM', 'LayerNormalization', 'LeakyReLU', 'Masking', 'Maximum', 'Minimum'],
  ...['MultiHeadAttention', 'Multiply', 'Normalization', 'PReLU', 'RNN', 'ReLU', 'Rescaling', 'SimpleRNN'],
  ...['Softmax', 'SpatialDropout1D', 'SpatialDropout2D', 'SpatialDropout3D', 'Subtract', 'TimeDistributed'],
  'UnitNormalization',
]);

const KEYWORDS: readonly string[] = ['mask', 'query_mask', 'value_mask', 'key_mask'];

/** The model, and those within it, without such operations and keywords. */
export function withoutDerivedMasks(model: Fields): Fields {
  const config = fieldsOf(model.config);
  const layers = listOf(config.layers).map((layer) => withoutDerivedMasks(fieldsOf(layer)));
  if (layers.length === 0) return model;
  const byName = new Map(layers.map((layer) => [String(layer.name), layer]));
  const useOf = (history: string): Fields | undefined => {
    const [name, node] = listOf(JSON.parse(history));
    return usesOf(byName.get(String(name)) ?? {})[Number(node)];
  };
  const makers = new Map<string, ReadonlySet<string>>();
  /** The tensors from which the masks come that a tensor may carry. */
  const sourcesOf = (history: string): ReadonlySet<string> => {
    const before = makers.get(history);
    if (before !== undefined) return before;
    const given = historiesIn(useOf(history)?.args);
    const layer = byName.get(layerOf(history));
    const own = layer !== undefined && givesMask(layer) ? given : [];
    const through = HANDING_ON.has(String(layer?.class_name)) && !String(layer?.module).includes('.ops.');
    const sources = new Set([...own, ...(through ? given.flatMap((one) => [...sourcesOf(one)]) : [])]);
    makers.set(history, sources);
    return sources;
  };
  /** Those from which a mask is made; nothing where it is made of something else, too. */
  const madeOf = (mask: string): readonly string[] | undefined => {
    const layer = byName.get(layerOf(mask));
    const given = historiesIn(useOf(mask)?.args);
    if (layer === undefined || given.length === 0) return undefined;
    if (isOperation(layer, CONSTANTS)) return [];
    if (!isOperation(layer, OPERATIONS)) return undefined;
    if (layer.class_name === 'NotEqual') return given;
    const parts = given.map(madeOf);
    return parts.includes(undefined) ? undefined : parts.flatMap((part) => part!);
  };
  const unmasked = (use: Fields): Fields => {
    const sources = new Set(historiesIn(use.args).flatMap((one) => [...sourcesOf(one)]));
    const isDerived = (mask: string): boolean => {
      const made = madeOf(mask) ?? [];
      return made.length > 0 && made.every((one) => sources.has(one));
    };
    const kwargs = Object.entries(fieldsOf(use.kwargs)).filter(([name, value]) => {
      const histories = historiesIn(value);
      return !(KEYWORDS.includes(name) && histories.length > 0 && histories.every(isDerived));
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

/** An operation of Keras 3, and not the layer of the same name. */
function isOperation({ module, class_name }: Fields, classes: readonly string[]): boolean {
  return String(module).includes('.ops.') && classes.includes(String(class_name));
}

/** Without the operations of masks that nothing asks for any more. */
function withoutUnused(layers: readonly Fields[], outputs: Json): readonly Fields[] {
  const used = new Set(layers.flatMap((layer) => historiesIn(layer.inbound_nodes ?? null).map(layerOf)));
  const kept = layers.filter(
    (layer) =>
      !isOperation(layer, [...OPERATIONS, ...CONSTANTS]) ||
      used.has(String(layer.name)) ||
      JSON.stringify(outputs).includes(JSON.stringify(layer.name)),
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
