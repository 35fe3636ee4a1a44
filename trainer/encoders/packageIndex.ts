/** One file of a Python package index, by the simple repository API (PEP 503, PEP 691), without pip. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseHTML } from 'linkedom';
import { download, type Transport } from './download.ts';
import type { PipSettings } from './pipSettings.ts';

export interface IndexFile {
  /** Normalised name of the project: lower case, words joined by `-`. */
  readonly package: string;
  /** File name, such as `a-1.0-py3-none-any.whl`. */
  readonly file: string;
  /** Bytes; nothing longer is taken. */
  readonly size: number;
}

/**
 * The file's bytes, from the first place that has it: the user's `find-links` folders, then the indexes in order.
 *
 * @throws Error that names every place asked (never a password in it) and what each answered.
 */
export async function fetchFromIndex(
  wanted: IndexFile,
  settings: PipSettings,
  transport: Transport,
  onBytes: (received: number) => void,
): Promise<Uint8Array> {
  const answers: string[] = [];
  for (const place of settings.findLinks) {
    const folder = localFolder(place);
    if (folder === undefined) continue;
    const found = await readFile(join(folder, wanted.file)).catch(() => undefined);
    if (found !== undefined) return found;
    answers.push(`${folder} does not have it`);
  }
  for (const index of settings.indexes) {
    transport.signal?.throwIfAborted();
    try {
      const url = await findFile(index, wanted, transport);
      if (url !== undefined) return await download(url, { limit: wanted.size, onBytes }, transport);
      answers.push(`${withoutPassword(index)} does not have it`);
    } catch (error) {
      transport.signal?.throwIfAborted();
      answers.push(`${withoutPassword(index)}: ${(error as Error).message}`);
    }
  }
  throw new Error(answers.length === 0 ? 'pip is set to use no index' : answers.join('; '));
}

/** A page of links is far smaller than this. */
const PAGE_LIMIT = 64 * 1024 * 1024;

async function findFile(index: string, wanted: IndexFile, transport: Transport): Promise<string | undefined> {
  const base = `${index.replace(/\/+$/, '')}/${wanted.package}/`;
  const accept = 'application/vnd.pypi.simple.v1+json, text/html;q=0.5';
  const page = await download(base, { limit: PAGE_LIMIT, onBytes: () => {}, accept }, transport);
  const text = new TextDecoder().decode(page);
  const href = text.trimStart().startsWith('{') ? fromJson(text, wanted.file) : fromHtml(text, wanted.file);
  if (href === undefined) return undefined;
  const url = new URL(href, base);
  url.hash = '';
  // A mirror behind a password usually serves its files behind the same one, and names them without it.
  const own = new URL(base);
  if (url.origin === own.origin) Object.assign(url, { username: own.username, password: own.password });
  return url.href;
}

function fromJson(text: string, file: string): string | undefined {
  const { files = [] } = JSON.parse(text) as { files?: { filename: string; url: string }[] };
  return files.find(({ filename }) => filename === file)?.url;
}

function fromHtml(text: string, file: string): string | undefined {
  const links = [...parseHTML(text).document.querySelectorAll('a')];
  return links.find((link) => link.textContent?.trim() === file)?.getAttribute('href') ?? undefined;
}

function localFolder(place: string): string | undefined {
  if (place.startsWith('file:')) return fileURLToPath(place);
  return /^[a-z]+:\/\//.test(place) ? undefined : place;
}

export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}
