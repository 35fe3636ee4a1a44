/**
 * Why the decoder rejected a file, told by the file's own bytes. Not by libvips' words: its error buffer
 * (vips_error_buffer) is one for all threads of a process, so that one file could be given the reason of another.
 */
import { UnscorableError } from './inspection.ts';

interface Format {
  readonly name: string;
  readonly begins: (bytes: Buffer) => boolean;
  /** Whether the last bytes are those of a complete file. */
  readonly ends: (bytes: Buffer) => boolean;
}

const EOI = Buffer.from('ffd9', 'hex');
const PNG_END = Buffer.from('49454e44ae426082', 'hex');

/** What the agent reads. SVG, PDF and the like are programs that draw, not captures. */
export const FORMATS: readonly Format[] = [
  {
    name: 'jpeg',
    begins: (b) => b.readUInt16BE(0) === 0xffd8,
    ends: (b) => withoutZeros(b).subarray(-2).equals(EOI), // some encoders pad with zeros
  },
  {
    name: 'png',
    begins: (b) => b.readUInt32BE(0) === 0x89504e47,
    ends: (b) => b.includes(PNG_END, b.length - 64),
  },
  {
    name: 'gif',
    begins: (b) => b.toString('latin1', 0, 4) === 'GIF8',
    ends: (b) => withoutZeros(b).at(-1) === 0x3b,
  },
  {
    name: 'webp',
    begins: (b) => b.toString('latin1', 0, 4) === 'RIFF' && b.toString('latin1', 8, 12) === 'WEBP',
    ends: (b) => b.readUInt32LE(4) + 8 <= b.length,
  },
  {
    name: 'tiff',
    begins: (b) => ['II*\0', 'II+\0', 'MM\0*', 'MM\0+'].includes(b.toString('latin1', 0, 4)),
    ends: () => true, // its strips may lie anywhere: no end to look at
  },
];

/** The error for `bytes`, at least one, that could not be decoded. */
export function refusalOf(bytes: Uint8Array, cause: unknown): UnscorableError {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = content.length < 12 ? undefined : FORMATS.find(({ begins }) => begins(content));
  const names = [...FORMATS.map(({ name }) => name), 'dicom'].join(', ');
  if (format === undefined)
    return new UnscorableError('unsupported-format', `The content is none of ${names}.`, { cause });
  if (!format.ends(content))
    return new UnscorableError(
      'truncated',
      `The ${format.name} ends before its image is complete (${content.length} bytes).`,
      { cause },
    );
  return new UnscorableError('corrupt', `The decoder rejects the content: a damaged ${format.name}.`, {
    cause,
  });
}

function withoutZeros(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}
