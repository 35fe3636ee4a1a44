/** Lookup tables as DICOM stores them (PS3.3 C.11.1.1): descriptor of three numbers, and data. */
import type { DataSet } from 'dicom-parser';
import { corrupt } from './refuse.ts';

export interface Lookup {
  /** The value that the first entry is for. Values before it get the first entry, values after the last one the last. */
  readonly first: number;
  /** Bits of an entry: 8 to 16. */
  readonly bits: number;
  readonly entries: Uint16Array;
}

/** @param signed whether the values that are looked up are signed, where the descriptor's own type does not tell. */
export function readLookup(
  elements: DataSet,
  tags: { readonly descriptor: string; readonly data: string },
  { signed }: { readonly signed: boolean },
): Lookup {
  const data = elements.elements[tags.data];
  const count = elements.uint16(tags.descriptor, 0) || 65_536; // 0 stands for 2^16
  const type = elements.elements[tags.descriptor]?.vr;
  const negative = type === 'SS' || (type !== 'US' && signed);
  const first = (negative ? elements.int16(tags.descriptor, 1) : elements.uint16(tags.descriptor, 1)) ?? 0;
  const bits = elements.uint16(tags.descriptor, 2) ?? 0;
  if (data === undefined || bits < 8 || bits > 16) throw corrupt('a lookup table is incomplete');
  const packed = data.length < 2 * count; // entries of 8 bits, without the padding that is prescribed
  if (data.length < count || data.dataOffset + data.length > elements.byteArray.length)
    throw corrupt('a lookup table is shorter than it says');
  const entries = Uint16Array.from({ length: count }, (_, i) =>
    packed ? elements.byteArray[data.dataOffset + i]! : elements.uint16(tags.data, i)!,
  );
  return { first, bits, entries };
}

/** The entry for `value`. */
export function look({ first, entries }: Lookup, value: number): number {
  return entries[Math.min(Math.max(Math.round(value) - first, 0), entries.length - 1)]!;
}
