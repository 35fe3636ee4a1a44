/** What `agent ledger verify` says of one thing that it looked at. */

export interface Proof {
  readonly what: string;
  readonly ok: boolean;
  /** What was counted, or what is wrong and what to do. */
  readonly said: string;
}

/** So many names or numbers are told of what is wrong. */
export const TOLD = 5;

/** The first few of what is wrong. */
export function some(what: readonly unknown[]): string {
  return `${what.slice(0, TOLD).join(', ')}${what.length > TOLD ? ', ...' : ''}`;
}
