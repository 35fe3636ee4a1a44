/**
 * Finds the verdict that ends every connection on which it is sent: a broker of MQTT 3.1.1 has no other way to refuse
 * one, and it would keep all behind it from being delivered.
 */

/** So many connections in a row that ended with one and the same verdict alone in flight. */
const STRIKES = 2;

export interface Suspect {
  /** Whether to send one at a time: the last connection ended with verdicts in flight. */
  readonly careful: boolean;
  /** The connection ended; `inFlight` were sent and not answered. Gives the number of the culprit, or null. */
  ended(inFlight: readonly number[]): number | null;
  /** The broker answered: nothing is wrong with what was sent. */
  answered(): void;
}

export function findSuspect(): Suspect {
  let careful = false;
  let alone: number | null = null;
  let strikes = 0;
  return {
    get careful() {
      return careful;
    },
    ended(inFlight) {
      careful = inFlight.length > 0;
      const [only] = inFlight;
      if (only === undefined || inFlight.length > 1) return null;
      strikes = only === alone ? strikes + 1 : 1;
      alone = only;
      if (strikes < STRIKES) return null;
      strikes = 0; // another time it may be taken
      careful = false;
      return only;
    },
    answered() {
      careful = false;
      alone = null;
    },
  };
}
