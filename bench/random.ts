/** Seeded random numbers, so that every peer and every run gets the same ones. */

/** `length` numbers in [low, high). */
export function randomArray(length: number, low: number, high: number, random: () => number): Float32Array {
  return Float32Array.from({ length }, () => low + (high - low) * random());
}
