/**
 * Size and depth of an encoded frame, from its own header: a decoder allocates by that, not by what DICOM says, so the
 * two are compared first.
 */
import type { Codec } from './syntax.ts';

export interface StreamSize {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  /** Bits of a sample. */
  readonly precision: number;
}

/** Null: no such stream, or one that ends within its header. RLE has no size of its own. */
export function streamSize(stream: Uint8Array, codec: Exclude<Codec, 'native' | 'rle'>): StreamSize | null {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength);
  try {
    return codec === 'jpeg-2000' ? sizeOfJpeg2000(bytes) : sizeOfJpeg(bytes);
  } catch (error) {
    if (error instanceof RangeError) return null; // ends within its header
    throw error;
  }
}

/**
 * The codestream within the boxes of a JP2 file (ISO 15444-1 I.4), which DICOM forbids and some software writes;
 * anything else unchanged.
 */
export function withoutBoxes(stream: Uint8Array): Uint8Array {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength);
  if (bytes.length < 12 || bytes.toString('latin1', 4, 8) !== 'jP  ') return stream;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'jp2c') return stream.subarray(at + 8);
    if (length < 8) break; // to the end, or of 64 bits: the codestream is neither
    at += length;
  }
  return stream;
}

/** SIZ, which comes first (ISO 15444-1 A.5.1). */
function sizeOfJpeg2000(bytes: Buffer): StreamSize | null {
  if (bytes.readUInt32BE(0) !== 0xff4fff51) return null;
  return {
    width: bytes.readUInt32BE(8) - bytes.readUInt32BE(16),
    height: bytes.readUInt32BE(12) - bytes.readUInt32BE(20),
    samples: bytes.readUInt16BE(40),
    precision: (bytes[42]! & 0x7f) + 1,
  };
}

/** The frame header (ITU T.81 B.2.2, ITU T.87 C.2.2), behind any number of other segments. */
function sizeOfJpeg(bytes: Buffer): StreamSize | null {
  if (bytes.readUInt16BE(0) !== 0xffd8) return null;
  let at = 2;
  while (bytes[at] === 0xff) {
    const marker = bytes.readUInt8(at + 1);
    const frame =
      (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === 0xf7;
    if (frame)
      return {
        precision: bytes.readUInt8(at + 4),
        height: bytes.readUInt16BE(at + 5),
        width: bytes.readUInt16BE(at + 7),
        samples: bytes.readUInt8(at + 9),
      };
    at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2);
  }
  return null;
}
