/** Regions of a capture that nobody looks at, such as a burned-in date: black before anything else is done. */
import sharp from 'sharp';
import type { Region } from '../../config/preprocessing.ts';
import type { Size, Source } from './source.ts';

/**
 * The same pages with their regions black. They are then decoded at full size, which for a large JPEG takes longer
 * than decoding it at a fraction.
 */
export function blankedSource(source: Source, mask: readonly Region[] | undefined): Source {
  if (mask === undefined) return source;
  return {
    ...source,
    async open(page) {
      const { data, info } = await (await source.open(page))
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true })
        .catch((cause: Error) => {
          throw source.refusal(cause);
        });
      const { width, height, channels } = info;
      blank(data, { width, height, channels }, mask, info);
      return sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
    },
  };
}

/**
 * Makes `regions` black in `pixels`, uint8 `[height, width, channels]`, in place. Pixels that a region touches are
 * within it. `stored`: size of the upright image that `pixels` may be a reduced copy of, which regions in pixels
 * are meant in.
 */
export function blank(
  pixels: Uint8Array,
  { width, height, channels }: Size & { readonly channels: number },
  regions: readonly Region[],
  stored: Size,
): void {
  for (const region of regions) {
    const whole = region.unit === 'percent' ? { width: 100, height: 100 } : stored;
    const columns = span(region.left, region.width, width / whole.width, width);
    const rows = span(region.top, region.height, height / whole.height, height);
    for (let y = rows.from; y < rows.to; y++)
      pixels.fill(0, (y * width + columns.from) * channels, (y * width + columns.to) * channels);
  }
}

/** As `--mask` takes it: left, top, width and height, in pixels or with per cent signs. */
export function regionAsText({ unit, left, top, width, height }: Region): string {
  return [left, top, width, height].map((value) => `${value}${unit === 'percent' ? '%' : ''}`).join(',');
}

/** From `start` on, both ends within 0 to `most`; rounding of shares must not add a line. */
function span(start: number, length: number, scale: number, most: number): { from: number; to: number } {
  const from = Math.floor(start * scale + 1e-6);
  const to = Math.ceil((start + length) * scale - 1e-6);
  return { from: Math.min(from, most), to: Math.max(Math.min(to, most), Math.min(from, most)) };
}
