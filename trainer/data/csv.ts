/** A table of labelled images. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { TrainerError } from '../error.ts';
import { fileSample } from './find.ts';
import { asGood, asPoor, isGoodLabel } from './kinds.ts';
import type { LabelledSample } from './sample.ts';

interface Row {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/**
 * Reads `path,label[,group]` with a header; columns in any order. Paths are relative to the folder of the table. The
 * labels good, normal, healthy, notumor, uninfected, ok, pass and 0 mean good; any other is a kind of anomaly.
 * @throws TrainerError naming the line that is wrong, and what was expected there.
 */
export async function readTable(file: string): Promise<LabelledSample[]> {
  const [header, ...rows] = await readRows(file);
  const expected = 'Expected a header "path,label" or "path,label,group", then one image a line.';
  if (header === undefined) throw new TrainerError(`${file} is empty. ${expected}`);
  const columns = header.record.map((name) => name.trim().toLowerCase());
  const place = (name: string) => columns.indexOf(name);
  if (place('path') < 0 || place('label') < 0)
    throw new TrainerError(`${file}, line 1: the header is "${header.record.join(',')}". ${expected}`);
  if (rows.length === 0) throw new TrainerError(`${file} holds a header and no images. ${expected}`);
  const samples: LabelledSample[] = [];
  for (const { record, info } of rows) {
    const refuse = (what: string): never => {
      throw new TrainerError(
        `${file}, line ${info.lines}: ${what}. Expected ${columns.join(',')}, as in the header.`,
      );
    };
    if (record.length !== columns.length) refuse(`${record.length} columns instead of ${columns.length}`);
    const value = (name: string) => record[place(name)]?.trim() ?? '';
    const [name, label, group] = [value('path'), value('label'), value('group')];
    if (name === '') refuse('the path is missing');
    if (label === '') refuse(`the label of ${name} is missing`);
    const found = path.resolve(path.dirname(file), name);
    const isFile = await stat(found).then(
      (entry) => entry.isFile(),
      () => false,
    );
    if (!isFile) refuse(`there is no file ${found}`);
    const sample = { ...fileSample({ path: found, name }), group: group === '' ? null : group };
    samples.push(isGoodLabel(label) ? asGood(sample) : asPoor(sample, label));
  }
  return samples;
}

async function readRows(file: string): Promise<Row[]> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new TrainerError(`The table ${file} cannot be read (${cause.code}).`, { cause });
  });
  try {
    // Its types know nothing of what `info` adds.
    return parse(text, {
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as Row[];
  } catch (cause) {
    throw new TrainerError(`${file} is no table of comma-separated values: ${(cause as Error).message}.`, {
      cause,
    });
  }
}
