/** Reads and decodes the images of a folder, each once, with the device's own decoder. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import { decode } from '../../agent/inspect/decode.ts';
import { type Limits, UnscorableError } from '../../agent/inspect/inspection.ts';
import { SETTINGS } from '../../config/agent.ts';
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { UnscorableReason } from '../../config/verdict.ts';
import { InterruptedError } from '../error.ts';
import type { FoundFile } from './find.ts';

export interface LoadedImage {
  readonly path: string;
  readonly name: string;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** SHA-256 of the picture as stored: upright sRGB pixels at full size, hex. Equal for re-saved lossless copies. */
  readonly pictureSha256: string;
  /** SHA-256 of `pixels`, hex. */
  readonly pixelsSha256: string;
  /** Size as stored, in pixels. */
  readonly width: number;
  readonly height: number;
  /** uint8 `[height, width, channels]` of the preprocessing's size. */
  readonly pixels: Uint8Array;
}

export interface RefusedImage {
  readonly name: string;
  readonly reason: UnscorableReason;
  readonly message: string;
}

export interface LoadedFolder {
  /** In the order of `files`. */
  readonly images: readonly LoadedImage[];
  readonly refused: readonly RefusedImage[];
}

/** The limits of a device at its default settings: what it would refuse is no training image either. */
export const LIMITS: Limits = {
  pixels: SETTINGS['limits.pixels'].default,
  bytes: SETTINGS['limits.bytes'].default,
};

/** libvips has threads of its own; this many files at once keep them fed. */
const AT_ONCE = 4;

/** @throws InterruptedError when `signal` is aborted meanwhile. */
export async function loadImages(
  files: readonly FoundFile[],
  spec: Preprocessing,
  options: { readonly signal: AbortSignal; readonly onImage: () => void },
): Promise<LoadedFolder> {
  const results = new Array<LoadedImage | RefusedImage>(files.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < files.length) {
      if (options.signal.aborted) throw new InterruptedError('Interrupted while reading images.');
      const index = next++;
      results[index] = await loadImage(files[index]!, spec);
      options.onImage();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return {
    images: results.filter((r) => 'pixels' in r),
    refused: results.filter((r) => 'reason' in r),
  };
}

/** Mean of each channel over all images, 0 to 1. */
export function meanColour(images: readonly LoadedImage[], channels: number): number[] {
  const sums = new Array<number>(channels).fill(0);
  let values = 0;
  for (const { pixels } of images) {
    for (let i = 0; i < pixels.length; i++) sums[i % channels]! += pixels[i]!;
    values += pixels.length / channels;
  }
  return sums.map((sum) => sum / values / 255);
}

async function loadImage(file: FoundFile, spec: Preprocessing): Promise<LoadedImage | RefusedImage> {
  try {
    const bytes = await read(file.path);
    const { pixels, width, height } = await decode(bytes, spec, LIMITS);
    const picture = await sharp(bytes, { limitInputPixels: false, sequentialRead: true })
      .autoOrient()
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const size = `${picture.info.width}x${picture.info.height}x${picture.info.channels}|`;
    return {
      path: file.path,
      name: file.name,
      sha256: sha256(bytes),
      pictureSha256: sha256(size, picture.data),
      pixelsSha256: sha256(pixels),
      width,
      height,
      pixels,
    };
  } catch (error) {
    if (!(error instanceof UnscorableError)) throw error;
    return { name: file.name, reason: error.reason, message: error.message };
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > LIMITS.bytes)
      throw new UnscorableError('too-large', `The file has ${size} bytes; ${LIMITS.bytes} are allowed.`);
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof UnscorableError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw new UnscorableError('unreadable', `Reading the file failed (${code}).`, { cause });
  }
}

function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
