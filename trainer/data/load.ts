/** Reads and decodes images, each once, with the device's own decoder. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import sharp, { type Metadata } from 'sharp';
import { decode } from '../../agent/inspect/decode.ts';
import { withoutDicom } from '../../agent/inspect/dicom/convert.ts';
import { type Limits, UnscorableError } from '../../agent/inspect/inspection.ts';
import { SETTINGS } from '../../config/agent.ts';
import type { Preprocessing } from '../../config/preprocessing.ts';
import type { UnscorableReason } from '../../config/verdict.ts';
import { InterruptedError, TrainerError } from '../error.ts';
import { decodePicture, digestOfPicture, type Picture, thumbnailOf } from './picture.ts';
import type { Sample } from './sample.ts';

export interface LoadedImage {
  readonly sample: Sample;
  /** Of the sample. */
  readonly name: string;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** SHA-256 of the picture as stored: upright sRGB pixels at full size, hex. Equal for re-saved lossless copies. */
  readonly pictureSha256: string;
  /** SHA-256 of `pixels`, hex. */
  readonly pixelsSha256: string;
  /** Grey, uint8 `[32, 32]`, the picture squeezed. */
  readonly thumbnail: Uint8Array;
  /** Size as stored, in pixels. */
  readonly width: number;
  readonly height: number;
  /** uint8 `[height, width, channels]` of the preprocessing's size, with several frames `[frames, height, ...]`. */
  readonly pixels: Uint8Array;
  /** Bytes of the file where it is a PNG of 8-bit grey and `pixels` are what it stores, unchanged; else null. */
  readonly plainPng: number | null;
  /** Of its first page, as stored. */
  readonly stored: {
    readonly grey: boolean;
    /** Largest value of the picture in its upper 8 bits, where it is stored with more than 8 bits a channel; else null. */
    readonly brightest: number | null;
  };
}

export interface RefusedImage {
  readonly name: string;
  readonly reason: UnscorableReason;
  readonly message: string;
}

export interface LoadedFolder {
  /** In the order of the samples. */
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
export async function loadSamples(
  samples: readonly Sample[],
  spec: Preprocessing,
  options: { readonly signal: AbortSignal; readonly onImage: () => void },
): Promise<LoadedFolder> {
  const results = new Array<LoadedImage | RefusedImage>(samples.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < samples.length) {
      if (options.signal.aborted) throw new InterruptedError('Interrupted while reading images.');
      const index = next++;
      results[index] = await loadImage(samples[index]!, spec);
      options.onImage();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return {
    images: results.filter((r) => 'pixels' in r),
    refused: results.filter((r) => 'reason' in r),
  };
}

/** @throws TrainerError when nothing was loaded; `where` names what was given. */
export function requireImages(where: string, { images, refused }: LoadedFolder): void {
  if (images.length > 0) return;
  const first = refused[0];
  const found =
    first === undefined
      ? 'no file'
      : `${refused.length} file${refused.length === 1 ? '' : 's'}, none of them a usable image (${first.name}: ${first.message.replace(/\.$/, '')})`;
  throw new TrainerError(
    `Expected good images in ${where}, found ${found}. Give a folder of JPEG, PNG, TIFF, WebP, GIF or DICOM images, or of IDX files.`,
  );
}

/** Mean of each channel over all images and frames, 0 to 1. */
export function meanColour(images: readonly LoadedImage[], channels: number): number[] {
  const sums = new Array<number>(channels).fill(0);
  let values = 0;
  for (const { pixels } of images) {
    for (let i = 0; i < pixels.length; i++) sums[i % channels]! += pixels[i]!;
    values += pixels.length / channels;
  }
  return sums.map((sum) => sum / values / 255);
}

async function loadImage(sample: Sample, spec: Preprocessing): Promise<LoadedImage | RefusedImage> {
  try {
    const bytes = await read(sample);
    const { pixels, width, height } = await decode(bytes, spec, LIMITS);
    const readable = await withoutDicom(bytes);
    const metadata = await sharp(readable).metadata();
    const known = pictureIn(pixels, { width, height }, metadata, spec);
    const picture = known?.picture ?? (await decodePicture(readable));
    const { space, depth } = metadata;
    return {
      sample,
      name: sample.name,
      sha256: sha256(bytes),
      pictureSha256: digestOfPicture(picture),
      pixelsSha256: sha256(pixels),
      thumbnail: thumbnailOf(picture),
      width,
      height,
      pixels,
      plainPng: known?.plainPng ? bytes.length : null,
      stored: {
        grey: space === 'b-w' || space === 'grey16',
        brightest: depth === 'uchar' ? null : picture.data.reduce((most, value) => Math.max(most, value), 0),
      },
    };
  } catch (error) {
    if (!(error instanceof UnscorableError)) throw error;
    return { name: sample.name, reason: error.reason, message: error.message };
  }
}

/** The picture as `decodePicture` gives it, when the pixels that the model sees already are it; else null. */
function pictureIn(
  pixels: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
  { space, depth, hasAlpha, hasProfile, orientation = 1, format }: Metadata,
  spec: Preprocessing,
): { readonly picture: Picture; readonly plainPng: boolean } | null {
  const changed =
    width !== spec.width ||
    height !== spec.height ||
    spec.frames > 1 ||
    spec.mask !== undefined ||
    spec.crop !== 'none' ||
    spec.stretch !== undefined ||
    spec.thresholding !== undefined;
  if (changed) return null;
  if (spec.channels === 1) {
    const plain = space === 'b-w' && depth === 'uchar' && !hasAlpha && !hasProfile && orientation === 1;
    if (!plain) return null;
    const data = new Uint8Array(3 * pixels.length);
    for (let i = 0; i < pixels.length; i++) data.fill(pixels[i]!, 3 * i, 3 * i + 3);
    return { picture: { width, height, channels: 3, data }, plainPng: format === 'png' };
  }
  if (orientation !== 1) return null;
  return { picture: { width, height, channels: 3, data: pixels }, plainPng: false };
}

async function read(sample: Sample): Promise<Uint8Array> {
  try {
    const size = sample.path === null ? 0 : (await stat(sample.path)).size;
    if (size > LIMITS.bytes)
      throw new UnscorableError('too-large', `The file has ${size} bytes; ${LIMITS.bytes} are allowed.`);
    return await sample.read();
  } catch (cause) {
    if (cause instanceof UnscorableError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new UnscorableError('unreadable', `Reading the file failed (${code}).`, { cause });
  }
}

function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
