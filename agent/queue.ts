/** Settled captures that wait for a score: which comes first, and how many are held in memory. */
import type { Capture } from './capture.ts';

export const ORDERS = ['newest', 'oldest'] as const;
export type Order = (typeof ORDERS)[number];

export interface CaptureQueue {
  readonly length: number;
  /** Whether a capture that nobody waits for would be kept. */
  hasRoom(capture: Capture): boolean;
  /**
   * Takes a capture. Beyond the bound the last in line is left out, perhaps this one: it is returned.
   * @param urgent it has just come: somebody waits for its verdict.
   */
  add(capture: Capture, urgent: boolean): Capture | null;
  /** Takes out the first in line. */
  next(): Capture | undefined;
}

interface Place {
  readonly capture: Capture;
  readonly urgent: boolean;
  /** Larger goes first, among equally urgent ones. */
  readonly rank: bigint;
}

/**
 * `newest`: what has just come goes first, the last arrival foremost, then the others by modification time, newest
 * first. `oldest`: all by modification time, oldest first.
 * @param most captures held.
 */
export function captureQueue(order: Order, most: number): CaptureQueue {
  /** Last in line first. */
  const places: Place[] = [];
  let arrivals = 0n;

  const placeOf = (capture: Capture, urgent: boolean): Place => {
    const time = capture.modifiedNanoseconds;
    if (order === 'oldest') return { capture, urgent: false, rank: -time };
    return { capture, urgent, rank: urgent ? arrivals++ : time };
  };
  const before = (a: Place, b: Place) => (a.urgent === b.urgent ? a.rank < b.rank : b.urgent);

  return {
    get length() {
      return places.length;
    },
    hasRoom: (capture) => places.length < most || before(places[0]!, placeOf(capture, false)),
    add(capture, urgent) {
      const place = placeOf(capture, urgent);
      let [from, to] = [0, places.length];
      while (from < to) {
        const middle = (from + to) >> 1;
        if (before(place, places[middle]!)) to = middle;
        else from = middle + 1;
      }
      places.splice(from, 0, place);
      return places.length > most ? places.shift()!.capture : null;
    },
    next: () => places.pop()?.capture,
  };
}
