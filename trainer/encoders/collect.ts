/** All files of a TensorFlow.js model or an ONNX file, from a path or a URL. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findModel } from '../../convert/source.ts';
import { type DownloadOptions, download, type Transport } from './download.ts';
import { EncoderError } from './error.ts';
import { withoutPassword } from './packageIndex.ts';

export interface CollectedModel {
  /** By file name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The one to open. */
  readonly file: string;
}

/** Bytes; larger than any encoder that a small computer would run. */
const LIMIT = 2 ** 30;

/** @throws EncoderError when a file is missing or the place does not answer. */
export async function collectModel(
  from: string,
  transport: Transport & Pick<DownloadOptions, 'onBytes'>,
): Promise<CollectedModel> {
  const start = isUrl(from) ? from : from.endsWith('.onnx') ? from : await findModel(from);
  const read = isUrl(from)
    ? (url: string) => download(url, { limit: LIMIT, onBytes: transport.onBytes }, transport)
    : (path: string) => readFile(path);
  try {
    const first = await read(start);
    const file = isUrl(from) ? basename(new URL(from).pathname) : basename(start);
    if (file.endsWith('.onnx')) return { files: new Map([[file, first]]), file };
    const files = new Map<string, Uint8Array>([['model.json', first]]);
    for (const name of weightFiles(first)) files.set(name, await read(beside(start, name)));
    return { files, file: 'model.json' };
  } catch (cause) {
    transport.signal?.throwIfAborted();
    throw new EncoderError(`${withoutPassword(from)} cannot be fetched: ${(cause as Error).message}.`, {
      cause,
    });
  }
}

export function isUrl(place: string): boolean {
  return /^https?:\/\//.test(place);
}

/** The name under which the model of a URL is kept: readable, and another one for every URL. */
export function urlName(url: string): string {
  const digest = createHash('sha256').update(url).digest('hex').slice(0, 8);
  const path = isUrl(url) ? new URL(url).pathname : url;
  const words = path.replace(/\/model\.json$|\.onnx$/g, '').split('/');
  const readable = (words.at(-1) ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `${readable || 'model'}-${digest}`;
}

function weightFiles(topology: Uint8Array): string[] {
  const { weightsManifest } = JSON.parse(new TextDecoder().decode(topology)) as {
    weightsManifest?: { paths: string[] }[];
  };
  if (!Array.isArray(weightsManifest))
    throw new Error('it is no model.json of TensorFlow.js and no .onnx file');
  const names = weightsManifest.flatMap(({ paths }) => paths);
  const odd = names.find((name) => name !== basename(name) || name === 'model.json' || name.startsWith('.'));
  if (odd !== undefined) throw new Error(`it names weights outside its own folder: ${odd}`);
  return names;
}

/** Keeps the query of a URL: it may hold an access token. */
function beside(start: string, name: string): string {
  if (!isUrl(start)) return join(dirname(start), name);
  const url = new URL(start);
  url.pathname = url.pathname.replace(/[^/]*$/, encodeURIComponent(name));
  return url.href;
}
