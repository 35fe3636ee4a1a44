/** From the bytes of a frame to its samples, masked to the bits stored and interleaved. */
import { endianness } from 'node:os';
import type { DicomHeader } from './header.ts';

/**
 * Unsigned, `[height, width, samples]`: bits stored, moved to bit 0, without sign.
 * @param bytes native pixels of the frame, colour by planes if `planar`.
 * @param skip bits before the first sample, of one bit a sample only.
 */
export function storedSamples(
  bytes: Uint8Array,
  header: DicomHeader,
  {
    planar,
    bigEndian,
    skip,
  }: { readonly planar: boolean; readonly bigEndian: boolean; readonly skip: number },
): Uint16Array {
  const { width, height, samples, bitsAllocated, bitsStored, shift } = header;
  const pixels = width * height;
  const count = pixels * samples;
  const words = bitsAllocated === 16 ? wordsOf(bytes, count, bigEndian) : bytes;
  const mask = 2 ** bitsStored - 1;
  const out = new Uint16Array(count);
  if (bitsAllocated === 1)
    for (let i = 0; i < count; i++) out[i] = (bytes[(skip + i) >> 3]! >> ((skip + i) & 7)) & 1;
  else if (header.photometric === 'YBR_FULL_422' && header.codec === 'native') spread(bytes, out);
  else if (planar)
    for (let c = 0; c < samples; c++)
      for (let i = 0; i < pixels; i++) out[i * samples + c] = (words[c * pixels + i]! >> shift) & mask;
  else for (let i = 0; i < count; i++) out[i] = (words[i]! >> shift) & mask;
  return out;
}

/** Y1 Y2 Cb Cr to Y1 Cb Cr, Y2 Cb Cr (PS3.3 C.7.6.3.1.2). */
function spread(bytes: Uint8Array, out: Uint16Array): void {
  for (let i = 0, o = 0; o < out.length; i += 4, o += 6) {
    out[o] = bytes[i]!;
    out[o + 3] = bytes[i + 1]!;
    out[o + 1] = out[o + 4] = bytes[i + 2]!;
    out[o + 2] = out[o + 5] = bytes[i + 3]!;
  }
}

function wordsOf(bytes: Uint8Array, count: number, bigEndian: boolean): Uint16Array {
  const copy = Buffer.alloc(2 * count);
  copy.set(bytes.subarray(0, 2 * count));
  if (bigEndian !== (endianness() === 'BE')) copy.swap16();
  return new Uint16Array(copy.buffer, copy.byteOffset, count);
}
