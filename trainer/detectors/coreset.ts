/** Few rows that stand for many. */
import type { Random } from '../random.ts';
import { type Matrix, rowOf } from './matrix.ts';

/** Rows such that none is far from a chosen one: greedy k-centre (Gonzalez 1985), from a random row on. */
export function chooseCoreset(matrix: Matrix, most: number, random: Random): number[] {
  if (matrix.rows <= most) return Array.from({ length: matrix.rows }, (_, i) => i);
  const distance = new Float64Array(matrix.rows).fill(Number.POSITIVE_INFINITY);
  const chosen: number[] = [];
  let next = Math.floor(random() * matrix.rows);
  while (chosen.length < most) {
    chosen.push(next);
    const centre = rowOf(matrix, next);
    let farthest = -1;
    for (let row = 0; row < matrix.rows; row++) {
      distance[row] = Math.min(distance[row]!, squaredDistance(rowOf(matrix, row), centre));
      if (farthest < 0 || distance[row]! > distance[farthest]!) farthest = row;
    }
    next = farthest;
  }
  return chosen;
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
