/** Drawn DICOM files of 16 x 16 pixels, and what the device shows of them. */
import assert from 'node:assert/strict';
import { decode } from '../../../agent/inspect/decode.ts';
import type { Limits } from '../../../agent/inspect/inspection.ts';
import type { DicomWindow, Preprocessing } from '../../../config/preprocessing.ts';
import { type DicomDrawing, type Element, writeDicom } from '../../support/dicom.ts';

export const SIDE = 16;
export const COUNT = SIDE * SIDE;
export const LIMITS: Limits = { pixels: 1e6, bytes: 1e7 };
export const size = { width: SIDE, height: SIDE };

/** The preprocessing that changes nothing: what is shown comes out as it is. */
export function asShown(channels: 1 | 3, frames = 1, window?: DicomWindow): Preprocessing {
  const dicom = window === undefined ? {} : { dicom: { window } };
  return { ...size, channels, frames, crop: 'none', fit: 'fill', kernel: 'nearest', ...dicom };
}

export async function show(bytes: Uint8Array, channels: 1 | 3 = 1, window?: DicomWindow): Promise<number[]> {
  const { pixels, width, height, format } = await decode(bytes, asShown(channels, 1, window), LIMITS);
  assert.deepEqual({ width, height, format }, { ...size, format: 'dicom' });
  return [...pixels];
}

export const ramp = (from: number, step: number, count = COUNT) =>
  Array.from({ length: count }, (_, i) => from + step * i);
export const bytes8 = Uint8Array.from(ramp(0, 1));
export const drawn = (drawing: Partial<DicomDrawing>) => writeDicom({ ...size, pixels: bytes8, ...drawing });
export const ds = (tag: number, value: number | string): Element => [tag, 'DS', String(value)];
export const windowOf = (center: number, width: number, shape?: string): Element[] => [
  ds(0x00281050, center),
  ds(0x00281051, width),
  ...(shape === undefined ? [] : [[0x00281056, 'CS', shape] as const]),
];
/** Rounded and held within a byte. */
export const byte = (value: number) => Math.min(255, Math.max(0, Math.round(value)));

/** A colour picture, interleaved. */
export const colours = Uint8Array.from({ length: 3 * COUNT }, (_, i) => (i * 37) % 256);
export const toPlanes = (interleaved: Uint8Array) =>
  Uint8Array.from(
    { length: interleaved.length },
    (_, i) => interleaved[3 * (i % COUNT) + Math.floor(i / COUNT)]!,
  );
export const rgb = { samples: 3, photometric: 'RGB', planar: 0 } as const;
