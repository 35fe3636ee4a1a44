/** The bytes of one frame of pixel data (PS3.5 A.4, annex A): native, or in fragments. */
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

/**
 * Native pixels of a frame. Frames of one bit a sample follow each other without padding: they begin at
 * `frame * width * height` bits, and are given from the byte that holds the first.
 */
export function nativeFrame(content: Uint8Array, header: DicomHeader, frame: number): Uint8Array {
  const { pixelsAt, pixelBytes, frames, bitsAllocated, width, height } = header;
  const bits = bitsAllocated === 1 ? width * height : 8 * frameBytes(header);
  const all = Math.ceil((frames * bits) / 8);
  if (pixelsAt + pixelBytes! > content.length) {
    const present = content.length - pixelsAt;
    throw truncated(`${present} of ${pixelBytes} bytes of pixels are there`);
  }
  if (pixelBytes! < all) throw corrupt(`its frames need ${all} bytes of pixels, and it has ${pixelBytes}`);
  const from = Math.floor((frame * bits) / 8);
  return content.subarray(pixelsAt + from, pixelsAt + Math.ceil(((frame + 1) * bits) / 8));
}

/** The encoded stream of a frame, its fragments joined. */
export function encodedFrame(content: Uint8Array, header: DicomHeader, frame: number): Uint8Array {
  const { offsets, fragments, start } = readFragments(content, header.pixelsAt);
  const { frames, codec } = header;
  if (frames === 1) return join(fragments);
  if (fragments.length === frames) return fragments[frame]!;
  if (offsets.length === frames) {
    const [from, to] = [offsets[frame]!, offsets[frame + 1] ?? Number.POSITIVE_INFINITY];
    const own = fragments.filter((f) => {
      const at = f.byteOffset - content.byteOffset - 8 - start;
      return at >= from && at < to;
    });
    if (own.length > 0) return join(own);
  }
  if (codec === 'rle') throw corrupt(`${frames} frames, but ${fragments.length} fragments without a table`);
  return join(byEndOfImage(fragments, frames)[frame]!);
}

/** Without a table, a frame ends with the fragment that ends in an end-of-image marker; JPEG and JPEG 2000 alike. */
function byEndOfImage(fragments: readonly Uint8Array[], frames: number): Uint8Array[][] {
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
