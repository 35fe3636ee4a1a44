/** The keys of a recipe, such as `optimizer.learningRate`: which there are, what they mean, how one is set. */
import { z } from 'zod';
import { ConfigError } from '../config/errors.ts';
import { nearest } from '../config/nearest.ts';
import { recipe as recipeSchema } from '../config/recipe.ts';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** One `key=value` of the command line, such as `threshold.alpha=0.1`. */
export interface Change {
  readonly key: string;
  readonly value: string;
}

/** `key=value` as typed. @throws ConfigError when there is no `=`. */
export function parseChange(text: string): Change {
  const at = text.indexOf('=');
  if (at < 1) throw new ConfigError(`--set ${text}: expected key=value, such as --set threshold.alpha=0.1.`);
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

export const recipeJsonSchema = (): JsonSchema => z.toJSONSchema(recipeSchema, { io: 'input' });

/** Every key that can be set. */
export function recipeKeys(): Set<string> {
  const keys = new Set<string>();
  const walk = (schema: JsonSchema, prefix: string): void => {
    for (const option of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])])
      walk(option as JsonSchema, prefix);
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      const key = prefix + name;
      const before = keys.size;
      walk(child as JsonSchema, `${key}.`);
      if (keys.size === before) keys.add(key);
    }
  };
  walk(recipeJsonSchema(), '');
  keys.delete('$schema');
  return keys;
}

/**
 * What decides which other keys there are, and where those stand. Another threshold rule or thresholding has other
 * parameters and drops the old ones; another kind of model keeps those that it knows as well.
 */
const DISCRIMINATORS: ReadonlyMap<string, { readonly keep: boolean }> = new Map([
  ['threshold.rule', { keep: false }],
  ['input.thresholding.method', { keep: false }],
  ['model.kind', { keep: true }],
]);

/** Applies `changes` to `recipe` in place. @throws ConfigError naming an unknown key and the nearest known one. */
export function applyChanges(recipe: Record<string, unknown>, changes: readonly Change[]): void {
  const first = changes.filter(({ key }) => DISCRIMINATORS.has(key));
  for (const change of [...first, ...changes.filter((c) => !first.includes(c))]) setKey(recipe, change);
}

function setKey(recipe: Record<string, unknown>, { key, value }: Change): void {
  const known = [...recipeKeys()];
  if (!known.includes(key)) {
    const near = nearest(key, known);
    throw new ConfigError(
      `--set ${key}: there is no such key.${near === undefined ? '' : ` Did you mean ${near}?`} Keys: ${known.join(', ')}.`,
    );
  }
  const parts = key.split('.');
  const last = parts.pop()!;
  let node = recipe;
  for (const part of parts) {
    node[part] ??= {};
    node = node[part] as Record<string, unknown>;
  }
  const discriminator = DISCRIMINATORS.get(key);
  if (discriminator !== undefined && node[last] !== value) {
    const stays = discriminator.keep ? keysOfKind(value) : [];
    for (const name of Object.keys(node)) if (!stays.includes(name)) delete node[name];
  }
  const parsed = parseValue(value);
  node[last] = Array.isArray(node[last]) && !Array.isArray(parsed) ? [parsed] : parsed;
}

/** Names of the settings of a kind of model. */
function keysOfKind(kind: string): string[] {
  const option = recipeSchema.shape.model.options.find((o) => o.shape.kind.value === kind);
  return Object.keys(option?.shape ?? {});
}

/** Numbers and lists (`16,32,64`) as such, anything else as text. */
function parseValue(text: string): unknown {
  for (const json of [text, `[${text}]`]) {
    try {
      return JSON.parse(json);
    } catch {
      // not JSON in this form
    }
  }
  return text;
}
