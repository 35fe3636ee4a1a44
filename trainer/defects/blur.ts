/** A patch out of focus. */
import { type Family, softDisc } from './family.ts';

/** Strength: radius of the disc that each pixel is the mean of, as a share of the image's side. */
export const blur: Family = {
  name: 'blur',
  words: 'blurred patch',
  strengths: [0.008, 0.016, 0.032],
  begin: ({ pixels, width, height, channels }, place, strength) => {
    const reach = Math.max(1, strength * Math.min(width, height));
    const whole = Math.floor(reach);
    const offsets: [number, number][] = [];
    for (let j = -whole; j <= whole; j++)
      for (let i = -whole; i <= whole; i++) if (Math.hypot(i, j) <= reach) offsets.push([i, j]);
    return (dx, dy, old, channel) => {
      const [x, y] = [Math.round(place.x + dx), Math.round(place.y + dy)];
      let [sum, count] = [0, 0];
      for (const [i, j] of offsets) {
        const [column, row] = [x + i, y + j];
        if (column < 0 || column >= width || row < 0 || row >= height) continue;
        sum += pixels[(row * width + column) * channels + channel]!;
        count += 1;
      }
      return old + softDisc(Math.hypot(dx, dy), place.radius, 0.8) * (sum / count - old);
    };
  },
};
