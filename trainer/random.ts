/** Seeded random numbers: the same seed gives the same run, whatever the order in which things are asked for. */
import { createHash } from 'node:crypto';

/** A generator of uniform numbers in [0, 1). */
export type Random = () => number;

/** An independent generator for each purpose: `randomFor(seed, 'shuffle', 7)`. */
export function randomFor(seed: number, ...purpose: readonly (string | number)[]): Random {
  const digest = createHash('sha256')
    .update([seed, ...purpose].join('|'))
    .digest();
  return mulberry32(digest.readUInt32LE(0));
}

/** mulberry32 (Tommy Ettinger, public domain). */
function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The items in random order (Fisher and Yates 1938); the input stays as it is. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
