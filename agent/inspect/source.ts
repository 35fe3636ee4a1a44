/** Where the pixels of a capture come from: pages that sharp reads, or the frames of a DICOM file. */
import sharp, { type Metadata, type Sharp } from 'sharp';
import type { DicomWindow } from '../../config/preprocessing.ts';
import { openDicom, type RenderedFrame } from './dicom/image.ts';
import { dicomBeginning } from './dicom/sniff.ts';
import type { Limits, UnscorableError } from './inspection.ts';
import { FORMATS, refusalOf } from './refusal.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Source {
  /** By content: jpeg, png, tiff, webp, gif, dicom. */
  readonly format: string;
  /** Of the first page, as stored, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly pages: number;
  /** Of one page: as stored and upright, without decoding it. */
  sizeOf(page: number): Promise<{ readonly stored: Size; readonly upright: Size }>;
  /** Finds all pages in the file, without decoding one. @throws UnscorableError when some are not there. */
  locate(): void;
  /** One page, upright and flattened. */
  open(page: number): Promise<Sharp>;
  /** What to throw when sharp fails on what `open` gave. */
  refusal(cause: unknown): UnscorableError;
}

/** @throws UnscorableError for what is none of the formats that are read. */
export async function openSource(bytes: Uint8Array, window: DicomWindow, limits: Limits): Promise<Source> {
  if (dicomBeginning(bytes) !== null) return dicomSource(bytes, window, limits);
  const first = await metadataOf(bytes, 0);
  const { width, height, format } = first;
  if (!FORMATS.some(({ name }) => name === format)) throw refusalOf(bytes, `the content is ${format}`);
  return {
    format,
    width,
    height,
    pages: first.pages ?? 1,
    // The pages of a TIFF may differ in size, those of an animation do not.
    sizeOf: async (page) => {
      const { autoOrient, ...stored } =
        page === 0 || format !== 'tiff' ? first : await metadataOf(bytes, page);
      return { stored, upright: autoOrient };
    },
    locate: () => {}, // sharp tells when it decodes
    open: async (page) => openPage(bytes, page),
    refusal: (cause) => refusalOf(bytes, cause),
  };
}

/** The size is checked by us, not by sharp, so that the reason is ours. */
function openPage(bytes: Uint8Array, page: number): Sharp {
  const image = sharp(bytes, {
    failOn: 'error',
    limitInputPixels: false,
    sequentialRead: true,
    ...(page > 0 && { page }),
  });
  return image.autoOrient().flatten({ background: '#000' });
}

function metadataOf(bytes: Uint8Array, page: number): Promise<Metadata> {
  return openPage(bytes, page)
    .metadata()
    .catch((cause: Error) => {
      throw refusalOf(bytes, cause);
    });
}

/** A frame is decoded when it is opened, and the last one kept: finding the foreground opens it before. */
function dicomSource(bytes: Uint8Array, window: DicomWindow, limits: Limits): Source {
  const image = openDicom(bytes, window, limits.bytes);
  const { width, height } = image;
  const size = { stored: { width, height }, upright: { width, height } };
  let last: { readonly page: number; readonly frame: RenderedFrame } | undefined;
  return {
    format: 'dicom',
    width,
    height,
    pages: image.frames,
    sizeOf: async () => size,
    locate: image.locate,
    open: async (page) => {
      if (last?.page !== page) last = { page, frame: await image.render(page) };
      const { data, channels } = last.frame;
      return sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
    },
    refusal: (cause) => refusalOf(bytes, cause),
  };
}
