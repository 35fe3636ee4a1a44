/** Grey images to black and white: 0 and 255. */
import type { Thresholding } from '../../config/preprocessing.ts';
import { histogram } from './stretch.ts';

/**
 * Thresholds `pixels`, grey uint8 `[frames, height, width]`, in place.
 * `fixed` and `otsu` have one threshold for all frames, so that a sequence does not flicker.
 */
export function applyThresholding(
  pixels: Uint8Array,
  size: { readonly width: number; readonly height: number },
  method: Thresholding,
): void {
  if (method.method === 'adaptive') {
    const area = size.width * size.height;
    for (let start = 0; start < pixels.length; start += area)
      adaptive(pixels.subarray(start, start + area), size, method);
    return;
  }
  const threshold = method.method === 'fixed' ? method.value : otsuThreshold(histogram(pixels));
  for (let i = 0; i < pixels.length; i++) pixels[i] = pixels[i]! > threshold ? 255 : 0;
}

/**
 * The grey value that separates dark from bright with the largest variance between the two classes; values above it
 * are bright. Where several separate equally well (an empty stretch of the histogram), the middle one.
 * Otsu 1979, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9(1), equation 18.
 * An image of one value `v` gives `v`.
 */
export function otsuThreshold(counts: Uint32Array): number {
  let total = 0;
  let moment = 0;
  let only = 0;
  for (let value = 0; value < 256; value++) {
    total += counts[value]!;
    moment += value * counts[value]!;
    if (counts[value]! > 0) only = value;
  }
  let [darker, darkerMoment] = [0, 0];
  let [best, first, last] = [0, only, only];
  for (let value = 0; value < 255; value++) {
    darker += counts[value]!;
    darkerMoment += value * counts[value]!;
    const brighter = total - darker;
    if (darker === 0 || brighter === 0) continue;
    const difference = darkerMoment / darker - (moment - darkerMoment) / brighter;
    const between = (darker / total) * (brighter / total) * difference * difference;
    if (between > best) [best, first, last] = [between, value, value];
    else if (between === best) last = value;
  }
  return (first + last) >> 1;
}

/**
 * By the mean of the (2 radius + 1)^2 neighbourhood, as far as it lies inside, from an integral image
 * (Bradley and Roth 2007, "Adaptive thresholding using the integral image").
 */
function adaptive(
  grey: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
  { radius, offset }: Extract<Thresholding, { method: 'adaptive' }>,
): void {
  const stride = width + 1;
  // Largest sum: 4096 * 4096 * 255 < 2^32.
  const sums = new Uint32Array(stride * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      row += grey[y * width + x]!;
      sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1]! + row;
    }
  }
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [Math.max(0, y - radius), Math.min(height, y + radius + 1)];
    for (let x = 0; x < width; x++) {
      const [left, right] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
      const sum =
        sums[bottom * stride + right]! -
        sums[top * stride + right]! -
        sums[bottom * stride + left]! +
        sums[top * stride + left]!;
      const mean = sum / ((bottom - top) * (right - left));
      grey[y * width + x] = grey[y * width + x]! > mean - offset ? 255 : 0;
    }
  }
}
