/** Where a defect is planted: within what is bright enough to be the subject. */
import { histogram, percentile } from '../../agent/inspect/stretch.ts';
import type { Random } from '../random.ts';
import type { Canvas, Place } from './family.ts';

/** Brighter than this share of the 99th percentile, and than this many grey values, is foreground: as in the voices. */
const BRIGHT = { share: 0.12, least: 10 } as const;

/** Places that are tried; the first that lies in the foreground is taken, else the one that lies there most. */
const TRIES = 60;

/** Points of the disc and its rim that must be foreground, as shares of the radius. */
const POINTS = [[0, 0], ...ring(0.5, 6), ...ring(1, 12)] as const;

/** A disc of `diameter` (share of the shorter side) that lies within the image. */
export function choosePlace(canvas: Canvas, diameter: number, random: Random): Place {
  const { width, height } = canvas;
  const grey = greyOf(canvas);
  const level = Math.max(BRIGHT.share * percentile(histogram(grey), 99), BRIGHT.least);
  const radius = Math.max(2, (diameter * Math.min(width, height)) / 2);
  const inside = (place: Place) =>
    POINTS.filter(([i, j]) => {
      const [x, y] = [Math.round(place.x + i! * radius), Math.round(place.y + j! * radius)];
      return grey[Math.min(height - 1, y) * width + Math.min(width - 1, x)]! > level;
    }).length;
  let best: { place: Place; points: number } | null = null;
  for (let i = 0; i < TRIES; i++) {
    const place = {
      x: radius + random() * Math.max(0, width - 1 - 2 * radius),
      y: radius + random() * Math.max(0, height - 1 - 2 * radius),
      radius,
    };
    const points = inside(place);
    if (best === null || points > best.points) best = { place, points };
    if (points === POINTS.length) break;
  }
  return best!.place;
}

function greyOf({ pixels, channels }: Canvas): Uint8Array {
  const grey = new Uint8Array(pixels.length / channels);
  for (let i = 0; i < grey.length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += pixels[i * channels + c]!;
    grey[i] = sum / channels;
  }
  return grey;
}

function ring(radius: number, count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}
