/** A DICOM file as pictures of 8 bits: grey, or sRGB. */
import type { DicomWindow } from '../../../config/preprocessing.ts';
import { decodeFrame } from './codecs.ts';
import { encodedFrames, type FrameAt, nativeFrames } from './fragments.ts';
import { type DicomHeader, readHeader } from './header.ts';
import { parseElements } from './parse.ts';
import { renderColour, renderGrey, renderPalette } from './render.ts';
import { storedSamples } from './samples.ts';

export interface DicomImage {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** Finds the pixels of every frame, without decoding one. @throws UnscorableError when some are not there. */
  locate(): void;
  /** Decodes frame `index`, from 0. */
  render(index: number): Promise<RenderedFrame>;
}

export interface RenderedFrame {
  readonly channels: 1 | 3;
  /** uint8 `[height, width, channels]`, grey or sRGB. */
  readonly data: Uint8Array;
}

/**
 * Reads what the file says about its pixels; decodes nothing yet.
 * @param mostBytes what a deflated file may become.
 * @throws UnscorableError, here, in `locate` and in `render`, with the published reason code.
 */
export function openDicom(bytes: Uint8Array, window: DicomWindow, mostBytes: number): DicomImage {
  const parsed = parseElements(bytes, mostBytes);
  const content = parsed.elements.byteArray;
  const header = readHeader(parsed);
  const { width, height, frames } = header;
  let located: FrameAt | undefined;
  const frameAt = () => {
    located ??= (header.codec === 'native' ? nativeFrames : encodedFrames)(content, header);
    return located;
  };
  return {
    width,
    height,
    frames,
    locate: () => void frameAt(),
    render: async (index) => {
      const stored = await storedFrame(frameAt()(index), header, index);
      const { bitsStored, palette, samples, photometric } = header;
      if (palette !== null) return { channels: 3, data: renderPalette(stored, header, palette) };
      if (samples === 3) return { channels: 3, data: renderColour(stored, bitsStored, isYbr(photometric)) };
      return { channels: 1, data: renderGrey(stored, header, header.greyScale(index), window) };
    },
  };
}

async function storedFrame(bytes: Uint8Array, header: DicomHeader, index: number): Promise<Uint16Array> {
  const { codec, planar, bigEndian, bitsAllocated, width, height } = header;
  if (codec === 'native') {
    const skip = bitsAllocated === 1 ? (index * width * height) % 8 : 0;
    return storedSamples(bytes, header, { planar, bigEndian, skip });
  }
  const decoded = await decodeFrame(bytes, header);
  return storedSamples(decoded.samples, header, { planar: decoded.planar, bigEndian: false, skip: 0 });
}

/** JPEG 2000 gives RGB back for its own two transforms. */
function isYbr(photometric: DicomHeader['photometric']): boolean {
  return photometric === 'YBR_FULL' || photometric === 'YBR_FULL_422';
}
