import assert from 'node:assert/strict';

/** Seeded numbers from 0 to 1 (Park-Miller). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

export function randomArray(length: number, random: () => number, low: number, high: number): Float32Array {
  return Float32Array.from({ length }, () => low + (high - low) * random());
}

/** Fails unless every element is within `relative` of the expected one, or within `absolute`. */
export function assertClose(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative, absolute, what }: { relative: number; absolute: number; what: string },
): void {
  assert.equal(got.length, expected.length, `${what}: number of elements`);
  for (let i = 0; i < expected.length; i++) {
    const [g, e] = [got[i]!, expected[i]!];
    const equal = Object.is(g, e) || Math.abs(g - e) <= absolute + relative * Math.abs(e);
    if (!equal) assert.fail(`${what}: element ${i} is ${g}, expected ${e}`);
  }
}
