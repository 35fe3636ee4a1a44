/** Frames encoded by the native codecs, to be put into drawn DICOM files. */
import dcmjsCodecs from 'dcmjs-codecs';

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
