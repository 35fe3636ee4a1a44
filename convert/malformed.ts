/** Models whose list of layers is none that a program saves, which TensorFlow.js reads until it finds no place for a weight. */
import { type Fields, fieldsOf, isFields, type Json, listOf } from './topology.ts';

/** One sentence for each model, also within models and wrappers, without layers or with two of one name. */
export function malformedModels(value: Json | undefined): string[] {
  if (Array.isArray(value)) return value.flatMap(malformedModels);
  if (!isFields(value)) return [];
  return [...problemsOf(value), ...Object.values(value).flatMap(malformedModels)];
}

const MODELS: readonly (Json | undefined)[] = ['Sequential', 'Functional', 'Model'];

function problemsOf({ class_name, config }: Fields): string[] {
  if (!MODELS.includes(class_name)) return [];
  const { name, layers } = fieldsOf(config);
  const list = listOf(layers ?? config);
  if (list.length === 0) return [`the model ${name} has no layers; save the model again`];
  const names = list.map((layer) => fieldsOf(fieldsOf(layer).config).name);
  const twice = new Set(names.filter((one, i) => one !== undefined && names.indexOf(one) < i));
  return [...twice].map(
    (one) =>
      `two layers of the model ${name} are named ${one}; give each a name of its own, and save the model again`,
  );
}
