import { seeded } from './numbers.ts';

/** Choices drawn from a seed. */
export interface Draw {
  /** A whole number, both ends included. */
  int(low: number, high: number): number;
  pick<T>(list: readonly T[]): T;
}

/** Equal seeds give equal choices. */
export function drawing(seed: number): Draw {
  const random = seeded(seed * 7919 + 13);
  for (let i = 0; i < 5; i++) random(); // the first draws of neighbouring seeds are alike
  return {
    int: (low, high) => low + Math.floor(random() * (high - low + 1)),
    pick: (list) => list[Math.floor(random() * list.length)]!,
  };
}
