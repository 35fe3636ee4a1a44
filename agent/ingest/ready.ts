/** Whether a file is complete, told by its own format: a few bytes at its head and its tail, never the whole. */
import type { FileHandle } from 'node:fs/promises';
import { dicomBeginning } from '../inspect/dicom/sniff.ts';
import { endWritten, holdsData, type ReadAt } from './bytes.ts';
import { dicomComplete } from './dicom.ts';
import { tiffComplete } from './tiff.ts';

/** `unknown` covers both "still incomplete" and "this format does not tell": such a file waits for quiet time. */
export type Readiness = 'complete' | 'unknown';

const HEAD = 4096;
const TAIL = 64;
const EOI = Buffer.from('ffd9', 'hex');
const PNG_SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const PNG_END = Buffer.from('0000000049454e44ae426082', 'hex');

/**
 * Tells by content, never by extension. Strict where a false "complete" is possible: a file whose space was
 * allocated beforehand and whose last bytes are still zero is `unknown`.
 * @param handle open for reading.
 * @param size bytes, as stat gave it just before.
 */
export async function readiness(handle: FileHandle, size: number): Promise<Readiness> {
  if (size < 16) return 'unknown';
  const readAt: ReadAt = async (position, length) => {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  };
  const head = await readAt(0, Math.min(HEAD, size));
  const tail = size <= HEAD ? head.subarray(-TAIL) : await readAt(size - TAIL, TAIL);
  if (head.length < 16 || tail.length < 16) return 'unknown'; // shrank meanwhile
  return (await complete(head, tail, size, readAt)) ? 'complete' : 'unknown';
}

async function complete(head: Buffer, tail: Buffer, size: number, readAt: ReadAt): Promise<boolean> {
  const name = head.toString('latin1', 0, 4);
  if (dicomBeginning(head) !== null) return dicomComplete(size, readAt);
  if (head.readUInt16BE(0) === 0xffd8) return jpegComplete(head, tail, size, readAt);
  if (head.subarray(0, 8).equals(PNG_SIGNATURE)) return tail.subarray(-12).equals(PNG_END);
  if (name === 'II*\0' || name === 'II+\0' || name === 'MM\0*' || name === 'MM\0+')
    return tiffComplete(head, size, readAt);
  if (name === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP')
    return head.readUInt32LE(4) + 8 === size && endWritten(tail);
  if (name === 'GIF8') return tail.readUInt16BE(tail.length - 2) === 0x003b; // end of block, trailer
  if (name.startsWith('BM')) return head.readUInt32LE(2) === size && endWritten(tail);
  return false;
}

/**
 * The file ends in EOI, and that EOI belongs to the image itself: the segments are walked up to the first scan
 * (ITU T.81 B.1.1), so that the EOI of a thumbnail inside a segment does not count while the rest is unwritten.
 * Zeros may follow it (some encoders pad to an even size): what comes before EOI was written by then.
 */
async function jpegComplete(head: Buffer, tail: Buffer, size: number, readAt: ReadAt): Promise<boolean> {
  const eoi = tail.lastIndexOf(EOI);
  if (eoi < 0 || holdsData(tail.subarray(eoi + 2))) return false;
  let position = 2;
  for (let segments = 0; segments < 256 && position + 4 < size; segments++) {
    const at =
      position + 4 <= head.length ? head.subarray(position, position + 4) : await readAt(position, 4);
    if (at.length < 4 || at[0] !== 0xff) return false;
    const marker = at[1]!;
    if (marker === 0xda) return true; // start of scan: entropy-coded data holds no EOI of its own
    position += marker === 0xff ? 1 : 2 + at.readUInt16BE(2);
  }
  return false;
}
