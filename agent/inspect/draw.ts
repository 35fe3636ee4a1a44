/** Draws where an image departs from good ones. The colour scale is fixed at calibration, never per image. */
import sharp from 'sharp';
import type { Manifest } from '../../config/bundle.ts';
import { shownFrame } from './frames.ts';

/** Anchors of the colour map inferno (van der Walt and Smith 2015, CC0) at 0, 1/8, ..., 1. */
const INFERNO = [
  [0, 0, 4],
  [31, 12, 72],
  [85, 15, 109],
  [136, 34, 106],
  [186, 54, 85],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
] as const;

/** Colour of `value` on the scale 0..1 (clipped), as [red, green, blue] 0..255. */
function heatColour(value: number): readonly [number, number, number] {
  const position = Math.min(Math.max(value, 0), 1) * (INFERNO.length - 1);
  const i = Math.min(Math.floor(position), INFERNO.length - 2);
  const [from, to] = [INFERNO[i]!, INFERNO[i + 1]!];
  const mix = (c: 0 | 1 | 2) => Math.round(from[c] + (position - i) * (to[c] - from[c]));
  return [mix(0), mix(1), mix(2)];
}

/** A map, float32 `[height, width]`, as a PNG of `size` pixels; `alarm` is the value of the hottest colour. */
export async function drawMap(
  map: Float32Array,
  mapSize: { readonly width: number; readonly height: number },
  alarm: number,
  size: { readonly width: number; readonly height: number },
): Promise<Buffer> {
  const pixels = new Uint8Array(map.length * 3);
  for (const [i, value] of map.entries()) pixels.set(heatColour(value / alarm), i * 3);
  return sharp(pixels, { raw: { ...mapSize, channels: 3 } })
    .resize(size.width, size.height, { fit: 'fill', kernel: 'cubic' })
    .png()
    .toBuffer();
}

/** What the graph saw (its middle frame) beside where it departs: one PNG, image on the left, map on the right. */
export async function drawBeside(
  pixels: Uint8Array,
  map: Float32Array,
  mapSize: { readonly width: number; readonly height: number },
  manifest: Manifest,
): Promise<Buffer> {
  const { width, height, channels } = manifest.preprocessing;
  const scale = Math.max(1, Math.round(320 / width));
  const size = { width: width * scale, height: height * scale };
  const image = await sharp(shownFrame(pixels, manifest.preprocessing), { raw: { width, height, channels } })
    .resize(size.width, size.height, { kernel: 'nearest' })
    .png()
    .toBuffer();
  const heat = await drawMap(map, mapSize, manifest.calibration.mapAlarm, size);
  const gap = 8;
  return sharp({
    create: { width: 2 * size.width + gap, height: size.height, channels: 3, background: '#fff' },
  })
    .composite([
      { input: image, left: 0, top: 0 },
      { input: heat, left: size.width + gap, top: 0 },
    ])
    .png()
    .toBuffer();
}
