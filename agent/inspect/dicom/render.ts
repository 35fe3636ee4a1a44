/** From stored samples to the 8 bits that are shown. */
import type { DicomWindow } from '../../../config/preprocessing.ts';
import type { GreyScale, Window } from './greyscale.ts';
import type { DicomHeader } from './header.ts';
import { type Lookup, look } from './lookup.ts';
import type { Palette } from './palette.ts';

/**
 * Grey, 0..255, `[height, width]`. All steps together are one table from the stored bits to a byte, which there are at
 * most 65536 of. The order is that of PS3.4 N.2: modality, values of interest, polarity.
 * @param stored the bits stored, unsigned: what a sample holds, masked.
 */
export function renderGrey(
  stored: Uint16Array,
  { bitsStored, signed }: Pick<DicomHeader, 'bitsStored' | 'signed'>,
  scale: GreyScale,
  window: DicomWindow,
): Uint8Array {
  const value = (bits: number) =>
    modality(scale.modality, signed && bits >= 2 ** (bitsStored - 1) ? bits - 2 ** bitsStored : bits);
  const show = presentation(stored, value, bitsStored, scale.voi, window);
  // Loops, not from(): a call for each pixel takes longer than all the rest.
  const table = new Uint8ClampedArray(2 ** bitsStored);
  for (let bits = 0; bits < table.length; bits++) {
    const shown = Math.min(Math.max(show(value(bits)), 0), 1);
    table[bits] = 255 * (scale.inverse ? 1 - shown : shown);
  }
  const out = new Uint8Array(stored.length);
  for (let i = 0; i < out.length; i++) out[i] = table[stored[i]!]!;
  return out;
}

/** From a modality value to what is shown, 0 to 1 and beyond. */
function presentation(
  stored: Uint16Array,
  value: (bits: number) => number,
  bitsStored: number,
  voi: GreyScale['voi'],
  window: DicomWindow,
): (value: number) => number {
  if (typeof window === 'object') return (x) => windowed(x, { ...window, shape: 'LINEAR' });
  if (window === 'file' && voi !== null)
    return 'entries' in voi ? (x) => look(voi, x) / (2 ** voi.bits - 1) : (x) => windowed(x, voi);
  if (window === 'file' && bitsStored <= 8) return between(value(0), value(2 ** bitsStored - 1));
  let [least, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const seen = new Uint8Array(2 ** bitsStored);
  for (let i = 0; i < stored.length; i++) seen[stored[i]!] = 1;
  for (let bits = 0; bits < seen.length; bits++)
    if (seen[bits] === 1) {
      least = Math.min(least, value(bits));
      largest = Math.max(largest, value(bits));
    }
  return between(least, largest);
}

function between(from: number, to: number): (value: number) => number {
  const [least, largest] = [Math.min(from, to), Math.max(from, to)];
  return (x) => (largest === least ? 0 : (x - least) / (largest - least));
}

/** PS3.3 C.11.2.1.2.1, C.11.2.1.3.2, C.11.2.1.3.1, to 0 .. 1. */
function windowed(x: number, { center, width, shape }: Window): number {
  if (shape === 'SIGMOID') return 1 / (1 + Math.exp((-4 * (x - center)) / width));
  if (shape === 'LINEAR_EXACT') return (x - center) / width + 0.5;
  if (x <= center - 0.5 - (width - 1) / 2) return 0;
  if (x > center - 0.5 + (width - 1) / 2) return 1;
  return (x - (center - 0.5)) / (width - 1) + 0.5;
}

function modality(how: GreyScale['modality'], value: number): number {
  return 'entries' in how ? look(how, value) : value * how.slope + how.intercept;
}

/** sRGB `[height, width, 3]`. */
export function renderPalette(
  stored: Uint16Array,
  { bitsStored, signed }: Pick<DicomHeader, 'bitsStored' | 'signed'>,
  palette: Palette,
): Uint8Array {
  const tables = palette.map((table: Lookup) =>
    Uint8Array.from({ length: 2 ** bitsStored }, (_, bits) => {
      const value = signed && bits >= 2 ** (bitsStored - 1) ? bits - 2 ** bitsStored : bits;
      return look(table, value) >> (table.bits - 8);
    }),
  );
  const out = new Uint8Array(3 * stored.length);
  for (const [c, table] of tables.entries())
    for (let i = 0; i < stored.length; i++) out[3 * i + c] = table[stored[i]!]!;
  return out;
}

/** sRGB `[height, width, 3]`, from RGB or YBR (PS3.3 C.7.6.3.1.2: full range, ITU-R BT.601), interleaved. */
export function renderColour(stored: Uint16Array, bitsStored: number, isYbr: boolean): Uint8Array {
  const most = 2 ** bitsStored - 1;
  const out = new Uint8ClampedArray(stored.length);
  if (!isYbr) for (let i = 0; i < out.length; i++) out[i] = (stored[i]! * 255) / most;
  else {
    const half = 2 ** (bitsStored - 1);
    for (let i = 0; i < out.length; i += 3) {
      const [y, cb, cr] = [stored[i]!, stored[i + 1]! - half, stored[i + 2]! - half];
      out[i] = ((y + 1.402 * cr) * 255) / most;
      out[i + 1] = ((y - 0.344136 * cb - 0.714136 * cr) * 255) / most;
      out[i + 2] = ((y + 1.772 * cb) * 255) / most;
    }
  }
  return new Uint8Array(out.buffer);
}
