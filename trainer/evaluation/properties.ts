/** Simple measures of an image, from its file: what a trivial rule could judge by, and what may give a class away. */
import sharp from 'sharp';
import { withoutDicom } from '../../agent/inspect/dicom/convert.ts';
import { blank } from '../../agent/inspect/mask.ts';
import { refusalOf } from '../../agent/inspect/refusal.ts';
import type { Region } from '../../config/preprocessing.ts';
import { borderShare } from './properties/border.ts';
import type { GreyImage } from './properties/grey-image.ts';
import { estimateJpegQuality } from './properties/jpeg-quality.ts';
import { textShare } from './properties/text.ts';
import type { Properties } from './types.ts';

/** Longer side, in pixels, of the picture in which border and text are looked for. */
export const WORKING_SIDE = 512;
/** Side of the picture for grey statistics. */
const SIDE = 128;
const THUMBNAIL_SIDE = 32;

/**
 * Measures one image file. It is decoded once, upright, grey and at most 512 pixels wide and high; all else follows
 * from that picture, in which the regions of `mask` are black.
 * @throws UnscorableError when the bytes hold no image that a device would decode.
 */
export async function measureProperties(
  bytes: Uint8Array,
  mask: readonly Region[] = [],
): Promise<Properties> {
  const { grey, stored, format } = await workingPicture(bytes, mask);
  const { width, height, channels } = stored;
  const jpegQuality = format === 'jpeg' ? estimateJpegQuality(bytes) : null;
  return { bytes: bytes.length, width, height, channels, format, jpegQuality, ...(await measureGrey(grey)) };
}

/** The picture that is measured: upright, grey, at most `WORKING_SIDE` wide and high; size and channels as stored. */
export async function workingPicture(bytes: Uint8Array, mask: readonly Region[] = []) {
  const options = { failOn: 'error', limitInputPixels: false, sequentialRead: true } as const;
  const reject = (cause: Error): never => {
    throw refusalOf(bytes, cause);
  };
  const readable = await withoutDicom(bytes);
  const stored = await sharp(readable, options).metadata().catch(reject);
  const working = await sharp(readable, options)
    .autoOrient()
    .flatten({ background: '#000' })
    .resize(WORKING_SIDE, WORKING_SIDE, { fit: 'inside', withoutEnlargement: true, kernel: 'lanczos3' })
    .greyscale()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(reject);
  const grey = {
    pixels: firstChannel(working.data, working.info.channels),
    width: working.info.width,
    height: working.info.height,
  };
  blank(grey.pixels, { ...grey, channels: 1 }, mask, stored.autoOrient);
  return { grey, stored, format: readable === bytes ? stored.format : 'dicom' };
}

/**
 * As `measureProperties`, of a PNG that stores just this grey picture of at most `WORKING_SIDE` pixels: nothing need be
 * decoded, which for digits of 28 x 28 is most of the time.
 */
export async function measurePlainPng(grey: GreyImage, bytes: number): Promise<Properties> {
  const { width, height } = grey;
  const file = { bytes, width, height, channels: 1, format: 'png', jpegQuality: null };
  return { ...file, ...(await measureGrey(grey)) };
}

async function measureGrey(
  grey: GreyImage,
): Promise<Pick<Properties, 'mean' | 'deviation' | 'sharpness' | 'border' | 'text' | 'thumbnail'>> {
  const small = await squeeze(grey.pixels, grey.width, grey.height);
  return {
    ...greyStatistics(small),
    border: borderShare(grey),
    text: textShare(grey),
    thumbnail: thumbnailOf(small),
  };
}

/** To 128 x 128, as the device would resize it. */
async function squeeze(pixels: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const { data, info } = await sharp(pixels, { raw: { width, height, channels: 1 } })
    .resize(SIDE, SIDE, { fit: 'fill', kernel: 'lanczos3' })
    .toColourspace('b-w')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return firstChannel(data, info.channels);
}

/** sharp may give grey as three equal channels. */
function firstChannel(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 1) return data;
  const first = new Uint8Array(data.length / channels);
  for (let i = 0; i < first.length; i++) first[i] = data[i * channels]!;
  return first;
}

function greyStatistics(grey: Uint8Array): Pick<Properties, 'mean' | 'deviation' | 'sharpness'> {
  // Loops, not reduce: a call for each of 16384 pixels takes longer than decoding a small picture.
  let sum = 0;
  for (let i = 0; i < grey.length; i++) sum += grey[i]!;
  const mean = sum / grey.length;
  let squares = 0;
  for (let i = 0; i < grey.length; i++) squares += (grey[i]! - mean) ** 2;
  return {
    mean,
    deviation: Math.sqrt(squares / grey.length),
    sharpness: Math.log(meanLaplacian(grey) + 1e-6),
  };
}

/** Of the central half. */
function meanLaplacian(grey: Uint8Array): number {
  let sum = 0;
  for (let y = SIDE / 4; y < (3 * SIDE) / 4; y++)
    for (let x = SIDE / 4; x < (3 * SIDE) / 4; x++) {
      const i = y * SIDE + x;
      sum += Math.abs(4 * grey[i]! - grey[i - 1]! - grey[i + 1]! - grey[i - SIDE]! - grey[i + SIDE]!);
    }
  return sum / (SIDE / 2) ** 2;
}

/** Means of 4 x 4 pixels. */
function thumbnailOf(grey: Uint8Array): Uint8Array {
  const step = SIDE / THUMBNAIL_SIDE;
  const sums = new Float32Array(THUMBNAIL_SIDE ** 2);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      sums[((y / step) | 0) * THUMBNAIL_SIDE + ((x / step) | 0)]! += grey[y * SIDE + x]!;
  return new Uint8Array(sums.map((sum) => Math.round(sum / step ** 2)));
}
