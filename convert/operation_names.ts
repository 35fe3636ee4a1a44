/** The operations of graph models that tfjs-converter executes. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Their names, from its own lists. */
export function converterOperations(): string[] {
  const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-converter');
  const folder = join(dirname(main), 'operations', 'op_list');
  const lists = readdirSync(folder).filter((name) => name.endsWith('.js'));
  const texts = lists.map((name) => readFileSync(join(folder, name), 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/'tfOpName': '(\w+)'/g)].map((match) => match[1]!));
}
