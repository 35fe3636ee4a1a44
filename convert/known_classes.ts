/** Classes that a layers model names and nobody has registered: layers, activations, regularizers, constraints. */
import { serialization } from '@tensorflow/tfjs-core';
import { nearest } from '../config/nearest.ts';
import { isLayerClass } from './load_layers.ts';
import { type Fields, fieldsOf, isFields, isOfKeras, type Json, listOf } from './topology.ts';

const { classNameMap } = serialization.SerializationMap.getMap();

/** TensorFlow.js' own, as long as nobody has registered others. What a class of somebody's own keeps is not looked into. */
const OWN: ReadonlySet<string> = new Set(Object.keys(classNameMap));

/** Settings by which layers name a class other than a layer, and TensorFlow.js' short names of these. */
const PARTS: ReadonlyArray<{ setting: RegExp; what: string; short: Readonly<Record<string, string>> }> = [
  { setting: /(^|_)activation$/, what: 'activation', short: {} },
  {
    setting: /_constraint$/,
    what: 'constraint',
    short: { max_norm: 'MaxNorm', min_max_norm: 'MinMaxNorm', non_neg: 'NonNeg', unit_norm: 'UnitNorm' },
  },
  { setting: /_regularizer$/, what: 'regularizer', short: { l1l2: 'L1L2' } },
];

/** What to do about layers of Keras that TensorFlow.js lacks, where more can be said than to save a graph model. */
const INSTEAD: ReadonlyArray<{ readonly layers: readonly string[]; readonly instead: string }> = [
  {
    layers: ['Lambda'],
    instead: 'It holds Python code. Write the step with other layers, or save the model as a graph model',
  },
  {
    layers: ['TextVectorization', 'StringLookup', 'Hashing', 'HashedCrossing'],
    instead: 'Files made here hold no strings. Do that step before the model, and save the model without it',
  },
];

export interface Unknown {
  /** One sentence for each, in the order of the topology. */
  readonly problems: readonly string[];
  /** What helps against all; none where there are no problems. */
  readonly instead?: string;
}

export function unknownClasses(topology: unknown): Unknown {
  const root = fieldsOf(topology as Json);
  const problems = unknownIn(fieldsOf(root.model_config ?? root));
  if (problems.length === 0) return { problems };
  const elsewhere = isOfKeras(root)
    ? 'save the model from Keras as a graph model (tensorflowjs_converter --output_format=tfjs_graph_model)'
    : 'write the step with layers of TensorFlow.js';
  return {
    problems,
    instead:
      'A class of your own: write it for TensorFlow.js, then tf.serialization.registerClass(...) and convertModel() in a ' +
      `program of yours. Else ${elsewhere}`,
  };
}

function unknownIn(layer: Fields): string[] {
  const [className, config] = [String(layer.class_name), fieldsOf(layer.config)];
  const where = `layer ${config.name ?? layer.name}`;
  if (!isLayerClass(className)) return [unknownLayer(where, className)];
  if (!OWN.has(className)) return [];
  const inner = [config.layer, config.backward_layer, config.cell, config.cells, config.layers].flatMap(
    (part) => (isFields(part) ? [part] : listOf(part).map(fieldsOf)),
  );
  return [...unknownParts(where, className, config), ...inner.flatMap(unknownIn)];
}

function unknownLayer(where: string, className: string): string {
  const known = Object.keys(classNameMap).filter(isLayerClass);
  const instead = INSTEAD.find(({ layers }) => layers.includes(className))?.instead;
  const problem = `${where} is of class ${className}, which TensorFlow.js does not have and nobody has registered${spelt(className, known)}`;
  return instead === undefined ? problem : `${problem}. ${instead}`;
}

function unknownParts(where: string, className: string, config: Fields): string[] {
  return Object.entries(config).flatMap(([setting, value]) => {
    const part = PARTS.find((one) => one.setting.test(setting));
    const given = isFields(value) ? value.class_name : value;
    if (part === undefined || typeof given !== 'string') return [];
    const name = part.short[given] ?? camelCase(given);
    if (Object.hasOwn(classNameMap, name)) return [];
    const known = part.what === 'activation' ? activations() : Object.values(part.short);
    return [
      `${where} (${className}) has the ${part.what} ${given}, which TensorFlow.js does not have and nobody has ` +
        `registered${spelt(given, known)}; known are ${known.join(', ')}`,
    ];
  });
}

function spelt(word: string, known: readonly string[]): string {
  const near = nearest(word, known, 1 / 4);
  return near === undefined ? '' : ` (nearest by name: ${near})`;
}

/** As models name them: classes of functions bear small letters, those of everything else capitals. */
function activations(): string[] {
  const names = Object.keys(classNameMap).filter((name) => /^[a-z]/.test(name) && camelCase(name) === name);
  return names.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/** As TensorFlow.js reads names: `hard_sigmoid` is `hardSigmoid`. */
function camelCase(name: string): string {
  return name.replace(/_+(\w|$)/g, (_, letter: string) => letter.toUpperCase());
}
