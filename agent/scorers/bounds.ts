/** Time and memory that one file may take in a scoring process. */
import { readFileSync } from 'node:fs';
import type { UnscorableReason } from '../../config/verdict.ts';

export interface Bounds {
  /** Longest time for one file, milliseconds. */
  readonly deadlineMilliseconds: number;
  /** Longest time for reading and decoding it, milliseconds. */
  readonly decodingMilliseconds: number;
  /** Most memory of a process while it has a file in work, bytes. Linux only. */
  readonly memory: number;
}

/** Which bound a file went beyond. */
export type Beyond = Extract<UnscorableReason, 'decoding-timeout' | 'timeout' | 'out-of-memory'>;

export interface BoundsWatch {
  /** Reading and decoding are done. */
  decoded(): void;
  stop(): void;
}

/** How often the memory of a process at work, and whether time goes on, are looked at, milliseconds. */
const LOOK = 100;
/** A look that comes later than this tells of a stall of the agent itself, which may be one of the whole machine (a paused VM). */
const STALL = 2 * LOOK;
/** After a stall of the agent itself the answer may be there already, unread: so long is given to read it, milliseconds. */
const GRACE = 10;

/** Watches the process `pid` from the moment on at which it gets a file. `onBeyond` may be called more than once. */
export function watchBounds(pid: number, bounds: Bounds, onBeyond: (which: Beyond) => void): BoundsWatch {
  const { deadlineMilliseconds: whole, decodingMilliseconds: decoding } = bounds;
  /** Later by each stall: that time is not the file's. */
  let since = performance.now();
  let looked = since;
  const look = () => {
    const now = performance.now();
    if (now - looked > STALL) since += now - looked;
    looked = now;
  };
  let timer: NodeJS.Timeout;
  const until = (milliseconds: number, which: Beyond) => {
    clearTimeout(timer);
    const left = () => since + milliseconds - performance.now();
    const over = () => {
      look();
      timer = left() > 0 ? setTimeout(over, left()) : setTimeout(() => onBeyond(which), GRACE);
    };
    timer = setTimeout(over, Math.max(0, left()));
  };
  if (decoding < whole) until(decoding, 'decoding-timeout');
  else until(whole, 'timeout');
  const looks = setInterval(() => {
    look();
    if (residentBytes(pid) > bounds.memory) onBeyond('out-of-memory');
  }, LOOK);
  return {
    decoded: () => until(whole, 'timeout'),
    stop() {
      clearTimeout(timer);
      clearInterval(looks);
    },
  };
}

/** proc_pid_status(5), VmRSS; 0: not to be told, or there is no such process. */
function residentBytes(pid: number): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
