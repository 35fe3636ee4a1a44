/** From a name, path or URL to a network. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { nearest } from '../../config/nearest.ts';
import { findModel } from '../../convert/source.ts';
import { collectModel, isUrl, urlName } from './collect.ts';
import { efficientNetLite } from './efficientnetLite.ts';
import { EncoderError } from './error.ts';
import { loadGraphNetwork } from './graphModel.ts';
import { findKnown, type InstallSurroundings, installKnown, installModel } from './install.ts';
import { KNOWN_ENCODERS, type KnownEncoder, type KnownWheel } from './known.ts';
import { type LoadedNetwork, loadLayersNetwork } from './layersModel.ts';
import type { Network } from './network.ts';
import { loadOnnxNetwork } from './onnxFile.ts';
import { readTorchTensors } from './pth.ts';
import { readDescription, type StoredDescription, sha256, storedFolder, storedNames } from './store.ts';

/**
 * Loads an encoder; one that is known by name, or named by a URL, is installed first where it is missing.
 *
 * @throws EncoderError when there is none of that name, with the nearest; or the file cannot be used, with the reason.
 */
export async function loadNetwork(encoder: string, surroundings: InstallSurroundings): Promise<Network> {
  const known = findKnown(encoder);
  if (known !== undefined) {
    const { folder, description } = await installKnown(known, undefined, surroundings);
    return named(await loadKnown(known, folder, description), description);
  }
  const name = isUrl(encoder) ? urlName(encoder) : encoder;
  const folder = storedFolder(surroundings.cache, name);
  const stored = /^[a-z0-9][a-z0-9._-]*$/.test(name) ? await readDescription(folder) : undefined;
  if (stored !== undefined) return loadStored(folder, stored);
  if (isUrl(encoder)) {
    const installed = await installModel(encoder, {}, surroundings);
    return loadStored(installed.folder, installed.description);
  }
  if (!existsSync(encoder)) throw await notFound(encoder, surroundings);
  return loadPath(encoder, surroundings);
}

async function loadStored(folder: string, description: StoredDescription): Promise<Network> {
  return named(await loadFile(join(folder, description.file)), description);
}

async function loadPath(path: string, surroundings: InstallSurroundings): Promise<Network> {
  const file = path.endsWith('.onnx') ? path : await findModel(path);
  const beside = await readDescription(dirname(file));
  const { files } = await collectModel(file, { ...surroundings, onBytes: () => {} });
  const digest = sha256(...[...files.keys()].sort().map((name) => files.get(name)!));
  const folder = (await stat(path)).isDirectory() ? path : dirname(file);
  const name = file.endsWith('.onnx') ? basename(file) : basename(folder);
  const own = beside?.file === basename(file) ? beside : undefined;
  return named(await loadFile(file), {
    name,
    source: 'a file of the user',
    licence: 'not stated',
    ...own,
    file: basename(file),
    sha256: digest,
  });
}

async function loadFile(file: string): Promise<LoadedNetwork> {
  if (file.endsWith('.onnx')) return loadOnnxNetwork(file);
  try {
    const { format } = JSON.parse(await readFile(file, 'utf8')) as { format?: string };
    return format === 'graph-model' ? await loadGraphNetwork(file) : await loadLayersNetwork(file);
  } catch (cause) {
    if (cause instanceof EncoderError) throw cause;
    throw new EncoderError(`${file} cannot be used as an encoder: ${(cause as Error).message}.`, { cause });
  }
}

/** Scaling: as stated beside the file, else as the file gives away, else -1 to 1. */
function named({ likelyScaling, ...network }: LoadedNetwork, description: StoredDescription): Network {
  const { name = description.file, source, licence, sha256: digest } = description;
  const scaling = description.scaling ?? likelyScaling;
  return {
    ...network,
    origin: { name, source, licence, sha256: digest },
    scaling: scaling ?? 'signed',
    scalingIsAssumed: scaling === undefined,
  };
}

async function loadKnown(
  known: KnownEncoder,
  folder: string,
  { file }: StoredDescription,
): Promise<LoadedNetwork> {
  const { taps, perceptualTaps } = known;
  if (known.kind === 'wheel') return loadLite(known, join(folder, file));
  const network = await loadLayersNetwork(join(folder, file));
  const missing = taps.find((tap) => !network.taps.includes(tap));
  if (missing !== undefined)
    throw new EncoderError(
      `What is installed as ${known.name} has no layer ${missing}. Install the right model again.`,
    );
  return { ...network, taps, perceptualTaps };
}

async function loadLite(known: KnownWheel, file: string): Promise<LoadedNetwork> {
  const { taps, perceptualTaps, side, repeats } = known;
  try {
    const run = efficientNetLite(readTorchTensors(await readFile(file)), repeats);
    const input = { width: side, height: side, fixed: false };
    return { taps, perceptualTaps, input, differentiable: true, likelyScaling: undefined, run };
  } catch (cause) {
    throw new EncoderError(
      `${file} is broken: ${(cause as Error).message}. Remove ${dirname(file)}; it is installed again on next use.`,
      { cause },
    );
  }
}

async function notFound(encoder: string, { cache }: InstallSurroundings): Promise<EncoderError> {
  const names = [...new Set([...KNOWN_ENCODERS.map(({ name }) => name), ...(await storedNames(cache))])];
  const near = nearest(encoder, names);
  return new EncoderError(
    `There is no encoder ${encoder}, neither by name nor as a file.${near === undefined ? '' : ` Did you mean ${near}?`} ` +
      `Known by name: ${names.join(', ')}; else give the path or URL of a model.json of TensorFlow.js or of an .onnx file.`,
  );
}
