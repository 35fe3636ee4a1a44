/** From the bytes of a capture to the pixels that the graph sees. The trainer decodes with this very function. */
import type { Preprocessing } from '../../config/preprocessing.ts';
import { type Box, FOREGROUND_SIDE, findForeground } from './foreground.ts';
import { captureCount, framePages, middleFrame } from './frames.ts';
import { type Limits, UnscorableError } from './inspection.ts';
import { blankedSource } from './mask.ts';
import { openSource, type Size, type Source } from './source.ts';
import { stretch } from './stretch.ts';
import { applyThresholding } from './thresholding.ts';

export interface Decoded {
  /**
   * uint8 `[height, width, channels]` of the preprocessing's size, `[frames, height, width, channels]` where it has
   * several frames: sRGB or grey, 0..255.
   */
  readonly pixels: Uint8Array;
  /** Size as stored, before orientation, in pixels; of the first page. */
  readonly width: number;
  readonly height: number;
  /** By content: jpeg, png, tiff, webp, gif, dicom. */
  readonly format: string;
}

/**
 * Decodes and preprocesses one image: type by content, EXIF orientation, ICC to sRGB, alpha flattened on black, then
 * the steps of `spec`: mask, crop, resize, channels, stretch, thresholding. Deeper than 8 bits is scaled to 8.
 * `limits.pixels` counts every page of the file where several frames are asked for, else the first one, which alone
 * is decoded.
 * @throws UnscorableError with the published reason code.
 */
export async function decode(bytes: Uint8Array, spec: Preprocessing, limits: Limits): Promise<Decoded> {
  return decodeCapture(await openImage(bytes, spec, limits), spec, 1);
}

/** An image of which nothing is decoded yet. */
export interface OpenImage {
  readonly source: Source;
  /** How many captures it holds. */
  readonly captures: number;
  /** Pages of the first capture. */
  readonly pages: readonly number[];
  /** Upright sizes of these pages; those of all captures are the same. */
  readonly sizes: readonly Size[];
}

/** The first half of `decode`: finds out what is wrong with the file as a whole. */
export async function openImage(bytes: Uint8Array, spec: Preprocessing, limits: Limits): Promise<OpenImage> {
  if (bytes.length === 0) throw new UnscorableError('empty', 'The file holds no bytes.');
  const opened = await openSource(bytes, spec.dicom?.window ?? 'file', limits);
  const source = blankedSource(opened, spec.mask);
  const pages = framePages(spec.frames > 1 ? source.pages : 1, spec.frames);
  const sizes = await readSizes(source, pages, limits);
  source.locate();
  return { source, captures: captureCount(source, spec), pages, sizes };
}

/** The second half of `decode`, of one of the captures that the image holds, from 1. */
export async function decodeCapture(
  { source, captures, pages: first, sizes }: OpenImage,
  spec: Preprocessing,
  frame: number,
): Promise<Decoded> {
  if (frame > captures)
    throw new UnscorableError(
      'changed-while-reading',
      `The file held frame ${frame} when its frames were counted, and now it has ${captures}.`,
    );
  const pages = first.map((page) => page + frame - 1);
  const shown = pages[middleFrame(spec.frames)]!;
  const box = spec.crop === 'foreground' ? await locate(source, shown) : null;

  const size = spec.width * spec.height * spec.channels;
  const frames: Uint8Array[] = [];
  for (const [i, page] of pages.entries())
    frames.push(
      page === pages[i - 1] ? frames[i - 1]! : await decodePage(source, page, spec, box, sizes[i]!),
    );
  const pixels = frames.length === 1 ? frames[0]! : new Uint8Array(size * frames.length);
  if (frames.length > 1) for (const [i, frame] of frames.entries()) pixels.set(frame, i * size);
  if (spec.stretch !== undefined) stretch(pixels, spec.stretch);
  if (spec.thresholding !== undefined) applyThresholding(pixels, spec, spec.thresholding);
  const { width, height, format } = source;
  return { pixels, width, height, format };
}

/** Upright size of each page. */
async function readSizes(source: Source, pages: readonly number[], limits: Limits): Promise<Size[]> {
  const sizes = new Map<number, Size>();
  let most = 0;
  for (const page of new Set(pages)) {
    const { stored, upright } = await source.sizeOf(page);
    most = Math.max(most, stored.width * stored.height);
    sizes.set(page, upright);
  }
  const count = pages.length > 1 ? source.pages : 1;
  if (most * count > limits.pixels)
    throw new UnscorableError(
      'too-many-pixels',
      `The image has ${count > 1 ? `${count} pages of up to ${most}` : `${source.width} x ${source.height}`} pixels; limits.pixels allows ${limits.pixels}.`,
    );
  return pages.map((page) => sizes.get(page)!);
}

/** The foreground of a page, found in a thumbnail. */
async function locate(source: Source, page: number): Promise<Box | null> {
  const { data, info } = await (await source.open(page))
    .resize(FOREGROUND_SIDE, FOREGROUND_SIDE, { fit: 'inside', withoutEnlargement: true })
    .greyscale()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: Error) => {
      throw source.refusal(cause);
    });
  return findForeground(data, info);
}

/** uint8 `[height, width, channels]` */
async function decodePage(
  source: Source,
  page: number,
  spec: Preprocessing,
  box: Box | null,
  size: Size,
): Promise<Uint8Array> {
  let image = await source.open(page);
  if (box !== null) {
    const [left, top] = [Math.floor(box.left * size.width), Math.floor(box.top * size.height)];
    const [right, bottom] = [Math.ceil(box.right * size.width), Math.ceil(box.bottom * size.height)];
    image = image.extract({ left, top, width: right - left, height: bottom - top });
  }
  image = image.resize(spec.width, spec.height, { fit: spec.fit, kernel: spec.kernel, background: '#000' });
  image = spec.channels === 1 ? image.greyscale() : image.toColourspace('srgb');
  const { data, info } = await image
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: Error) => {
      throw source.refusal(cause);
    });
  return info.channels === spec.channels ? data : selectChannels(data, info.channels, spec.channels);
}

/** sharp may give grey as three equal channels, or one channel where three are wanted. */
function selectChannels(data: Uint8Array, from: number, to: number): Uint8Array {
  const count = data.length / from;
  const out = new Uint8Array(count * to);
  for (let i = 0; i < count; i++)
    for (let c = 0; c < to; c++) out[i * to + c] = data[i * from + Math.min(c, from - 1)]!;
  return out;
}
