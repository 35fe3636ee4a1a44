/** Where a TensorFlow.js model lies: a folder, its model.json, or a zip archive of either. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, posix, resolve, sep } from 'node:path';
import { io } from '@tensorflow/tfjs-core';
import { unzipSync } from 'fflate';
import { ignoredSettings } from './ignored_settings.ts';
import { inKerasForms } from './keras_forms.ts';
import { inKnownLayers } from './keras_layers.ts';
import { asKeras2 } from './keras3.ts';
import { unknownClasses } from './known_classes.ts';
import { malformedModels } from './malformed.ts';
import { withListedTensors } from './named_tensors.ts';
import { inOwnLayers } from './own_layers.ts';
import { refuseAll } from './refuse.ts';
import { withoutRepetition } from './repetition.ts';
import { withNumberedCells } from './stacked_cells.ts';
import { withoutSuperfluous, withoutTraining } from './superfluous_settings.ts';
import type { Fields } from './topology.ts';
import { requireWhole } from './weights.ts';

export const TOPOLOGY = 'model.json';

/** What to do with what TensorFlow and Keras write themselves. */
const OTHER_FORMATS =
  'Models of Keras (.keras, .h5) and SavedModels become such a model by tensorflowjs_converter, of the Python package tensorflowjs';

/** The two forms in which TensorFlow.js saves models. */
export type ModelFormat = 'layers-model' | 'graph-model';

export interface SavedModel {
  /** The model.json that was read; inside of an archive `archive.zip/folder/model.json`. */
  readonly file: string;
  readonly format: ModelFormat;
  readonly artifacts: io.ModelArtifacts;
}

/** What a layers model is read for; for inference without what only training has a use for. */
export type Purpose = 'inference' | 'training';

/**
 * @throws Error that says what is missing, why the file is no model, or everything in a layers model that cannot be read, layer
 * by layer.
 */
export async function readModel(path: string, purpose: Purpose = 'training'): Promise<SavedModel> {
  const source = path.endsWith('.zip') ? await zipSource(path) : await folderSource(path);
  const { json, format } = parseModel(source.file, source.text);
  const artifacts = await io.getModelArtifactsForJSON(json, async (manifest) => {
    const shards: ArrayBuffer[] = [];
    for (const group of manifest) {
      const own: ArrayBuffer[] = [];
      for (const name of group.paths) own.push(await source.shard(name));
      requireWhole(
        source.file,
        group,
        own.reduce((sum, { byteLength }) => sum + byteLength, 0),
      );
      shards.push(...own);
    }
    return [io.getWeightSpecs(manifest), io.concatenateArrayBuffers(shards)];
  });
  if (format === 'graph-model') return { file: source.file, format, artifacts };
  try {
    return { file: source.file, format, artifacts: readable(artifacts, purpose) };
  } catch (cause) {
    throw new Error(`cannot load ${source.file}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * The same layers model, by Keras or TensorFlow.js, in layers that `tf.loadLayersModel` reads and that compute what those do
 * who saved it.
 * @throws Error of all layers of which that cannot be said.
 */
export function readable(artifacts: io.ModelArtifacts, purpose: Purpose = 'inference'): io.ModelArtifacts {
  refuseAll(malformedModels(artifacts.modelTopology as Fields));
  const problems: string[] = [];
  const refuse = (problem: string) => problems.push(problem);
  const saved = purpose === 'inference' ? withoutTraining(artifacts) : artifacts;
  const named = withNumberedCells(asKeras2(withListedTensors(withoutSuperfluous(saved)), refuse));
  const known = inOwnLayers(inKnownLayers(named, refuse), refuse);
  const unknown = unknownClasses(known.modelTopology);
  refuseAll([...problems, ...unknown.problems, ...ignoredSettings(known.modelTopology)], unknown.instead);
  return withoutRepetition(inKerasForms(known));
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
    `neither ${TOPOLOGY} nor model/${TOPOLOGY} is in ${path}; give the folder that model.save() wrote. ${OTHER_FORMATS}`,
  );
}

/** The files that reading the model at `path` takes, whether they are there or not: its archive, or model.json and the weights. */
export async function filesOf(path: string): Promise<readonly string[]> {
  if (path.endsWith('.zip')) return [path];
  const { file, text } = await folderSource(path);
  const { weightsManifest } = parseModel(file, text).json;
  const weights = weightsManifest.flatMap((group) => group?.paths ?? []);
  return [file, ...weights.map((name) => resolve(dirname(file), String(name)))];
}

export async function isFile(path: string): Promise<boolean> {
  return (await kind(path)) === 'file';
}

interface Source {
  readonly file: string;
  readonly text: string;
  /** A weight file by the name that model.json gives it. */
  shard(name: string): Promise<ArrayBuffer>;
}

async function folderSource(path: string): Promise<Source> {
  const file = await findModel(path);
  const folder = resolve(dirname(file));
  return {
    file,
    text: decoded(await readFile(file)),
    shard: async (name) => {
      const shard = resolve(folder, name);
      if (!shard.startsWith(folder + sep)) throw outside(file, name);
      try {
        return bufferOf(await readFile(shard));
      } catch (cause) {
        throw new Error(`cannot read the weights ${shard} that ${file} names; copy them beside it`, {
          cause,
        });
      }
    },
  };
}

async function zipSource(path: string): Promise<Source> {
  let entries: Record<string, Uint8Array>;
  const bytes = await readFile(path).catch((cause) => {
    throw new Error(`${path} does not exist; give a model.json, a folder or an archive that holds one`, {
      cause,
    });
  });
  try {
    entries = unzipSync(bytes);
  } catch (cause) {
    throw new Error(`${path} is not a zip archive`, { cause });
  }
  const found = Object.keys(entries).filter((name) => posix.basename(name) === TOPOLOGY);
  const [inner, ...others] = found;
  if (inner === undefined || others.length > 0)
    throw new Error(
      `${path} holds ${found.join(', ') || `no ${TOPOLOGY}`}; put exactly one model into it. ${OTHER_FORMATS}`,
    );
  const file = `${path}/${inner}`;
  return {
    file,
    text: decoded(entries[inner]!),
    shard: async (name) => {
      const shard = posix.normalize(posix.join(posix.dirname(inner), name));
      if (shard.startsWith('../')) throw outside(file, name);
      const data = entries[shard];
      if (data === undefined) throw new Error(`${path} has no ${shard}, which its ${inner} names`);
      return bufferOf(data);
    },
  };
}

function parseModel(file: string, text: string): { json: io.ModelJSON; format: ModelFormat } {
  let json: (Partial<io.ModelJSON> & { modelTopology?: { node?: unknown } }) | null;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(
      `${file} is not JSON; it must be the model.json of a saved TensorFlow.js model. ${OTHER_FORMATS}`,
      {
        cause,
      },
    );
  }
  if (!json?.modelTopology || !Array.isArray(json.weightsManifest))
    throw new Error(
      `${file} has no modelTopology and weightsManifest; it is not a saved TensorFlow.js model. ${OTHER_FORMATS}`,
    );
  // Old files do not say what they are: a graph has nodes.
  const graph = json.format === 'graph-model' || Array.isArray(json.modelTopology.node);
  return { json: json as io.ModelJSON, format: graph ? 'graph-model' : 'layers-model' };
}

/** Text in UTF-8, without the byte order mark that some editors put before it. */
function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function outside(file: string, name: string): Error {
  return new Error(`${file} names weights outside its own folder: ${name}`);
}

function bufferOf(data: Uint8Array): ArrayBuffer {
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
