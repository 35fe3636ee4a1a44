/** How far results are from what Python computed, and what a program says when there are none. */

/** Of what a program wrote to standard error: the line of the converter, or the last one of Python; of files the names alone. */
export function complaint(error: unknown): string {
  const lines = (error as Error).message.split('\n').map((line) => line.trim());
  const line = lines.find((each) => each.startsWith('convert: ')) ?? lines.at(-1)!;
  return line.replace(/\/\S+\//g, '').slice(0, 300);
}

/** Relative to the value or to 1 % of the largest; infinite where a value is not a number. */
export function relativeDifference(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  const floor = 0.01 * expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = got.reduce(
    (most, value, i) =>
      value === expected[i]
        ? most
        : Math.max(most, Math.abs(value - expected[i]!) / Math.max(Math.abs(expected[i]!), floor)),
    0,
  );
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
}
