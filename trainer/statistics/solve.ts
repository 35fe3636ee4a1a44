/** Small systems of linear equations. */

/** x of `matrix` x = `right`, for a square, invertible matrix given by rows: elimination with partial pivoting. */
export function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column + 1; i < n; i++)
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    const top = rows[column]!;
    for (let i = column + 1; i < n; i++) {
      const factor = rows[i]![column]! / top[column]!;
      for (let j = column; j <= n; j++) rows[i]![j]! -= factor * top[j]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    const row = rows[i]!;
    let rest = row[n]!;
    for (let j = i + 1; j < n; j++) rest -= row[j]! * x[j]!;
    x[i] = rest / row[i]!;
  }
  return x;
}
