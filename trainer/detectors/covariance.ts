/** A covariance that can be inverted however few images there are. */
import { type Matrix, rowOf, secondMoments } from './matrix.ts';

/** `[columns, columns]`, of centred features: shrunk towards a multiple of the identity (Ledoit and Wolf 2004). */
export function shrunkCovariance(centred: Matrix): Float64Array {
  const { rows, columns } = centred;
  const covariance = secondMoments(centred);
  let trace = 0;
  for (let i = 0; i < columns; i++) trace += covariance[i * columns + i]!;
  const mean = trace / columns;
  const squared = covariance.reduce((sum, value) => sum + value * value, 0);
  const spread = squared / columns - mean * mean;
  let fourth = 0;
  for (let row = 0; row < rows; row++)
    fourth += rowOf(centred, row).reduce((sum, value) => sum + value * value, 0) ** 2;
  const error = (fourth / rows - squared) / columns / rows;
  const share = spread <= 0 ? 1 : Math.min(1, Math.max(0, error / spread));
  const shrunk = covariance.map((value) => (1 - share) * value);
  for (let i = 0; i < columns; i++) shrunk[i * columns + i]! += share * mean + 1e-9;
  return shrunk;
}

/**
 * The matrix W with `|x W|^2 = x^T C^-1 x` for a positive definite `covariance` C: the transposed inverse of its
 * Cholesky factor, row by row.
 */
export function whiteningOf(covariance: Float64Array, size: number): Float32Array {
  const lower = cholesky(covariance, size);
  const whitening = new Float32Array(size * size);
  const column = new Float64Array(size);
  for (let j = 0; j < size; j++) {
    column.fill(0);
    for (let i = j; i < size; i++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= lower[i * size + k]! * column[k]!;
      column[i] = sum / lower[i * size + i]!;
      whitening[j * size + i] = column[i]!;
    }
  }
  return whitening;
}

/** L with L L^T = C, lower triangle. */
function cholesky(matrix: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * size + j]!;
      for (let k = 0; k < j; k++) sum -= lower[i * size + k]! * lower[j * size + k]!;
      lower[i * size + j] = i === j ? Math.sqrt(Math.max(sum, Number.EPSILON)) : sum / lower[j * size + j]!;
    }
  return lower;
}
