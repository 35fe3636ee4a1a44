/** What a bundle measures in an image, with and without one of its regions. */
import { pixelsOf } from '../../agent/inspect/mask.ts';
import { quantile } from '../../agent/inspect/quantile.ts';
import type { Scorer } from '../../agent/inspect/score.ts';
import type { Manifest } from '../../config/bundle.ts';
import type { Preprocessing, Region } from '../../config/preprocessing.ts';
import type { Picture } from '../features.ts';

export interface Dependence {
  readonly of: 'statistic' | 'voice';
  readonly name: string;
  /** In standard deviations of good images. */
  readonly change: number;
}

/** Smaller changes, in standard deviations of good images, are not told. */
const TOLD = 0.5;
/** Pixels around a region that its filling is the median of. */
const RING = 4;

/**
 * The median change over `images` when the region looks as what is around it does. null: where the region lies in the
 * input is not known, as the images are cropped or padded first.
 */
export async function measureChange(
  images: readonly Picture[],
  region: Region,
  scorer: Scorer,
  { preprocessing, calibration, voices = [], statistics = [] }: Manifest,
): Promise<Dependence[] | null> {
  const { crop, fit, frames } = preprocessing;
  if (crop !== 'none' || fit !== 'fill' || frames > 1) return null;
  const columns = [
    ...statistics.map(({ name }) => ({
      of: 'statistic' as const,
      name,
      good: calibration.statistics?.[name],
    })),
    ...voices.map(({ name }) => ({ of: 'voice' as const, name, good: calibration.voices?.[name] })),
  ];
  if (columns.length === 0) return [];
  const changes: number[][] = columns.map(() => []);
  for (const { pixels } of images) {
    const before = await measured(scorer, pixels);
    const after = await measured(scorer, filled(pixels, preprocessing, region));
    for (const [c, values] of changes.entries()) values.push(Math.abs(after[c]! - before[c]!));
  }
  return columns
    .map(({ of, name, good = [] }, c) => ({
      ...{ of, name },
      change: quantile(ascending(changes[c]!), 0.5) / spreadOf(good),
    }))
    .filter(({ change }) => change >= TOLD)
    .sort((a, b) => b.change - a.change);
}

/** Statistics, then voices. */
async function measured(scorer: Scorer, pixels: Uint8Array): Promise<number[]> {
  const { statistics = [], voices = [] } = await scorer.score(pixels, 1);
  return [...statistics, ...voices];
}

/** Standard deviation of what all but the ends of `good`, ascending, do; never quite zero. */
function spreadOf(good: readonly number[]): number {
  if (good.length === 0) return 1;
  const central = (quantile(good, 0.84) - quantile(good, 0.16)) / 2;
  return Math.max(central, 1e-3 * Math.abs(quantile(good, 0.5)), 1e-4);
}

/** A copy in which the region has, channel by channel, the median of the pixels around it. */
function filled(pixels: Uint8Array, spec: Preprocessing, region: Region): Uint8Array {
  const { width, height, channels } = spec;
  const inner = pixelsOf(region, spec, spec);
  const [left, top] = [Math.max(0, inner.left - RING), Math.max(0, inner.top - RING)];
  const [right, bottom] = [Math.min(width, inner.right + RING), Math.min(height, inner.bottom + RING)];
  const inside = (x: number, y: number) =>
    x >= inner.left && x < inner.right && y >= inner.top && y < inner.bottom;
  const copy = pixels.slice();
  for (let c = 0; c < channels; c++) {
    const ring: number[] = [];
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++)
        if (!inside(x, y)) ring.push(pixels[(y * width + x) * channels + c]!);
    if (ring.length === 0) continue; // the region is the whole image
    const value = Math.round(quantile(ascending(ring), 0.5));
    for (let y = inner.top; y < inner.bottom; y++)
      for (let x = inner.left; x < inner.right; x++) copy[(y * width + x) * channels + c] = value;
  }
  return copy;
}

const ascending = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);
