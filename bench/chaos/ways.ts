/** The ways in which capture software writes its files. */
import { createHash } from 'node:crypto';
import { futimesSync, writeSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Content } from './contents.ts';

/** One content that stood, complete, at one name. */
export interface Version {
  /** Within the watched folder. */
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
  readonly modifiedNanoseconds: bigint;
}

/** Where captures are written: the folder itself, and one beside it on the same file system. */
export interface Place {
  readonly watch: string;
  readonly staging: string;
}

type Write = (place: Place, name: string, content: Content, random: () => number) => Promise<void>;

/** No pause within a file is as long as this, milliseconds; the agent's quiet time must be longer. */
export const LONGEST_PAUSE = 1000;

/** Each leaves `content` at `name`, in place of what was there. */
export const WAYS: Readonly<Record<string, Write>> = {
  'at once': ({ watch }, name, { bytes }) => writeFile(path.join(watch, name), bytes),

  slowly: ({ watch }, name, content, random) =>
    into(path.join(watch, name), (file) => inPieces(file, content.bytes, 12, () => 60 * random())),

  'in bursts with pauses': ({ watch }, name, content, random) =>
    into(path.join(watch, name), (file) =>
      inPieces(file, content.bytes, 3, () => LONGEST_PAUSE * (0.1 + 0.8 * random())),
    ),

  'appended, opened anew for each piece': async ({ watch }, name, { bytes }, random) => {
    for (const [i, piece] of pieces(bytes, 4).entries()) {
      await writeFile(path.join(watch, name), piece, { flag: i === 0 ? 'w' : 'a' });
      await delay(100 * random());
    }
  },

  'space allocated, then filled': ({ watch }, name, content, random) =>
    into(path.join(watch, name), async (file) => {
      await file.truncate(content.bytes.length);
      await delay(200 * random());
      await inPieces(file, content.bytes, 5, () => 80 * random());
    }),

  'under a hidden name, then renamed': async ({ watch }, name, content, random) => {
    const half = path.join(watch, path.dirname(name), `.${path.basename(name).slice(0, 60)}.part`);
    await into(half, (file) => inPieces(file, content.bytes, 3, () => 20 * random()));
    await rename(half, path.join(watch, name));
  },

  'elsewhere, then moved in': async ({ watch, staging }, name, { bytes }) => {
    const elsewhere = path.join(staging, path.basename(name));
    await writeFile(elsewhere, bytes);
    await rename(elsewhere, path.join(watch, name));
  },

  'elsewhere, then hard linked': async ({ watch, staging }, name, { bytes }) => {
    const elsewhere = path.join(staging, path.basename(name));
    await writeFile(elsewhere, bytes);
    await unlink(path.join(watch, name)).catch(() => {});
    await link(elsewhere, path.join(watch, name));
    await unlink(elsewhere);
  },

  'copied with its time of hours ago or ahead': ({ watch }, name, { bytes }, random) =>
    into(path.join(watch, name), async (file) => {
      const time = Date.now() / 1000 + 86_400 * (random() - 0.5);
      writeSync(file.fd, bytes);
      futimesSync(file.fd, time, time);
    }),
};

/** A new folder, filled elsewhere and moved in as a whole, or filled as fast as possible after it was made. */
export async function writeFolder(
  { watch, staging }: Place,
  folder: string,
  files: ReadonlyMap<string, Content>,
  moved: boolean,
): Promise<void> {
  const made = moved ? path.join(staging, path.basename(folder)) : path.join(watch, folder);
  for (const [name, { bytes }] of files) {
    const file = path.join(made, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
  if (moved) await rename(made, path.join(watch, folder));
}

/** What stands at `name` now. */
export async function versionAt({ watch }: Place, name: string, { bytes }: Content): Promise<Version> {
  const { size, mtimeNs } = await stat(path.join(watch, name), { bigint: true });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, sha256, size: Number(size), modifiedNanoseconds: mtimeNs };
}

async function into(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await write(handle);
  } finally {
    await handle.close();
  }
}

async function inPieces(file: FileHandle, bytes: Buffer, count: number, pause: () => number): Promise<void> {
  let at = 0;
  for (const piece of pieces(bytes, count)) {
    if (at > 0) await delay(pause());
    await file.write(piece, 0, piece.length, at);
    at += piece.length;
  }
}

function pieces(bytes: Buffer, count: number): Buffer[] {
  const size = Math.max(1, Math.ceil(bytes.length / count));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}
