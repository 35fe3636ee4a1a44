/** Noise for training, cheap enough to be drawn anew for every step. */
import type { Random } from '../random.ts';

/** Normal numbers drawn once; each step begins somewhere else among them. */
const DRAWN = 2 ** 18;

/** Gives what fills `noisy` with `clean` and normal noise of this standard deviation. */
export function makeNoise(
  deviation: number,
  random: Random,
): (clean: Float32Array, noisy: Float32Array) => void {
  const normal = normals(DRAWN, random).map((value) => deviation * value);
  return (clean, noisy) => {
    let at = Math.floor(random() * DRAWN);
    for (let i = 0; i < clean.length; i++) {
      noisy[i] = clean[i]! + normal[at]!;
      at = at + 1 === DRAWN ? 0 : at + 1;
    }
  };
}

/** Standard normal numbers, two from each pair of uniform ones (Box and Muller 1958). */
export function normals(count: number, random: Random): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}
