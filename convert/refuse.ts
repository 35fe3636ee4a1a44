/** Everything that stands in the way of a model, told at once. */

/** Takes note of one thing that stands in the way. */
export type Refuse = (problem: string) => void;

/** @throws Error of all problems, with what helps against all of them behind; or nothing where there are none. */
export function refuseAll(problems: readonly string[], instead?: string): void {
  if (problems.length === 0) return;
  if (problems.length === 1) throw new Error([problems[0], ...(instead ? [instead] : [])].join('. '));
  const lines = [`${problems.length} things stand in the way:`, ...problems, ...(instead ? [instead] : [])];
  throw new Error(lines.join('\n  '));
}

export const refuseAtOnce: Refuse = (problem) => refuseAll([problem]);
