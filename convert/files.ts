import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { io } from '@tensorflow/tfjs-core';
import { makeFolder } from '../config/folder.ts';
import { isFile, readModel, TOPOLOGY } from './source.ts';

const WEIGHTS = 'weights.bin';

/**
 * Where a layers model lies on disk: `tf.loadLayersModel(modelFiles(path))` and `model.save(modelFiles(path))`, without
 * tfjs-node. `path` is the folder, or the model.json inside it; loading takes whatever readModel() reads.
 *
 * Saving writes model.json and one weight file and replaces an older pair atomically: weights get a name of their own
 * content and are on disk before the model.json that names them takes the old one's place. A crash leaves the old
 * model whole.
 */
export function modelFiles(path: string): Required<io.IOHandler> {
  return { load: () => loadLayers(path), save: (artifacts) => saveArtifacts(path, artifacts) };
}

/** Writes a file so that it is either whole or not there: temporary file, fsync, rename, fsync of the folder. */
export async function writeAtomically(path: string, data: Uint8Array | string): Promise<void> {
  const folder = dirname(resolve(path));
  const temporary = join(folder, `.${basename(path)}.${process.pid}.part`);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  }
  const directory = await open(folder, 'r');
  await directory.sync().finally(() => directory.close());
}

/** @throws Error where `out` is one of the files that are read, be it by another path or by a link. */
export async function requireOther(out: string, read: readonly string[]): Promise<void> {
  const identity = async (path: string) => {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    return found && `${found.dev}:${found.ino}`;
  };
  const own = await identity(out);
  if (own === undefined) return;
  for (const path of read)
    if ((await identity(path)) === own)
      throw new Error(`--out ${out} is ${path}, which is read here and would be lost; name another file`);
}

async function loadLayers(path: string): Promise<io.ModelArtifacts> {
  const { file, format, artifacts } = await readModel(path);
  if (format === 'graph-model')
    throw new Error(
      `${file} is a graph model; a layers model is needed here (model.save() of tf.LayersModel)`,
    );
  return artifacts;
}

async function saveArtifacts(path: string, artifacts: io.ModelArtifacts): Promise<io.SaveResult> {
  if (!artifacts.modelTopology || artifacts.modelTopology instanceof ArrayBuffer)
    throw new Error('only models with a JSON topology (layers models) can be saved here');
  const folder = path.endsWith('.json') ? dirname(path) : path;
  const file = path.endsWith('.json') ? path : join(path, TOPOLOGY);
  await makeFolder(folder);
  const old = await weightFiles(file);
  const weights = new Uint8Array(io.concatenateArrayBuffers(artifacts.weightData ?? new ArrayBuffer(0)));
  const shard = await weightName(weights);
  await writeAtomically(join(folder, shard), weights);
  const { weightData: _, weightSpecs = [], getWeightStream: __, ...topology } = artifacts;
  await writeAtomically(
    file,
    JSON.stringify({ ...topology, weightsManifest: [{ paths: [shard], weights: weightSpecs }] }),
  );
  for (const name of old) if (name !== shard) await rm(join(folder, name), { force: true });
  return { modelArtifactsInfo: io.getModelArtifactsInfoForJSON(artifacts) };
}

/** Named by content, so that a model.json never points at weights of another version. */
async function weightName(weights: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', weights)).toString('hex');
  return WEIGHTS.replace('.', `-${digest.slice(0, 16)}.`);
}

/** The weight files that an earlier save here wrote, which nothing will name any more. */
async function weightFiles(file: string): Promise<string[]> {
  if (!(await isFile(file))) return [];
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(/"(weights-[0-9a-f]{16}\.bin)"/g)].map((match) => match[1]!);
}
