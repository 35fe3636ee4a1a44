import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { io } from '@tensorflow/tfjs-core';
import { makeFolder } from '../config/folder.ts';

const TOPOLOGY = 'model.json';
const WEIGHTS = 'weights.bin';

/**
 * Where a layers model lies on disk: `tf.loadLayersModel(modelFiles(path))` and `model.save(modelFiles(path))`, without
 * tfjs-node. `path` is the folder, or the model.json inside it; loading also takes models that another TensorFlow.js
 * wrote, in any number of weight shards.
 *
 * Saving writes model.json and one weight file and replaces an older pair atomically: weights get a name of their own
 * content and are on disk before the model.json that names them takes the old one's place. A crash leaves the old
 * model whole.
 */
export function modelFiles(path: string): Required<io.IOHandler> {
  return { load: () => loadArtifacts(path), save: (artifacts) => saveArtifacts(path, artifacts) };
}

/** The model.json that `path` means: itself, PATH/model.json, or the one of a trainer's run, PATH/model/model.json. */
export async function findModel(path: string): Promise<string> {
  const found = await kind(path);
  if (found === 'file') return path;
  if (found === 'none')
    throw new Error(`${path} does not exist; give a model.json or a folder that holds one`);
  for (const candidate of [join(path, TOPOLOGY), join(path, 'model', TOPOLOGY)])
    if ((await kind(candidate)) === 'file') return candidate;
  throw new Error(
    `neither ${TOPOLOGY} nor model/${TOPOLOGY} is in ${path}; give the folder that model.save() wrote`,
  );
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

async function loadArtifacts(path: string): Promise<io.ModelArtifacts> {
  const file = await findModel(path);
  const json = parseTopology(file, await readFile(file, 'utf8'));
  return io.getModelArtifactsForJSON(json, async (manifest) => {
    const shards: ArrayBuffer[] = [];
    for (const shard of manifest.flatMap((group) => group.paths)) shards.push(await readShard(file, shard));
    return [io.getWeightSpecs(manifest), io.concatenateArrayBuffers(shards)];
  });
}

function parseTopology(file: string, text: string): io.ModelJSON {
  let json: Partial<io.ModelJSON> | null;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} is not JSON; it must be the model.json of a saved TensorFlow.js model`, {
      cause,
    });
  }
  if (json?.format === 'graph-model')
    throw new Error(
      `${file} is a graph model; only layers models are supported (model.save() of tf.LayersModel)`,
    );
  if (!json?.modelTopology || !Array.isArray(json.weightsManifest))
    throw new Error(
      `${file} has no modelTopology and weightsManifest; it is not a saved TensorFlow.js layers model`,
    );
  return json as io.ModelJSON;
}

async function readShard(file: string, name: string): Promise<ArrayBuffer> {
  const folder = resolve(dirname(file));
  const path = resolve(folder, name);
  if (!path.startsWith(folder + sep))
    throw new Error(`${file} names weights outside its own folder: ${name}`);
  try {
    return bufferOf(await readFile(path));
  } catch (cause) {
    throw new Error(`cannot read the weights ${path} that ${file} names; copy them beside it`, { cause });
  }
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
  if ((await kind(file)) !== 'file') return [];
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(/"(weights-[0-9a-f]{16}\.bin)"/g)].map((match) => match[1]!);
}

function bufferOf(data: Buffer): ArrayBuffer {
  return new Uint8Array(data).buffer;
}

async function kind(path: string): Promise<'file' | 'folder' | 'none'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 'none';
    throw cause;
  }
}
