/** Whether every part of a TIFF (TIFF 6.0, and BigTIFF with its 8-byte offsets) lies inside the file. */
import { endWritten, type ReadAt } from './bytes.ts';

/** Bytes of one value by field type; 0: no such type. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const STRIP_OFFSETS = 273;
const STRIP_BYTE_COUNTS = 279;
const TILE_OFFSETS = 324;
const TILE_BYTE_COUNTS = 325;
const SUB_IFDS = 330;
const JPEG_OFFSET = 513;
const JPEG_LENGTH = 514;
const LOCATIONS = new Set([
  STRIP_OFFSETS,
  STRIP_BYTE_COUNTS,
  TILE_OFFSETS,
  TILE_BYTE_COUNTS,
  SUB_IFDS,
  JPEG_OFFSET,
  JPEG_LENGTH,
]);

/** Beyond these a file waits for quiet time, so that a hostile one cannot make this look long. */
const MOST_DIRECTORIES = 64;
const MOST_ENTRIES = 1024;
const MOST_VALUES = 16_384;

interface Layout {
  readonly big: boolean;
  readonly little: boolean;
}

/**
 * True when all directories, their values, and all strips and tiles end within the file, and what ends last does not
 * end in zeros (which is how a file looks whose space was allocated before it was filled).
 */
export async function tiffComplete(head: Buffer, size: number, readAt: ReadAt): Promise<boolean> {
  const layout = { little: head[0] === 0x49, big: head[2] === 43 || head[3] === 43 };
  const waiting = [layout.big ? unsigned(head, 8, 8, layout) : unsigned(head, 4, 4, layout)];
  const seen = new Set<number>();
  let end = 0;
  let images = 0;
  for (let offset = waiting.pop(); offset !== undefined; offset = waiting.pop()) {
    if (offset === 0 || seen.has(offset)) continue;
    seen.add(offset);
    if (seen.size > MOST_DIRECTORIES) return false;
    const directory = await readDirectory(offset, size, layout, readAt);
    if (directory === null) return false;
    end = Math.max(end, directory.valuesEnd);
    waiting.push(directory.next, ...(directory.values.get(SUB_IFDS) ?? []));
    for (const [offsets, lengths] of [
      [STRIP_OFFSETS, STRIP_BYTE_COUNTS],
      [TILE_OFFSETS, TILE_BYTE_COUNTS],
      [JPEG_OFFSET, JPEG_LENGTH],
    ] as const) {
      const starts = directory.values.get(offsets) ?? [];
      const byteCounts = directory.values.get(lengths) ?? [];
      if (starts.length !== byteCounts.length) return false;
      images += starts.length;
      for (const [i, start] of starts.entries()) end = Math.max(end, start + byteCounts[i]!);
    }
  }
  if (images === 0 || end > size) return false;
  return endWritten(await readAt(Math.max(0, end - 8), Math.min(8, end)));
}

interface Directory {
  readonly values: ReadonlyMap<number, readonly number[]>;
  readonly next: number;
  /** First byte after all values that lie outside of the directory. */
  readonly valuesEnd: number;
}

async function readDirectory(
  offset: number,
  size: number,
  layout: Layout,
  readAt: ReadAt,
): Promise<Directory | null> {
  const countBytes = layout.big ? 8 : 2;
  const entryBytes = layout.big ? 20 : 12;
  const wordBytes = layout.big ? 8 : 4;
  if (offset + countBytes > size) return null;
  const counted = await readAt(offset, countBytes);
  if (counted.length < countBytes) return null; // shrank meanwhile
  const count = unsigned(counted, 0, countBytes, layout);
  const bytes = countBytes + count * entryBytes + wordBytes;
  if (count === 0 || count > MOST_ENTRIES || offset + bytes > size) return null;
  const block = await readAt(offset, bytes);
  if (block.length < bytes) return null;
  const values = new Map<number, readonly number[]>();
  let valuesEnd = 0;
  for (let i = 0; i < count; i++) {
    const at = countBytes + i * entryBytes;
    const tag = unsigned(block, at, 2, layout);
    const valueBytes = TYPE_BYTES[unsigned(block, at + 2, 2, layout)] ?? 0;
    const valueCount = unsigned(block, at + 4, wordBytes, layout);
    const total = valueBytes * valueCount;
    const inline = total <= wordBytes;
    const field = at + 4 + wordBytes;
    const where = inline ? 0 : unsigned(block, field, wordBytes, layout);
    if (!inline) valuesEnd = Math.max(valuesEnd, where + total);
    if (tag === 0 || valueCount === 0) return null; // not written yet
    if (!LOCATIONS.has(tag)) continue;
    if (valueBytes === 0 || valueCount > MOST_VALUES || where + total > size) return null;
    const data = inline ? block.subarray(field, field + total) : await readAt(where, total);
    if (data.length < total) return null;
    values.set(
      tag,
      Array.from({ length: valueCount }, (_, k) => unsigned(data, k * valueBytes, valueBytes, layout)),
    );
  }
  return { values, next: unsigned(block, bytes - wordBytes, wordBytes, layout), valuesEnd };
}

/** 1, 2, 4 or 8 bytes as a number; offsets beyond 2^53 lose precision and fail the comparison with the size anyway. */
function unsigned(buffer: Buffer, at: number, bytes: number, { little }: Layout): number {
  if (bytes === 8) return Number(little ? buffer.readBigUInt64LE(at) : buffer.readBigUInt64BE(at));
  return little ? buffer.readUIntLE(at, bytes) : buffer.readUIntBE(at, bytes);
}
