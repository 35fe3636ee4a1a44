/** Draws a defect of our own on a good picture, so that it is known what is wrong with it and where. */
import { randomFor } from '../random.ts';
import { type Defect, STRENGTHS } from './families.ts';
import type { Canvas, Place } from './family.ts';
import { choosePlace } from './place.ts';

export interface Planted {
  /** As the canvas: uint8 `[height, width, channels]`. */
  readonly pixels: Uint8Array;
  /** uint8 `[height, width]`: 1 where a pixel differs from the canvas, else 0. */
  readonly mask: Uint8Array;
  readonly place: Place;
}

/** Equal input gives equal pixels; the canvas stays as it is. Where it lies follows from `seed` and the size alone. */
export function plant(canvas: Canvas, { family, size, strength }: Defect, seed: number | string): Planted {
  const { width, height, channels } = canvas;
  const place = choosePlace(canvas, size, randomFor(0, 'place', `${seed} ${size}`));
  const value = family.strengths[strength];
  if (value === undefined)
    throw new RangeError(`Expected a strength from 0 to ${STRENGTHS.length - 1}, got ${strength}.`);
  const random = randomFor(0, family.name, `${seed} ${size}`);
  const change = family.begin(canvas, place, value, random);
  const pixels = new Uint8Array(canvas.pixels); // a copy, of a Buffer too
  const mask = new Uint8Array(width * height);
  const clamped = new Uint8ClampedArray(1);
  const [top, left] = [Math.floor(place.y - place.radius), Math.floor(place.x - place.radius)];
  for (let y = Math.max(0, top); y <= Math.min(height - 1, place.y + place.radius); y++)
    for (let x = Math.max(0, left); x <= Math.min(width - 1, place.x + place.radius); x++) {
      const [dx, dy] = [x - place.x, y - place.y];
      if (Math.hypot(dx, dy) > place.radius) continue;
      for (let c = 0; c < channels; c++) {
        const at = (y * width + x) * channels + c;
        const old = canvas.pixels[at]!;
        clamped[0] = change(dx, dy, old, c);
        pixels[at] = clamped[0]!;
        if (pixels[at] !== old) mask[y * width + x] = 1;
      }
    }
  return { pixels, mask, place };
}

/** `mask` (uint8 `[height, width]`, 0 or 1) grown by `reach` pixels in each direction, corners included. */
export function dilate(
  mask: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
  reach: number,
): Uint8Array {
  const out = new Uint8Array(mask.length);
  for (const [i, value] of mask.entries()) {
    if (value === 0) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    const left = Math.max(0, x - reach);
    for (let row = Math.max(0, y - reach); row <= Math.min(height - 1, y + reach); row++)
      out.fill(1, row * width + left, row * width + Math.min(width - 1, x + reach) + 1);
  }
  return out;
}
