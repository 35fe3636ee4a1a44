/** Where installed encoders lie, and what is known of each. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../../config/folder.ts';
import { EncoderError } from './error.ts';
import { SCALINGS, type Scaling } from './network.ts';

/** What stands in `encoder.json` beside an encoder's files. */
const description = z.strictObject({
  name: z.string().optional(),
  /** File to open, relative to the folder. */
  file: z.string(),
  source: z.string(),
  licence: z.string(),
  /** Of the file that came: wheel, ONNX file, or all files of a TensorFlow.js model in order of name. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  scaling: z.enum(Object.keys(SCALINGS) as [Scaling, ...Scaling[]]).optional(),
});

export type StoredDescription = z.infer<typeof description>;

const DESCRIPTION = 'encoder.json';

/** Folder of one installed encoder. It appears at once and complete, by a rename. */
export function storedFolder(cache: string, name: string): string {
  return join(cache, 'encoders', name);
}

/** @throws EncoderError when the file is there and broken. */
export async function readDescription(folder: string): Promise<StoredDescription | undefined> {
  const file = join(folder, DESCRIPTION);
  if (!existsSync(file)) return undefined;
  try {
    return description.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new EncoderError(`${file} is broken. Remove the folder ${folder} and install the encoder again.`, {
      cause,
    });
  }
}

/** Writes files and description into a temporary folder and renames it; what was there before is replaced. */
export async function store(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
  description: StoredDescription,
): Promise<void> {
  const parent = dirname(folder);
  await makeFolder(parent);
  const staging = await mkdtemp(join(parent, `.${basename(folder)}-`));
  try {
    for (const [name, bytes] of files) await writeFile(join(staging, name), bytes, { flush: true });
    await writeFile(join(staging, DESCRIPTION), `${JSON.stringify(description, null, 2)}\n`, { flush: true });
    await rm(folder, { recursive: true, force: true });
    await rename(staging, folder);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Names of all encoders installed. */
export async function storedNames(cache: string): Promise<string[]> {
  const folder = join(cache, 'encoders');
  const names = existsSync(folder) ? await readdir(folder) : [];
  return names.filter((name) => !name.startsWith('.') && existsSync(join(folder, name, DESCRIPTION))).sort();
}

/** SHA-256, hexadecimal, of all parts one after the other. */
export function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
