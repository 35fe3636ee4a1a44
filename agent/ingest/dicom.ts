/** Whether a DICOM file is complete: its pixels end where the file ends (PS3.10, PS3.5 A.4). */
import { PIXEL_DATA, parseElements } from '../inspect/dicom/parse.ts';
import { dicomBeginning } from '../inspect/dicom/sniff.ts';
import { endWritten, type ReadAt } from './bytes.ts';

/** Beyond these a file waits for quiet time, so that a hostile one cannot make this look long. */
const MOST_HEADER = 256 * 1024;
const MOST_FRAGMENTS = 4096;

const UNDEFINED_LENGTH = 0xffffffff;
const ITEM = Buffer.from('feff00e0', 'hex');
const END = Buffer.from('feffdde000000000', 'hex');

/**
 * True when the pixels, the last element of nearly every DICOM file, end with the file: in fragments with their end,
 * native ones with the length that they announce and a last value that is not zero. False for deflated files, those
 * with elements behind the pixels, without pixels, or with a dark last corner.
 */
export async function dicomComplete(size: number, readAt: ReadAt): Promise<boolean> {
  const pixels = findPixels(await readAt(0, Math.min(MOST_HEADER, size)));
  if (pixels === null) return false;
  if (pixels.length !== UNDEFINED_LENGTH)
    return pixels.at + pixels.length === size && endWritten(await readAt(size - 8, 8));
  let at = pixels.at;
  for (let fragments = 0; fragments < MOST_FRAGMENTS && at + 8 <= size; fragments++) {
    const head = await readAt(at, 8);
    if (head.equals(END)) return at + 8 === size;
    if (head.length < 8 || !head.subarray(0, 4).equals(ITEM)) return false;
    at += 8 + head.readUInt32LE(4);
  }
  return false;
}

/** Null: not within `head`, or nothing that can be read. */
function findPixels(head: Buffer): { readonly at: number; readonly length: number } | null {
  try {
    if (dicomBeginning(head) === 'meta') return null; // its places are not those of the parsed content
    const { elements } = parseElements(head, head.length);
    if (elements.byteArray.buffer !== head.buffer) return null; // inflated: neither are these
    const pixels = elements.elements[PIXEL_DATA];
    return pixels === undefined ? null : { at: pixels.dataOffset, length: pixels.length };
  } catch {
    return null; // still incomplete, or damaged: told when it is decoded
  }
}
