/** A small writer of DICOM files (PS3.10), for drawn ones: any transfer syntax, any element, right or wrong. */
import { deflateRawSync } from 'node:zlib';

export const SYNTAX = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  deflated: '1.2.840.10008.1.2.1.99',
  bigEndian: '1.2.840.10008.1.2.2',
  rle: '1.2.840.10008.1.2.5',
  jpeg: '1.2.840.10008.1.2.4.50',
  jpegLossless: '1.2.840.10008.1.2.4.70',
  jpegLs: '1.2.840.10008.1.2.4.80',
  jpeg2000: '1.2.840.10008.1.2.4.90',
} as const;

/** Tag, value representation, value: numbers of US, SS or UL, text, bytes, or the items of a sequence. */
export type Element = readonly [
  tag: number,
  vr: string,
  value: readonly number[] | string | Uint8Array | readonly (readonly Element[])[],
];

export interface DicomDrawing {
  readonly width: number;
  readonly height: number;
  /** Native bytes of all frames, or the fragments of an encoded one (the offset table goes before them). */
  readonly pixels:
    | Uint8Array
    | { readonly table: Uint8Array; readonly fragments: readonly Uint8Array[] }
    | null;
  /** Default: explicit VR, little endian. Null: no file meta information and no preamble, explicit. */
  readonly syntax?: string | null;
  readonly photometric?: string;
  readonly samples?: number;
  readonly allocated?: number;
  readonly stored?: number;
  readonly signed?: boolean;
  readonly planar?: number;
  readonly frames?: number;
  /** Beside, or instead of, those made of the above. */
  readonly elements?: readonly Element[];
  /** Sequences with delimiters instead of lengths. */
  readonly delimited?: boolean;
}

interface Encoding {
  readonly explicit: boolean;
  readonly big: boolean;
  readonly delimited: boolean;
}

const LONG = new Set(['OB', 'OW', 'SQ', 'UN', 'UT']);
const UNDEFINED_LENGTH = 0xffffffff;
const PIXEL_DATA = 0x7fe00010;

export function writeDicom(drawing: DicomDrawing): Buffer {
  const { width, height, pixels, syntax = SYNTAX.explicit, samples = 1, allocated = 8 } = drawing;
  const { stored = allocated, frames, planar, delimited = false } = drawing;
  const encoding = { explicit: syntax !== SYNTAX.implicit, big: syntax === SYNTAX.bigEndian, delimited };
  const own: Element[] = [
    [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.7'],
    [0x00100010, 'PN', 'Doe^Jane'],
    [0x00100020, 'LO', 'PATIENT-4711'],
    [0x00280002, 'US', [samples]],
    [0x00280004, 'CS', drawing.photometric ?? 'MONOCHROME2'],
    ...(planar === undefined ? [] : [[0x00280006, 'US', [planar]] as const]),
    ...(frames === undefined ? [] : [[0x00280008, 'IS', String(frames)] as const]),
    [0x00280010, 'US', [height]],
    [0x00280011, 'US', [width]],
    [0x00280100, 'US', [allocated]],
    [0x00280101, 'US', [stored]],
    [0x00280102, 'US', [stored - 1]],
    [0x00280103, 'US', [drawing.signed ? 1 : 0]],
  ];
  const given = drawing.elements ?? [];
  const tags = new Set(given.map(([tag]) => tag));
  const elements = [...own.filter(([tag]) => !tags.has(tag)), ...given].sort((a, b) => a[0] - b[0]);
  const before = elements.filter(([tag]) => tag < PIXEL_DATA).map((e) => writeElement(e, encoding));
  const after = elements.filter(([tag]) => tag > PIXEL_DATA).map((e) => writeElement(e, encoding));
  const dataSet = Buffer.concat([...before, writePixels(pixels, allocated, encoding), ...after]);
  if (syntax === null) return dataSet;
  const meta = { explicit: true, big: false, delimited: false };
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    writeElement([0x00020010, 'UI', syntax], meta),
    syntax === SYNTAX.deflated ? deflateRawSync(dataSet) : dataSet,
  ]);
}

/** 16-bit samples as bytes. */
export function words(values: ArrayLike<number>, big = false): Buffer {
  const buffer = Buffer.alloc(2 * values.length);
  for (let i = 0; i < values.length; i++)
    if (big) buffer.writeUInt16BE(values[i]! & 0xffff, 2 * i);
    else buffer.writeUInt16LE(values[i]! & 0xffff, 2 * i);
  return buffer;
}

function writePixels(pixels: DicomDrawing['pixels'], allocated: number, encoding: Encoding): Buffer {
  if (pixels === null) return Buffer.alloc(0);
  if (pixels instanceof Uint8Array)
    return writeElement([PIXEL_DATA, allocated === 16 ? 'OW' : 'OB', pixels], encoding);
  return Buffer.concat([
    header(PIXEL_DATA, 'OB', UNDEFINED_LENGTH, encoding),
    ...[pixels.table, ...pixels.fragments].flatMap((item) => [
      tagAndLength(0xfffee000, item.length + (item.length % 2), encoding),
      padded(item),
    ]),
    tagAndLength(0xfffee0dd, 0, encoding),
  ]);
}

function writeElement([tag, vr, value]: Element, encoding: Encoding): Buffer {
  if (vr === 'SQ') {
    const items = (value as readonly (readonly Element[])[]).map((item) => {
      const content = Buffer.concat(item.map((e) => writeElement(e, encoding)));
      return encoding.delimited
        ? [
            tagAndLength(0xfffee000, UNDEFINED_LENGTH, encoding),
            content,
            tagAndLength(0xfffee00d, 0, encoding),
          ]
        : [tagAndLength(0xfffee000, content.length, encoding), content];
    });
    const content = Buffer.concat(items.flat());
    return encoding.delimited
      ? Buffer.concat([
          header(tag, vr, UNDEFINED_LENGTH, encoding),
          content,
          tagAndLength(0xfffee0dd, 0, encoding),
        ])
      : Buffer.concat([header(tag, vr, content.length, encoding), content]);
  }
  const content = padded(
    bytesOf(vr, value as string | Uint8Array | readonly number[], encoding.big),
    vr === 'UI' ? 0 : 32,
  );
  return Buffer.concat([header(tag, vr, content.length, encoding), content]);
}

function bytesOf(vr: string, value: string | Uint8Array | readonly number[], big: boolean): Buffer {
  if (typeof value === 'string') return Buffer.from(value, 'latin1');
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (vr === 'UL') return Buffer.concat(value.map((v) => (big ? be32(v) : le32(v))));
  return words(value, big);
}

/** To an even length: bytes with 0, text with a space. */
function padded(content: Uint8Array, by = 0): Buffer {
  return Buffer.concat([content, Buffer.alloc(content.length % 2, by)]);
}

function header(tag: number, vr: string, length: number, encoding: Encoding): Buffer {
  if (!encoding.explicit) return tagAndLength(tag, length, encoding);
  const long = LONG.has(vr);
  const size = Buffer.alloc(long ? 6 : 2);
  if (long) size.set(encoding.big ? be32(length) : le32(length), 2);
  else if (encoding.big) size.writeUInt16BE(length);
  else size.writeUInt16LE(length);
  return Buffer.concat([tagAndLength(tag, 0, encoding).subarray(0, 4), Buffer.from(vr, 'latin1'), size]);
}

function tagAndLength(tag: number, length: number, { big }: Encoding): Buffer {
  return Buffer.concat([words([tag >>> 16, tag & 0xffff], big), big ? be32(length) : le32(length)]);
}

function le32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value >>> 0);
  return buffer;
}

function be32(value: number): Buffer {
  return le32(value).reverse();
}
