/** Pictures for tests, drawn by code from a seed. */
import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';

/** Uniform numbers in [0, 1) from a seed: mulberry32 (Tommy Ettinger, public domain). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A slow colour wave, uint8 `[size, size, 3]`; `seed` varies its phase. */
export function smoothPixels(size: number, seed: number): Uint8Array {
  const uniform = random(seed);
  const phase = [uniform() * 6, uniform() * 6, uniform() * 6];
  const pixels = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      for (let c = 0; c < 3; c++)
        pixels[(y * size + x) * 3 + c] = 128 + 80 * Math.sin((2 * x + 3 * y) / size + phase[c]!);
  return pixels;
}

/** Independent noise, uint8 `[size, size, 3]`. */
export function noisyPixels(size: number, seed: number): Uint8Array {
  const uniform = random(seed);
  return Uint8Array.from({ length: size * size * 3 }, () => uniform() * 256);
}

/** Encodes uint8 `[size, size, 3]`. */
export function encode(
  pixels: Uint8Array,
  size: number,
  format: 'jpeg' | 'png' | 'tiff' | 'webp' = 'jpeg',
): Promise<Buffer> {
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .toFormat(format, { quality: 95 })
    .toBuffer();
}

/** Writes a capture that the test bundle passes (`smooth`) or calls for review (`noisy`). */
export async function writeCapture(
  file: string,
  kind: 'smooth' | 'noisy',
  seed: number,
  size = 64,
): Promise<void> {
  const pixels = kind === 'smooth' ? smoothPixels(size, seed) : noisyPixels(size, seed);
  await writeFile(file, await encode(pixels, size));
}
