/** When a picture was taken, as its camera wrote it: the tag DateTimeOriginal of EXIF 2.32. */
import sharp from 'sharp';
import { dicomBeginning } from '../../agent/inspect/dicom/sniff.ts';

const EXIF_FOLDER = 0x8769;
const DATE_TIME_ORIGINAL = 0x9003;
const SUB_SECONDS_ORIGINAL = 0x9291;

/**
 * Milliseconds since 1970 as if in UTC (EXIF rarely names the zone); null: none is given, or none that can be read.
 * The dates within a DICOM file belong to a patient's study and are not read.
 */
export async function captureTime(bytes: Uint8Array): Promise<number | null> {
  if (dicomBeginning(bytes) !== null) return null;
  const { exif } = await sharp(bytes, { limitInputPixels: false }).metadata();
  return exif === undefined ? null : parseCaptureTime(exif);
}

/** From an EXIF block, with or without its leading `Exif\0\0`. */
export function parseCaptureTime(exif: Uint8Array): number | null {
  const buffer = Buffer.from(exif.buffer, exif.byteOffset, exif.length);
  const tiff = buffer.toString('latin1', 0, 4) === 'Exif' ? buffer.subarray(6) : buffer;
  try {
    const little = tiff.toString('latin1', 0, 2) === 'II';
    const u16 = (at: number) => (little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
    const u32 = (at: number) => (little ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
    /** Place of the entry's value field in the folder at `at`: 12 bytes each: tag, type, count, value or its place. */
    const find = (at: number, tag: number): number | null => {
      const entry = Array.from({ length: u16(at) }, (_, i) => at + 2 + 12 * i).find((e) => u16(e) === tag);
      return entry === undefined ? null : entry + 8;
    };
    const text = (field: number): string => {
      const length = u32(field - 4);
      const start = length <= 4 ? field : u32(field);
      return tiff.toString('latin1', start, start + length).replace(/\0.*$/s, '');
    };
    const folder = find(u32(4), EXIF_FOLDER);
    const date = folder === null ? null : find(u32(folder), DATE_TIME_ORIGINAL);
    if (folder === null || date === null) return null;
    const fraction = find(u32(folder), SUB_SECONDS_ORIGINAL);
    const parts = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)$/.exec(text(date).trim());
    if (parts === null) return null;
    const digits = fraction === null ? '' : text(fraction).trim();
    const time = Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}Z`);
    if (Number.isNaN(time)) return null;
    return time + (/^\d+$/.test(digits) ? Number(`0.${digits}`) * 1000 : 0);
  } catch (error) {
    if (error instanceof RangeError) return null; // the block ends before what it points to
    throw error;
  }
}
