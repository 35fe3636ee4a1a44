/** PALETTE COLOR (PS3.3 C.7.6.3.1.5): three lookup tables from one value to red, green and blue. */
import type { DataSet } from 'dicom-parser';
import { type Lookup, readLookup } from './lookup.ts';
import { unsupported } from './refuse.ts';

export type Palette = readonly [Lookup, Lookup, Lookup];

const TABLES = [
  { descriptor: 'x00281101', data: 'x00281201' },
  { descriptor: 'x00281102', data: 'x00281202' },
  { descriptor: 'x00281103', data: 'x00281203' },
] as const;
const SEGMENTED = 'x00281221';

export function readPalette(elements: DataSet): Palette {
  if (elements.elements[SEGMENTED] !== undefined) throw unsupported('its palette is segmented');
  const signed = elements.uint16('x00280103') === 1;
  const [red, green, blue] = TABLES.map((table) => readLookup(elements, table, { signed }));
  return [red!, green!, blue!];
}
