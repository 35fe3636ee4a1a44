/** Decoding of encoded frames, by the native codecs that dcmjs-codecs brings as one WebAssembly module. */
import { UnscorableError } from '../inspection.ts';
import { streamSize, withoutBoxes } from './codestream.ts';
import { frameBytes } from './fragments.ts';
import type { DicomHeader } from './header.ts';
import { corrupt } from './refuse.ts';

const METHODS = {
  rle: 'decodeRle',
  jpeg: 'decodeJpeg',
  'jpeg-ls': 'decodeJpegLs',
  'jpeg-2000': 'decodeJpeg2000',
} as const;

/** Memory of the module only ever grows: after a frame of more bytes than this, it is let go. */
const KEPT_BYTES = 32 * 2 ** 20;

/**
 * The samples of a frame as native pixels would hold them, little endian, interleaved or by planes as `planar` says.
 * Colour is left as it was encoded: what YBR is, stays YBR; but JPEG 2000 undoes its own transform.
 * @throws UnscorableError when the stream does not hold what the header says, or is damaged.
 */
export async function decodeFrame(
  encoded: Uint8Array,
  header: DicomHeader,
): Promise<{ readonly samples: Uint8Array; readonly planar: boolean }> {
  const { codec, width, height, samples, bitsAllocated, bitsStored, signed } = header;
  if (codec === 'native') throw new Error('Expected an encoded frame, got native pixels.');
  const stream = codec === 'jpeg-2000' ? withoutBoxes(encoded) : encoded;
  if (codec !== 'rle') {
    const size = streamSize(stream, codec);
    if (size === null) throw corrupt(`a frame is no ${codec} stream, unlike its transfer syntax`);
    if (size.width !== width || size.height !== height || size.samples !== samples)
      throw corrupt(
        `a frame of ${size.width} x ${size.height} x ${size.samples}, where ${width} x ${height} x ${samples} is announced`,
      );
    if (size.precision > bitsAllocated)
      throw corrupt(`${size.precision} bits a sample in a frame, ${bitsAllocated} announced`);
  }
  const { NativeCodecs, Context, log } = (await import('dcmjs-codecs')).default;
  log.setLevel('silent'); // the codecs' own words, on stderr
  while (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
  // From here to the end nothing is awaited: another decoding could let go of the module meanwhile.
  const bytes = frameBytes(header);
  let failed = true;
  try {
    const decoded = NativeCodecs[METHODS[codec]](
      new Context({
        width,
        height,
        bitsAllocated,
        bitsStored,
        samplesPerPixel: samples,
        pixelRepresentation: signed ? 1 : 0,
        planarConfiguration: header.planar ? 1 : 0,
        photometricInterpretation: samples === 1 ? 'MONOCHROME2' : 'RGB',
        encodedBuffer: stream,
      }),
      { convertColorspaceToRgb: false },
    );
    const buffer = decoded.getDecodedBuffer();
    if (buffer === undefined || buffer.length < bytes)
      throw new Error(`Expected ${bytes} bytes, the codec gave ${buffer?.length}.`);
    failed = false;
    return { samples: buffer.subarray(0, bytes), planar: decoded.getPlanarConfiguration() === 1 };
  } catch (cause) {
    throw new UnscorableError('corrupt', `The decoder rejects the content: a damaged ${codec} frame.`, {
      cause,
    });
  } finally {
    // After an exception the module holds what it had allocated.
    if (failed || bytes > KEPT_BYTES) NativeCodecs.release();
  }
}
