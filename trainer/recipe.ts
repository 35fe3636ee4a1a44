/** Resolves the recipe of a run: a named or own file, changed by settings from the command line, validated. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../config/errors.ts';
import { nearest } from '../config/nearest.ts';
import { type Recipe, recipe as recipeSchema } from '../config/recipe.ts';
import { checkInput } from './models/conv.ts';

const FOLDER = path.join(import.meta.dirname, '../config/recipes');

/** One `key=value` of the command line, such as `threshold.alpha=0.1`. */
export interface Change {
  readonly key: string;
  readonly value: string;
}

/**
 * The recipe `name` (one of the house, or a JSON file) with `changes` applied.
 * @throws ConfigError naming the key, what was expected and what came; unknown names with the nearest known one.
 */
export async function loadRecipe(name: string, changes: readonly Change[]): Promise<Recipe> {
  return changeRecipe(await readRecipe(name), changes, name);
}

/** As `loadRecipe`, from a recipe at hand; `source` names it in errors. */
export function changeRecipe(content: unknown, changes: readonly Change[], source: string): Recipe {
  const changed = structuredClone(content) as Record<string, unknown>;
  for (const change of inOrder(changes)) setKey(changed, change);
  const recipe = validate(changed, source);
  checkInput(recipe);
  return recipe;
}

/** `key=value` as typed. @throws ConfigError when there is no `=`. */
export function parseChange(text: string): Change {
  const at = text.indexOf('=');
  if (at < 1) throw new ConfigError(`--set ${text}: expected key=value, such as --set threshold.alpha=0.1.`);
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

/** The recipes of the house, sorted by name. */
export async function listRecipes(): Promise<Recipe[]> {
  const names = (await readdir(FOLDER)).filter((n) => n.endsWith('.json')).sort();
  return Promise.all(names.map(async (n) => validate(await readJson(path.join(FOLDER, n)), n)));
}

/** Every key that can be set, such as `optimizer.learningRate`. */
export function recipeKeys(): string[] {
  const keys = new Set<string>();
  const walk = (schema: z.core.JSONSchema.BaseSchema, prefix: string): void => {
    for (const option of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])])
      walk(option as z.core.JSONSchema.BaseSchema, prefix);
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      const key = prefix + name;
      const before = keys.size;
      walk(child as z.core.JSONSchema.BaseSchema, `${key}.`);
      if (keys.size === before) keys.add(key);
    }
  };
  walk(z.toJSONSchema(recipeSchema, { io: 'input' }), '');
  keys.delete('$schema');
  return [...keys];
}

async function readRecipe(name: string): Promise<unknown> {
  if (name.endsWith('.json')) return readJson(name);
  const names = (await readdir(FOLDER)).filter((n) => n.endsWith('.json')).map((n) => n.slice(0, -5));
  if (names.includes(name)) return readJson(path.join(FOLDER, `${name}.json`));
  const near = nearest(name, names);
  throw new ConfigError(
    `There is no recipe "${name}".${near === undefined ? '' : ` Did you mean ${near}?`} There are: ${names.join(', ')}. A file of your own must end in .json.`,
  );
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `is no JSON: ${cause.message}` : 'cannot be read';
    throw new ConfigError(`The recipe ${file} ${why}.`, { cause });
  }
}

/** The threshold's rule first: another rule has other parameters, and drops those of the old one. */
const inOrder = (changes: readonly Change[]): Change[] => [
  ...changes.filter((c) => c.key === 'threshold.rule'),
  ...changes.filter((c) => c.key !== 'threshold.rule'),
];

function setKey(recipe: Record<string, unknown>, { key, value }: Change): void {
  const known = recipeKeys();
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
  if (key === 'threshold.rule' && node.rule !== value) recipe.threshold = node = {};
  const parsed = parseValue(value);
  node[last] = Array.isArray(node[last]) && !Array.isArray(parsed) ? [parsed] : parsed;
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

function validate(content: unknown, source: string): Recipe {
  const result = recipeSchema.safeParse(content);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const place = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const key = [...issue.path, issue.keys[0]].join('.');
    const near = nearest(key, recipeKeys());
    const why =
      near === key // a key of another threshold rule
        ? `${key} does not go with ${JSON.stringify(place === '' ? content : (content as Record<string, unknown>)[place])}`
        : `there is no key ${key}${near === undefined ? '' : `. Did you mean ${near}?`}`;
    throw new ConfigError(`Recipe ${source}: ${why}${why.endsWith('?') ? '' : '.'}`);
  }
  const came = issue.path.reduce<unknown>(
    (node, part) => (node as Record<PropertyKey, unknown> | undefined)?.[part],
    content,
  );
  throw new ConfigError(
    `Recipe ${source}: ${place === '' ? '' : `${place} is ${JSON.stringify(came)}: `}${issue.message}.`,
  );
}
