/**
 * Models that Keras 3 saved, as Keras 2 would have saved them: TensorFlow.js reads only the latter
 * (tensorflow/tfjs issue 8494: "An InputLayer should be passed either a `batchInputShape` or an `inputShape`").
 */
import type { io } from '@tensorflow/tfjs-core';
import { ATTENTION_ARGUMENTS } from './attention_calls.ts';
import { withoutDerivedMasks } from './keras3_masks.ts';
import { asLayer } from './keras3_operations.ts';
import { HARD_SIGMOID_3 } from './layers/activations.ts';
import { type Refuse, refuseAtOnce } from './refuse.ts';
import { type Fields, fieldsOf, isFields, type Json, listOf } from './topology.ts';

/** Models inside a model: TensorFlow.js counts their own construction as their first use. */
const MODELS: readonly (string | undefined)[] = ['Sequential', 'Functional', 'Model'];

/**
 * The same model with a topology and weight names that TensorFlow.js understands; `artifacts` themselves when Keras 3
 * did not save them. `refuse` is told of each layer that is called in a way which TensorFlow.js cannot express.
 */
export function asKeras2(artifacts: io.ModelArtifacts, refuse: Refuse = refuseAtOnce): io.ModelArtifacts {
  const topology = artifacts.modelTopology as Fields;
  if (!String(topology.keras_version ?? '').startsWith('3')) return artifacts;
  const root = withoutDerivedMasks(fieldsOf(topology.model_config));
  const classes = new Map(classesIn(root));
  return {
    ...artifacts,
    modelTopology: { ...topology, model_config: translate(root, { classes, refuse }) },
    weightSpecs: (artifacts.weightSpecs ?? []).map((spec) => ({
      ...spec,
      name: weightName(spec.name, classes),
    })),
  };
}

/** The class of every layer by its name, also of those in models within `model`, which a layer may wrap. */
type Classes = ReadonlyMap<string, string>;

function classesIn(model: Fields): [name: string, className: string][] {
  return listOf(fieldsOf(model.config).layers)
    .map(fieldsOf)
    .flatMap((layer) => [
      [String(fieldsOf(layer.config).name), String(layer.class_name)],
      ...classesIn(layer),
      ...classesWrapped(fieldsOf(fieldsOf(layer.config).layer)),
    ]);
}

/** Of a model that a layer wraps; another wrapped layer has no part of its own in the names of weights. */
function classesWrapped(layer: Fields): [name: string, className: string][] {
  if (!MODELS.includes(String(layer.class_name))) return [];
  return [[String(fieldsOf(layer.config).name), String(layer.class_name)], ...classesIn(layer)];
}

/**
 * `sequential/first/kernel`: the path from the outermost model, also through a layer that wraps one. TensorFlow.js begins with
 * the layer, `first/kernel`, and leaves out a cell or a wrapped layer before the last part by itself.
 */
function weightName(name: string, classes: Classes): string {
  const parts = name.split('/');
  const isModel = (part: string | undefined) => part !== undefined && MODELS.includes(classes.get(part));
  const at = parts
    .slice(0, -1)
    .findIndex((part, i) => classes.has(part) && !isModel(part) && !isModel(parts[i + 1]));
  if (at === -1) return name;
  const [className, within] = [classes.get(parts[at]!), parts[at + 1]!];
  const depthwise = /^DepthwiseConv[12]D$/.test(className ?? '') && parts.at(-1) === 'kernel';
  // TensorFlow.js puts `backward_` before the name of every layer for the way back, Keras 3 only where it made that one itself.
  const back = className === 'Bidirectional' && !/^(for|back)ward_/.test(within);
  const named = back ? parts.with(at + 1, `backward_${within}`) : parts;
  return (depthwise ? named.with(-1, 'depthwise_kernel') : named).slice(at).join('/');
}

/** What translating needs to know of the whole model. */
interface Model {
  readonly classes: Classes;
  readonly refuse: Refuse;
}

function translate(given: Json, model: Model): Json {
  if (Array.isArray(given)) return given.map((entry) => translate(entry, model));
  if (!isFields(given)) return given;
  const value = asLayer(given);
  if (value.class_name === 'DTypePolicy') return fieldsOf(value.config).name ?? null;
  if (value.class_name === 'function') return value.config ?? null; // an activation, by its name
  const { module: _, registered_name: __, build_config: ___, ...kept } = value;
  const fields: Record<string, Json> = {};
  for (const [key, entry] of Object.entries(kept))
    if (key === 'inbound_nodes')
      fields[key] = listOf(entry).map((node) => inboundNode(fieldsOf(node), value, model));
    else if (key.endsWith('activation')) fields[key] = activation(translate(entry, model));
    else fields[key] = translate(entry, model);
  if (value.class_name === 'Bidirectional') fields.config = unprefixed(fieldsOf(fields.config ?? null));
  const renamed = RENAMED[String(value.class_name)];
  if (renamed !== undefined) fields.config = rename(fieldsOf(fields.config ?? null), renamed);
  for (const key of ['input_layers', 'output_layers'])
    if (fields[key] !== undefined) fields[key] = ends(fields[key], model.classes);
  return fields;
}

/** The hard sigmoid is max(0, min(1, x / 6 + 1 / 2)) in Keras 3, with x / 5 in TensorFlow.js. */
function activation(name: Json): Json {
  if (name === 'hard_sigmoid') return HARD_SIGMOID_3;
  return name === 'silu' ? 'swish' : name;
}

/** The layers within by their own names: TensorFlow.js puts `forward_` and `backward_` before them, as Keras 3 has done already. */
function unprefixed(config: Fields): Fields {
  const unnamed = (layer: Fields): Fields => {
    const within = fieldsOf(layer.config);
    return { ...layer, config: { ...within, name: String(within.name).replace(/^(for|back)ward_/, '') } };
  };
  return {
    ...config,
    layer: unnamed(fieldsOf(config.layer)),
    ...(isFields(config.backward_layer) && { backward_layer: unnamed(config.backward_layer) }),
  };
}

/** Settings of layers, by the name that Keras 3 gave them, and the one that they had. */
const RENAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  InputLayer: { batch_shape: 'batch_input_shape' },
  LeakyReLU: { negative_slope: 'alpha' },
};

function rename(config: Fields, names: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [names[key] ?? key, value]));
}

/** One use of a layer: `[[layer, node, tensor, keywords], ...]`, of the tensors in its arguments. */
function inboundNode({ args, kwargs }: Fields, called: Fields, { classes, refuse }: Model): Json {
  const { name: layer, class_name } = called;
  if (class_name === 'MultiHeadAttention') return attentionNode(listOf(args), fieldsOf(kwargs), classes);
  const keywords = Object.fromEntries(
    Object.entries(fieldsOf(kwargs ?? {})).filter(([, value]) => value !== null),
  );
  const histories = historiesOf(args ?? []);
  if (historiesOf(keywords).length > 0 || histories.length === 0)
    refuse(
      `layer ${layer} is called with tensors by keyword or with none, which a TensorFlow.js layers model cannot say; save the model as a graph model`,
    );
  return histories.map((history) => [...listOf(tensor(history, classes)), keywords]);
}

/** As Keras 2 writes it: the query, and all else by keyword. */
function attentionNode(args: readonly Json[], kwargs: Fields, classes: Classes): Json {
  const all: Fields = {
    ...Object.fromEntries(args.map((arg, i) => [ATTENTION_ARGUMENTS[i]!, arg])),
    ...kwargs,
  };
  const { query, ...others }: Fields = Object.fromEntries(
    Object.entries(all).map(([name, value]) => {
      const [history] = historiesOf(value);
      return [name, history === undefined ? value : tensor(history, classes)];
    }),
  );
  return [[...listOf(query), others]];
}

/** `keras_history` of all tensors in `value`, in their order. */
function historiesOf(value: Json): Json[] {
  if (Array.isArray(value)) return value.flatMap(historiesOf);
  if (!isFields(value)) return [];
  if (value.class_name === '__keras_tensor__') return [fieldsOf(value.config).keras_history ?? null];
  return Object.values(value).flatMap(historiesOf);
}

/**
 * The tensors at which a model begins or ends; Keras 3 writes a single one bare, `["image", 0, 0]`. Here, and not in the uses of
 * layers, it counts the own construction of a functional model (`kept_nodes` in its models/functional.py).
 */
function ends(value: Json, classes: Classes): Json {
  const list = listOf(value);
  return (typeof list[0] === 'string' ? [list] : list).map((entry) =>
    classes.get(String(listOf(entry)[0])) === 'Sequential' ? tensor(entry, classes) : entry,
  );
}

/** A tensor in a use of a layer, of which Keras 3 counts uses alone. */
function tensor(history: Json, classes: Classes): Json {
  const [layer, node, index] = listOf(history);
  return [layer!, Number(node) + (MODELS.includes(classes.get(String(layer))) ? 1 : 0), index!];
}
