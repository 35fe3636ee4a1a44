/** Holds what might be a capture until it is ready: at once when its format says so, else after quiet time. */
import { type Capture, sameVersion } from '../capture.ts';
import { type Look, look } from './look.ts';
import { takeTurns } from './turns.ts';

/** Looks, and hence open files, at the same time. */
const WIDTH = 8;
/**
 * A complete file must be seen unchanged once more after this long: `cp -p` sets the modification time just after
 * the last byte, and a writer may pause where the file happens to end like a complete one. Also the least time
 * between two looks at one file, and more than the tick (4 ms) by which older kernels round modification times.
 */
const CONFIRM = 5;
/** Events may be throttled or lost: a pending file is looked at by a timer as well, from FIRST doubling to LAST. */
const FIRST = 20;
const LAST = 500;
/** Names from readings of the folder that may be pending; the next reading brings those beyond. Bounds memory. */
const MOST = 10_000;
/** With many pending files the timers stretch, so that together they look at most this often per millisecond. */
const LOOKS_PER_MILLISECOND = 0.5;

export interface GateOptions {
  /** The watched folder. */
  readonly folder: string;
  /** How long an unrecognised file must stand still, milliseconds by the monotonic clock. */
  readonly settleMilliseconds: number;
  readonly isKnown: (capture: Capture) => boolean;
  /** Whether a capture that nobody waits for would be taken now; else it stays in the folder for a later reading. */
  readonly hasRoom: (capture: Capture) => boolean;
  /** Called once a version is ready; from then on `isKnown` must say true for it. `urgent`: an event told of it. */
  readonly onCapture: (capture: Capture, urgent: boolean) => void;
  /** A look failed for no reason of the file, such as a ledger that cannot be asked; it is tried again. */
  readonly onError: (error: unknown) => void;
  /** Called whenever nothing is pending any more. */
  readonly onIdle: () => void;
  /** Names were passed over for want of room, and there is some again: the folder is to be read. */
  readonly onRoom: () => void;
}

export interface Gate {
  /**
   * Looks at a name, `urgent` ones first, and again until it is handed over or forgotten.
   * @returns after the first look: whether a folder stands there.
   */
  consider(name: string, urgent: boolean): Promise<boolean>;
  /** Names that are neither handed over nor forgotten. */
  readonly pending: number;
  close(): void;
}

interface Candidate {
  readonly name: string;
  /** The version last seen, and when it was first seen; performance.now(), which no clock change moves. */
  capture: Capture | null;
  complete: boolean;
  urgent: boolean;
  since: number;
  looked: number;
  pause: number;
  timer: NodeJS.Timeout | undefined;
  looking: boolean;
  /** Hinted while it was looked at: that look may have come too early. */
  hinted: boolean;
}

export function openGate(options: GateOptions): Gate {
  const candidates = new Map<string, Candidate>();
  const turns = takeTurns(WIDTH);
  let passedOver = false;
  let closed = false;

  const forget = (candidate: Candidate) => {
    clearTimeout(candidate.timer);
    candidates.delete(candidate.name);
    if (passedOver && candidates.size <= MOST / 2) {
      passedOver = false;
      options.onRoom();
    }
    if (candidates.size === 0) options.onIdle();
  };

  const lookAfter = (candidate: Candidate, milliseconds: number, urgent: boolean) => {
    clearTimeout(candidate.timer);
    candidate.timer = setTimeout(() => void examine(candidate, urgent), Math.max(0, milliseconds));
  };

  const examine = (candidate: Candidate, urgent: boolean): Promise<boolean> => {
    candidate.looking = true;
    candidate.hinted = false;
    clearTimeout(candidate.timer);
    return turns(urgent, async () => {
      if (closed) return false;
      const started = performance.now();
      const { name, capture, complete } = candidate;
      const leave = (one: Capture) =>
        options.isKnown(one) || !(candidate.urgent || candidate.hinted || options.hasRoom(one));
      const seen = await look(options.folder, name, leave, complete ? capture : null).catch(
        (error: unknown): Look => {
          options.onError(error);
          return { state: 'again', code: 'unknown' };
        },
      );
      if (closed) return false;
      candidate.looking = false;
      candidate.looked = performance.now();
      decide(candidate, seen, started);
      return 'folder' in seen && seen.folder;
    });
  };

  const decide = (candidate: Candidate, seen: Look, started: number) => {
    if (seen.state === 'nothing' || seen.state === 'known') return finish(candidate);
    if (seen.state === 'again') return lookAfter(candidate, LAST, false);
    if (candidate.capture === null || !sameVersion(candidate.capture, seen.capture)) {
      candidate.since = candidate.looked;
      candidate.pause = FIRST;
    }
    candidate.capture = seen.capture;
    candidate.complete = seen.state === 'complete';
    const still = started - candidate.since;
    const wanted = seen.state === 'complete' ? CONFIRM : options.settleMilliseconds;
    if (still >= wanted || (seen.state === 'complete' && seen.capture.kind !== 'file')) {
      options.onCapture(seen.capture, candidate.urgent);
      return finish(candidate);
    }
    if (candidate.hinted) return lookAfter(candidate, CONFIRM, true);
    const paced = Math.max(candidate.pause, candidates.size / LOOKS_PER_MILLISECOND);
    candidate.pause = Math.min(candidate.pause * 2, LAST);
    lookAfter(candidate, Math.min(paced, Math.ceil(wanted - still)), seen.state === 'complete');
  };

  /** Done with this version; a hint that came meanwhile may tell of the next. */
  const finish = (candidate: Candidate) => {
    if (!candidate.hinted) return forget(candidate);
    candidate.capture = null;
    lookAfter(candidate, CONFIRM, true);
  };

  return {
    async consider(name, urgent) {
      if (closed) return false;
      const candidate = candidates.get(name);
      if (candidate === undefined && !urgent && candidates.size >= MOST) {
        passedOver = true;
        return false;
      }
      if (candidate === undefined) {
        const fresh: Candidate = {
          name,
          capture: null,
          complete: false,
          urgent,
          since: 0,
          looked: 0,
          pause: FIRST,
          timer: undefined,
          looking: false,
          hinted: false,
        };
        candidates.set(name, fresh);
        return examine(fresh, urgent);
      }
      candidate.urgent ||= urgent;
      if (candidate.looking) candidate.hinted = true;
      else lookAfter(candidate, candidate.looked + CONFIRM - performance.now(), true);
      return false;
    },
    get pending() {
      return candidates.size;
    },
    close() {
      closed = true;
      for (const { timer } of candidates.values()) clearTimeout(timer);
      candidates.clear();
    },
  };
}
