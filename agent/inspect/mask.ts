/** Regions of a capture that nobody looks at, such as a burned-in date: black before anything else is done. */
import sharp from 'sharp';
import type { Region } from '../../config/preprocessing.ts';
import type { Box } from './foreground.ts';
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
    const { left, top, right, bottom } = pixelsOf(region, { width, height }, stored);
    for (let y = top; y < bottom; y++)
      pixels.fill(0, (y * width + left) * channels, (y * width + right) * channels);
  }
}

/** First row and column of a region in a picture of `size`, and those behind its last; `stored` as of `blank`. */
export function pixelsOf(region: Region, size: Size, stored: Size): Box {
  const whole = region.unit === 'percent' ? { width: 100, height: 100 } : stored;
  const columns = span(region.left, region.width, size.width / whole.width, size.width);
  const rows = span(region.top, region.height, size.height / whole.height, size.height);
  return { left: columns.from, right: columns.to, top: rows.from, bottom: rows.to };
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
