/** Small files and specifications for tests of preprocessing. */
import sharp from 'sharp';
import type { Preprocessing } from '../../../config/preprocessing.ts';

export const spec = (changes: Partial<Preprocessing>): Preprocessing => ({
  width: 16,
  height: 16,
  channels: 1,
  frames: 1,
  crop: 'none',
  fit: 'fill',
  kernel: 'nearest',
  ...changes,
});
export const limits = { pixels: 1e6, bytes: 1e6 };
export const greyPng = (data: Uint8Array, width: number, height: number): Promise<Buffer> =>
  sharp(data, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();

/** Pages of one grey value each. */
export async function sequence(values: readonly number[], format: 'gif' | 'webp' | 'tiff'): Promise<Buffer> {
  const pages = values.map((v) =>
    sharp({ create: { width: 8, height: 8, channels: 3, background: { r: v, g: v, b: v } } })
      .png()
      .toBuffer(),
  );
  return sharp(await Promise.all(pages), { join: { animated: true } })
    .toFormat(format, format === 'webp' ? { lossless: true } : {})
    .toBuffer();
}
