/** Seeded random numbers, so that every peer and every run gets the same ones. */

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32, T. Ettinger 2017, public domain). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` numbers in [low, high). */
export function randomArray(length: number, low: number, high: number, random: () => number): Float32Array {
  return Float32Array.from({ length }, () => low + (high - low) * random());
}
