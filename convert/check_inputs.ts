/** Inputs of the user's own for `--check`: a JSON file of nested lists by the names of inputs. */
import { readFile } from 'node:fs/promises';
import { sameShape } from './shapes.ts';
import type { GivenInput } from './verify.ts';

/** @throws Error that says which place in the file is no number, or where lists are of different lengths. */
export async function readInputs(path: string): Promise<Record<string, GivenInput>> {
  const given = parsed(path, await textOf(path));
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Error(
      `--check-inputs ${path} must hold an object of nested lists by the names of inputs, as {"image": [[0.1, 0.2]]}`,
    );
  return Object.fromEntries(
    Object.entries(given).map(([name, lists]) => {
      const values: number[] = [];
      return [name, { shape: collect(lists, `--check-inputs ${path}: ${name}`, values), values }];
    }),
  );
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new Error(`--check-inputs ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`--check-inputs ${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** The shape of nested lists, whose numbers go into `values` in their order. */
function collect(lists: unknown, place: string, values: number[]): number[] {
  if (typeof lists === 'number' || typeof lists === 'boolean') {
    values.push(Number(lists));
    return [];
  }
  if (!Array.isArray(lists))
    throw new Error(`${place} is ${JSON.stringify(lists)}; every value must be a number`);
  const shapes = lists.map((entry, i) => collect(entry, `${place}[${i}]`, values));
  const [first = []] = shapes;
  const other = shapes.findIndex((shape) => !sameShape(shape, first));
  if (other !== -1)
    throw new Error(
      `${place}[0] has shape [${first}], ${place}[${other}] has [${shapes[other]}]; lists beside each other must be of equal lengths`,
    );
  return [lists.length, ...first];
}
