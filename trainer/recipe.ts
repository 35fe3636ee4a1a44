/** Resolves the recipe of a run: a named or own file, changed by settings from the command line, validated. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { ConfigError } from '../config/errors.ts';
import { issueInWords, problemInWords } from '../config/issues.ts';
import { nearest } from '../config/nearest.ts';
import { type Recipe, recipe as recipeSchema } from '../config/recipe.ts';
import { RESIDUALS, type Residual } from '../config/residual.ts';
import { checkModel } from './models/build.ts';
import { applyChanges, type Change, type JsonSchema, recipeJsonSchema, recipeKeys } from './recipe-keys.ts';

/** Of the recipe as a whole: not among its values. */
const HEADING = ['$schema', 'name', 'description', 'intendedUse', 'leavesOut'];

const FOLDER = path.join(import.meta.dirname, '../config/recipes');

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
  applyChanges(changed, changes);
  const recipe = validate(changed, source);
  checkModel(recipe);
  return recipe;
}

/** The recipes of the house, sorted by name. */
export async function listRecipes(): Promise<Recipe[]> {
  return Promise.all((await names()).map((name) => loadRecipe(name, [])));
}

/** Every value of a recipe that is set, with its key and what it means; "" where the name says it. */
export function explainRecipe(recipe: Recipe): { key: string; value: string; meaning: string }[] {
  const rows: { key: string; value: string; meaning: string }[] = [];
  const walk = (value: unknown, schema: JsonSchema, key: string): void => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      const shown = typeof value === 'string' ? value : JSON.stringify(value);
      rows.push({ key, value: shown, meaning: schema.description ?? '' });
      return;
    }
    const { option, discriminator } = optionFor(value, schema);
    for (const [name, child] of Object.entries(value)) {
      const inner = key === '' ? name : `${key}.${name}`;
      const known = (option.properties?.[name] ?? {}) as JsonSchema;
      const meaning = name === discriminator ? option.description : known.description;
      if (!HEADING.includes(inner)) walk(child, { ...known, description: meaning ?? '' }, inner);
    }
  };
  walk(recipe, recipeJsonSchema(), '');
  return rows.map((row) => {
    const residual = RESIDUALS[row.value as Residual];
    return residual === undefined ? row : { ...row, meaning: residual };
  });
}

/** Of several forms that an object may have, the one whose constant it holds. */
function optionFor(value: object, schema: JsonSchema): { option: JsonSchema; discriminator: string | null } {
  for (const option of (schema.oneOf ?? schema.anyOf ?? []) as JsonSchema[])
    for (const [name, child] of Object.entries(option.properties ?? {})) {
      const { const: constant } = child as JsonSchema;
      if (constant !== undefined && constant === (value as Record<string, unknown>)[name])
        return { option, discriminator: name };
    }
  return { option: schema, discriminator: null };
}

async function names(): Promise<string[]> {
  const files = await readdir(FOLDER);
  return files
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

async function readRecipe(name: string): Promise<unknown> {
  if (name.endsWith('.json')) return readJson(name);
  const known = await names();
  if (known.includes(name)) return readJson(path.join(FOLDER, `${name}.json`));
  const near = nearest(name, known);
  throw new ConfigError(
    `There is no recipe "${name}".${near === undefined ? '' : ` Did you mean ${near}?`} There are: ${known.join(', ')}. A file of your own must end in .json.`,
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

function validate(content: unknown, source: string): Recipe {
  const result = recipeSchema.safeParse(content);
  if (result.success) return result.data;
  const { issues } = result.error;
  // Of a mistyped key, not that the right one is missing.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  const at = (path: readonly PropertyKey[]) =>
    path.reduce<unknown>((node, part) => (node as Record<PropertyKey, unknown> | undefined)?.[part], content);
  if (issue.code === 'unrecognized_keys') {
    const key = [...issue.path, issue.keys[0]].join('.');
    const near = nearest(key, [...recipeKeys()]);
    if (near === key)
      // a key of another kind of model or another threshold rule
      throw new ConfigError(`Recipe ${source}: ${key} does not go with ${JSON.stringify(at(issue.path))}.`);
    throw new ConfigError(
      `Recipe ${source}: there is no key ${key}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
    );
  }
  const came = at(issue.path);
  const near = typeof came === 'string' ? nearest(came, expectedWords(issue)) : undefined;
  const said =
    came === undefined || issue.path.length === 0
      ? issueInWords(issue, content)
      : `${issue.path.join('.')} is ${JSON.stringify(came)}: ${problemInWords(issue, content)}`;
  throw new ConfigError(`Recipe ${source}: ${said}.${near === undefined ? '' : ` Did you mean ${near}?`}`);
}

/** The words of which one was expected, where that is what went wrong. */
function expectedWords(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  const { options } = issue as { options?: unknown }; // of a union without a matching discriminator
  return Array.isArray(options) ? options.map(String) : [];
}
