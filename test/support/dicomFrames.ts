/** Frames of drawn DICOM files: several in one, or encoded by the native codecs. */
import dcmjsCodecs from 'dcmjs-codecs';
import { writeDicom } from './dicom.ts';
import { noisyPixels, smoothPixels } from './images.ts';

const { NativeCodecs, Context } = dcmjsCodecs;

export type Encoder = 'encodeRle' | 'encodeJpeg' | 'encodeJpegLs' | 'encodeJpeg2000';

export interface Raw {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly allocated: number;
  readonly stored: number;
  readonly signed: boolean;
  /** Native bytes, little endian, interleaved. */
  readonly bytes: Uint8Array;
}

/** Without loss. */
export async function encodeFrame(encoder: Encoder, raw: Raw): Promise<Uint8Array> {
  while (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
  const context = new Context({
    width: raw.width,
    height: raw.height,
    bitsAllocated: raw.allocated,
    bitsStored: raw.stored,
    samplesPerPixel: raw.samples,
    pixelRepresentation: raw.signed ? 1 : 0,
    planarConfiguration: 0,
    photometricInterpretation: raw.samples === 1 ? 'MONOCHROME2' : 'RGB',
    decodedBuffer: raw.bytes,
  });
  return NativeCodecs[encoder](context, { lossy: false }).getEncodedBuffer()!;
}

/** A colour DICOM file of `size` x `size` with a frame for each of `kinds`, as the test bundle passes or calls them. */
export function drawFrames(kinds: readonly ('smooth' | 'noisy')[], size = 32): Buffer {
  const frames = kinds.map((kind, seed) => (kind === 'smooth' ? smoothPixels : noisyPixels)(size, seed));
  const colour = { samples: 3, photometric: 'RGB', planar: 0, frames: kinds.length };
  return writeDicom({ width: size, height: size, pixels: Buffer.concat(frames), ...colour });
}
