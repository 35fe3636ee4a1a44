/** Where the subject of a capture lies: what is brighter than a dark surround. */
import { histogram, percentile } from './stretch.ts';

/** Side of the thumbnail, in pixels, that the foreground is looked for in. */
export const FOREGROUND_SIDE = 128;

/** Shares of width and height, 0..1. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Grey values by which the brightest parts must exceed the darkest for anything to stand out. */
const CONTRAST = 24;
/** A surround brighter than this share of the brightest parts is not dark: it belongs to the image. */
const DARK = 1 / 3;
/** Foreground is brighter than the dark by this share of the contrast, and by at least this many grey values. */
const [SHARE, LEAST] = [0.1, 8];
/** Parts smaller than this share of the largest are text, marks or noise. */
const PART = 0.1;
/** A largest part smaller than this share of the image is no subject. */
const SUBJECT = 0.01;

/**
 * The box around what stands out in a grey thumbnail, uint8 `[height, width]`. A filter of 3 x 3 takes away noise;
 * of the connected parts that remain those count that are not small beside the largest: burned-in text is left out.
 * @returns null when nothing stands out, or when the box is the whole image.
 */
export function findForeground(
  grey: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
): Box | null {
  const counts = histogram(grey);
  const [dark, bright] = [percentile(counts, 1), percentile(counts, 99)];
  if (bright - dark < CONTRAST || dark > DARK * bright) return null;
  const level = dark + Math.max(LEAST, SHARE * (bright - dark));
  const parts = connectedParts(mostlyAbove(grey, level, width, height), width, height);
  const largest = Math.max(0, ...parts.map(({ area }) => area));
  if (largest < SUBJECT * width * height) return null;
  const subject = parts.filter(({ area }) => area >= PART * largest);
  const box = {
    left: Math.min(...subject.map(({ left }) => left)) / width,
    top: Math.min(...subject.map(({ top }) => top)) / height,
    right: (Math.max(...subject.map(({ right }) => right)) + 1) / width,
    bottom: (Math.max(...subject.map(({ bottom }) => bottom)) + 1) / height,
  };
  const whole = box.left === 0 && box.top === 0 && box.right === 1 && box.bottom === 1;
  return whole ? null : box;
}

/**
 * 1 where most of the 3 x 3 neighbourhood is above `level`, else 0: a median filter, seen from the level. Rim pixels
 * have the neighbours that they have.
 */
function mostlyAbove(grey: Uint8Array, level: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(grey.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let [above, all] = [0, 0];
      for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++)
        for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++) {
          all += 1;
          if (grey[j * width + i]! > level) above += 1;
        }
      if (2 * above > all) out[y * width + x] = 1;
    }
  return out;
}

interface Part {
  area: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Parts of `mask` (1 inside, 0 outside) that hang together by sides; `mask` is used up. */
function connectedParts(mask: Uint8Array, width: number, height: number): Part[] {
  const parts: Part[] = [];
  const stack: number[] = [];
  const visit = (i: number): void => {
    if (mask[i] !== 1) return;
    mask[i] = 0;
    stack.push(i);
  };
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] !== 1) continue;
    const part: Part = { area: 0, left: width, top: height, right: 0, bottom: 0 };
    visit(start);
    for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
      const [x, y] = [i % width, Math.floor(i / width)];
      part.area += 1;
      part.left = Math.min(part.left, x);
      part.right = Math.max(part.right, x);
      part.top = Math.min(part.top, y);
      part.bottom = Math.max(part.bottom, y);
      if (x > 0) visit(i - 1);
      if (x < width - 1) visit(i + 1);
      if (y > 0) visit(i - width);
      if (y < height - 1) visit(i + width);
    }
    parts.push(part);
  }
  return parts;
}
