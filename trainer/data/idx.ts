/** IDX files of images, as MNIST has them (http://yann.lecun.com/exdb/mnist, "the IDX file format"). */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';
import { TrainerError } from '../error.ts';
import type { Sample } from './sample.ts';

/** Magic number of unsigned bytes in three dimensions: images, rows, columns; big-endian, then the bytes. */
const MAGIC = 0x00000803;
const HEADER = 16;

export interface IdxImages {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  /** Grey, uint8 `[count, height, width]`. */
  readonly pixels: Uint8Array;
}

/** Whether a file of this name holds IDX images: `...idx3-ubyte`, also with `.gz`. */
export const isIdxName = (name: string): boolean => /idx3(-ubyte)?(\.gz)?$/i.test(name);

/** @throws TrainerError saying what is wrong with the file. */
export async function readIdx(file: string): Promise<IdxImages> {
  const stored = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new TrainerError(`${file} cannot be read (${cause.code}).`, { cause });
  });
  const bytes = unpack(stored, file);
  const refuse = (what: string): never => {
    throw new TrainerError(
      `${file} is no IDX file of images: ${what}. Expected magic number 0x00000803, the numbers of images, rows and columns, and one byte for each pixel. Fetch it again.`,
    );
  };
  if (bytes.length < HEADER) refuse(`it ends after ${bytes.length} bytes`);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  const magic = header.getUint32(0);
  if (magic === 0x00000801) refuse('it holds labels (magic number 0x00000801)');
  if (magic !== MAGIC) refuse(`its magic number is 0x${magic.toString(16).padStart(8, '0')}`);
  const [count, height, width] = [header.getUint32(4), header.getUint32(8), header.getUint32(12)];
  if (count === 0 || width === 0 || height === 0) refuse(`it holds ${count} images of ${width} x ${height}`);
  const expected = HEADER + count * width * height;
  const promised = `its header promises ${count} images of ${width} x ${height}, ${expected} bytes in all`;
  if (bytes.length < expected) refuse(`${promised}, but it is cut off after ${bytes.length}`);
  if (bytes.length > expected) refuse(`${promised}, but ${bytes.length - expected} more follow`);
  return { count, width, height, pixels: bytes.subarray(HEADER) };
}

/** One sample for each image, named `<name>#<index from 0>`; it becomes a PNG when it is read. */
export async function idxSamples(file: string, name = path.basename(file)): Promise<Sample[]> {
  const { count, width, height, pixels } = await readIdx(file);
  const size = width * height;
  return Array.from({ length: count }, (_, i) => ({
    name: `${name}#${i}`,
    path: null,
    group: null,
    read: () =>
      sharp(pixels.subarray(i * size, (i + 1) * size), { raw: { width, height, channels: 1 } })
        .toColourspace('b-w')
        .png({ compressionLevel: 0 })
        .toBuffer(),
  }));
}

function unpack(stored: Buffer, file: string): Uint8Array {
  if (stored.length < 2 || stored.readUInt16BE(0) !== 0x1f8b) return stored;
  try {
    return gunzipSync(stored);
  } catch (cause) {
    throw new TrainerError(
      `${file} cannot be unpacked (${(cause as Error).message}): it is damaged or cut off. Fetch it again.`,
      { cause },
    );
  }
}
