/** The two functions of Node's `util` that tfjs-node 4.22.0 calls and Node 23 removed or is about to. */

export function isNullOrUndefined(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

export const isArray = Array.isArray;
