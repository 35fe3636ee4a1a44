/** How stored grey values become shown ones: modality and values of interest, as the file gives them. */
import type { DataSet } from 'dicom-parser';
import { type Lookup, readLookup } from './lookup.ts';

export interface Window {
  readonly center: number;
  readonly width: number;
  /** PS3.3 C.11.2.1.2 and C.11.2.1.3. */
  readonly shape: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';
}

export interface GreyScale {
  /** From stored to modality values, such as Hounsfield units. */
  readonly modality: Lookup | { readonly slope: number; readonly intercept: number };
  /** The first window, else the first lookup table, else null. */
  readonly voi: Window | Lookup | null;
  /** The smallest value is shown white. */
  readonly inverse: boolean;
}

const LUT = { descriptor: 'x00283002', data: 'x00283006' };
const SHARED_GROUPS = 'x52009229';
const GROUPS_BY_FRAME = 'x52009230';
const MODALITY_OF_FRAME = 'x00289145';
const VOI_OF_FRAME = 'x00289132';

/** Of frame `frame`, from 0: its own functional group goes before the shared one, and that before the whole file. */
export function readGreyScale(
  elements: DataSet,
  frame: number,
  { signed }: { readonly signed: boolean },
): GreyScale {
  const groups = [item(elements, GROUPS_BY_FRAME, frame), item(elements, SHARED_GROUPS, 0)];
  const places = (tag: string) =>
    [...groups.map((group) => group && item(group, tag, 0)), elements].filter((p) => p !== undefined);
  const photometric = elements.string('x00280004')?.trim();
  return {
    modality: firstOf(places(MODALITY_OF_FRAME), (p) => readModality(p, signed)) ?? {
      slope: 1,
      intercept: 0,
    },
    voi: firstOf(places(VOI_OF_FRAME), readWindow) ?? readVoiLookup(elements, signed),
    inverse: photometric === 'MONOCHROME1' || elements.string('x20500020')?.trim() === 'INVERSE',
  };
}

function readModality(place: DataSet, signed: boolean): GreyScale['modality'] | null {
  const table = item(place, 'x00283000', 0);
  if (table !== undefined) return readLookup(table, LUT, { signed });
  const slope = place.floatString('x00281053');
  const intercept = place.floatString('x00281052');
  if (slope === undefined && intercept === undefined) return null;
  return { slope: finite(slope) ?? 1, intercept: finite(intercept) ?? 0 };
}

function readWindow(place: DataSet): Window | null {
  const center = finite(place.floatString('x00281050', 0));
  const width = finite(place.floatString('x00281051', 0));
  if (center === null || width === null || width <= 0) return null;
  const named = place.string('x00281056')?.trim();
  const shape = named === 'SIGMOID' || named === 'LINEAR_EXACT' ? named : 'LINEAR';
  return shape === 'LINEAR' && width < 1 ? null : { center, width, shape };
}

function readVoiLookup(elements: DataSet, signed: boolean): Lookup | null {
  const table = item(elements, 'x00283010', 0);
  return table === undefined ? null : readLookup(table, LUT, { signed });
}

function item(place: DataSet, tag: string, index: number): DataSet | undefined {
  return place.elements[tag]?.items?.[index]?.dataSet;
}

function firstOf<T, R>(places: readonly T[], read: (place: T) => R | null): R | null {
  for (const place of places) {
    const found = read(place);
    if (found !== null) return found;
  }
  return null;
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
