/** Features of many images, one row each. */

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Row by row. */
  readonly data: Float32Array;
}

/** Of rows of one length; `columns` says which when there is none. */
export function matrixOf(rows: readonly Float32Array[], columns = rows[0]?.length ?? 0): Matrix {
  const data = new Float32Array(rows.length * columns);
  for (const [i, row] of rows.entries()) data.set(row, i * columns);
  return { rows: rows.length, columns, data };
}

export function rowOf({ columns, data }: Matrix, row: number): Float32Array {
  return data.subarray(row * columns, (row + 1) * columns);
}

/** Sums of products of the columns, `[columns, columns]` in double precision, divided by the number of rows. */
export function secondMoments({ rows, columns, data }: Matrix): Float64Array {
  const moments = new Float64Array(columns * columns);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    for (let i = 0; i < columns; i++) {
      const value = data[start + i]!;
      if (value === 0) continue;
      const at = i * columns;
      for (let j = 0; j <= i; j++) moments[at + j]! += value * data[start + j]!;
    }
  }
  for (let i = 0; i < columns; i++)
    for (let j = 0; j <= i; j++) {
      const mean = moments[i * columns + j]! / rows;
      moments[i * columns + j] = mean;
      moments[j * columns + i] = mean;
    }
  return moments;
}
