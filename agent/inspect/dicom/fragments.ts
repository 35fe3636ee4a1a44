/** Where the frames of the pixel data lie (PS3.5 A.4, annex A): native, or in fragments. */
import type { DicomHeader } from './header.ts';
import { corrupt, truncated } from './refuse.ts';

const ITEM = 0xfffee000;
const END = 0xfffee0dd;
const EOI = Buffer.from('ffd9', 'hex');

/** Bytes of one frame as samples. */
export function frameBytes(
  header: Pick<DicomHeader, 'width' | 'height' | 'samples' | 'bitsAllocated' | 'photometric' | 'codec'>,
): number {
  const { width, height, samples, bitsAllocated, photometric, codec } = header;
  const halved = photometric === 'YBR_FULL_422' && codec === 'native'; // two chromas for two pixels
  return Math.ceil((width * height * (halved ? 2 : samples) * bitsAllocated) / 8);
}

/** The bytes of a frame, from 0. */
export type FrameAt = (frame: number) => Uint8Array;

/**
 * Native pixels of each frame. Frames of one bit a sample follow each other without padding: they begin at
 * `frame * width * height` bits, and are given from the byte that holds the first.
 * @throws UnscorableError when the pixels of any frame are not there.
 */
export function nativeFrames(content: Uint8Array, header: DicomHeader): FrameAt {
  const { pixelsAt, pixelBytes, frames, bitsAllocated, width, height } = header;
  const bits = bitsAllocated === 1 ? width * height : 8 * frameBytes(header);
  const all = Math.ceil((frames * bits) / 8);
  if (pixelsAt + pixelBytes! > content.length) {
    const present = content.length - pixelsAt;
    throw truncated(`${present} of ${pixelBytes} bytes of pixels are there`);
  }
  if (pixelBytes! < all) throw corrupt(`its frames need ${all} bytes of pixels, and it has ${pixelBytes}`);
  return (frame) =>
    content.subarray(
      pixelsAt + Math.floor((frame * bits) / 8),
      pixelsAt + Math.ceil(((frame + 1) * bits) / 8),
    );
}

/**
 * The encoded stream of each frame, its fragments joined.
 * @throws UnscorableError when the fragments are not those of so many frames.
 */
export function encodedFrames(content: Uint8Array, header: DicomHeader): FrameAt {
  const { offsets, fragments, start } = readFragments(content, header.pixelsAt);
  const { frames, codec } = header;
  const places = fragments.map((fragment) => fragment.byteOffset - content.byteOffset - 8 - start);
  const grouped =
    frames === 1
      ? [fragments]
      : fragments.length === frames
        ? fragments.map((fragment) => [fragment])
        : (byTable(fragments, places, offsets, frames) ?? byEndOfImage(fragments, frames, codec));
  return (frame) => join(grouped[frame]!);
}

/** By the table of offsets; null where it is none of all frames. */
function byTable(
  fragments: readonly Uint8Array[],
  places: readonly number[],
  offsets: readonly number[],
  frames: number,
): Uint8Array[][] | null {
  if (offsets.length !== frames) return null;
  const grouped: Uint8Array[][] = offsets.map(() => []);
  let frame = 0;
  for (const [i, fragment] of fragments.entries()) {
    while (frame + 1 < frames && places[i]! >= offsets[frame + 1]!) frame++;
    grouped[frame]!.push(fragment);
  }
  return grouped.every((own) => own.length > 0) ? grouped : null;
}

/** Without a table, a frame ends with the fragment that ends in an end-of-image marker; JPEG and JPEG 2000 alike. */
function byEndOfImage(
  fragments: readonly Uint8Array[],
  frames: number,
  codec: DicomHeader['codec'],
): Uint8Array[][] {
  if (codec === 'rle') throw corrupt(`${frames} frames, but ${fragments.length} fragments without a table`);
  const grouped: Uint8Array[][] = [[]];
  for (const fragment of fragments) {
    grouped.at(-1)!.push(fragment);
    const tail = Buffer.from(fragment.subarray(-3)); // one byte of padding may follow
    if (tail.includes(EOI)) grouped.push([]);
  }
  const complete = grouped.filter((group) => group.length > 0);
  if (complete.length !== frames) throw corrupt(`${frames} frames, but ${complete.length} encoded images`);
  return complete;
}

interface Fragments {
  /** Of the frames, from `start`; may be empty. */
  readonly offsets: readonly number[];
  readonly fragments: readonly Uint8Array[];
  readonly start: number;
}

function readFragments(content: Uint8Array, pixelsAt: number): Fragments {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const items: Uint8Array[] = [];
  let at = pixelsAt;
  for (;;) {
    if (at + 8 > content.length) throw truncated('the end of its fragments is missing');
    const tag = view.getUint16(at, true) * 0x10000 + view.getUint16(at + 2, true);
    const length = view.getUint32(at + 4, true);
    if (tag === END) break;
    if (tag !== ITEM) throw corrupt('something else stands among its fragments');
    if (at + 8 + length > content.length) throw truncated('a fragment is cut short');
    items.push(content.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  const [table, ...fragments] = items;
  if (table === undefined || fragments.length === 0) throw corrupt('it has no fragment of pixels');
  const places = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const offsets = Array.from({ length: Math.floor(table.length / 4) }, (_, i) =>
    places.getUint32(4 * i, true),
  );
  return { offsets, fragments, start: table.byteOffset - content.byteOffset + table.length };
}

function join(fragments: readonly Uint8Array[]): Uint8Array {
  return fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments);
}
