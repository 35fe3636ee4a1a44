/** Principal directions without a full decomposition. */
import type { Random } from '../random.ts';
import { type Matrix, rowOf } from './matrix.ts';

/** Products with the covariance: the error falls with the ratio of neighbouring variances to this power. */
const ITERATIONS = 25;

/**
 * The `count` directions of largest variance of centred rows, by orthogonal iteration (Golub and Van Loan 2013, 8.2.4)
 * from a random start. `directions` is `[columns, count]`, orthonormal; variances are those along each.
 */
export function principalDirections(
  centred: Matrix,
  count: number,
  random: Random,
): { readonly directions: Float32Array; readonly variances: Float64Array } {
  const { rows, columns } = centred;
  let basis = Array.from({ length: count }, () =>
    Float64Array.from({ length: columns }, () => random() - 0.5),
  );
  orthonormalise(basis);
  const variances = new Float64Array(count);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const next = basis.map(() => new Float64Array(columns));
    for (let row = 0; row < rows; row++) {
      const values = rowOf(centred, row);
      for (let k = 0; k < count; k++) {
        const along = dot(values, basis[k]!) / rows;
        const target = next[k]!;
        for (let j = 0; j < columns; j++) target[j]! += along * values[j]!;
      }
    }
    for (let k = 0; k < count; k++) variances[k] = dot(next[k]!, basis[k]!);
    orthonormalise(next);
    basis = next;
  }
  const directions = new Float32Array(columns * count);
  for (let k = 0; k < count; k++) for (let j = 0; j < columns; j++) directions[j * count + k] = basis[k]![j]!;
  return { directions, variances };
}

/** Modified Gram-Schmidt, twice: once loses orthogonality when directions are nearly alike. */
export function orthonormalise(basis: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass++)
    for (const [k, vector] of basis.entries()) {
      for (const earlier of basis.slice(0, k)) {
        const along = dot(vector, earlier);
        for (let j = 0; j < vector.length; j++) vector[j]! -= along * earlier[j]!;
      }
      const length = Math.sqrt(dot(vector, vector));
      for (let j = 0; j < vector.length; j++) vector[j]! /= length || 1;
    }
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
