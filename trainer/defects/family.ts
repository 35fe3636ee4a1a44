/** What a family of planted defects is: how it changes the pixels around a place. */
import type { Random } from '../random.ts';

/** uint8 `[height, width, channels]`, 0 to 255. */
export interface Canvas {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** A disc, in pixels of the canvas. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/**
 * New value of a channel at `dx, dy` from the centre of the place, in pixels; `old` is what was there. It is asked
 * within the disc only, and gives equal changes to equal channels, so that grey stays grey.
 */
export type Change = (dx: number, dy: number, old: number, channel: number) => number;

export interface Family {
  readonly name: string;
  /** In the words of the report, after "a" or "an". */
  readonly words: string;
  /** What the strengths weak, medium and strong mean, in the unit of the family. */
  readonly strengths: readonly [number, number, number];
  /** Draws its random numbers before it gives the change, so that equal seeds give equal defects. */
  readonly begin: (canvas: Canvas, place: Place, strength: number, random: Random) => Change;
}

/** 1 up to `share` of the radius, from there down to 0 at the rim, smooth. */
export function softDisc(distance: number, radius: number, share: number): number {
  const t = Math.min(1, Math.max(0, (1 - distance / radius) / (1 - share)));
  return t * t * (3 - 2 * t);
}
