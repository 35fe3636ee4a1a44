/** Frames, letterboxes and empty surrounds. */
import type { GreyImage } from './grey-image.ts';

/** Grey levels within which a row counts as uniform: rounding of a JPEG, no structure. */
const TOLERANCE = 12;

/**
 * Share of the picture, 0..1, taken by the rows and columns at its rim that hold one grey value throughout: that of
 * the rim itself on the same side. 1 for a picture that is uniform altogether.
 */
export function borderShare({ pixels, width, height }: GreyImage): number {
  const row = (y: number) => ({ start: y * width, step: 1, count: width });
  const column = (x: number) => ({ start: x, step: width, count: height });
  const depth = (line: (at: number) => Line, count: number, from: 'start' | 'end') => {
    const at = (i: number) => line(from === 'start' ? i : count - 1 - i);
    const level = pixels[at(0).start]!;
    let lines = 0;
    while (lines < count && isUniform(pixels, at(lines), level)) lines++;
    return lines;
  };
  const rows = height - depth(row, height, 'start') - depth(row, height, 'end');
  const columns = width - depth(column, width, 'start') - depth(column, width, 'end');
  return 1 - (Math.max(0, rows) * Math.max(0, columns)) / (width * height);
}

interface Line {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

function isUniform(pixels: Uint8Array, { start, step, count }: Line, level: number): boolean {
  for (let i = 0; i < count; i++) if (Math.abs(pixels[start + i * step]! - level) > TOLERANCE) return false;
  return true;
}
