/** From a settled capture to its record: score, look again, judge, commit. Nothing is published from here. */
import { setTimeout as delay } from 'node:timers/promises';
import { REASONS, type UnscorableReason, type Verdict } from '../config/verdict.ts';
import { type Capture, frameOf, sameVersion, timeBetween } from './capture.ts';
import { answered, type CommitOptions, type Commits, MOST_TOGETHER, openCommits } from './commit.ts';
import { type LedgerRecords, PASSING, type Place } from './deliver/ledgerRecords.ts';
import type { FaultPoint } from './faultPoints.ts';
import { pathTo } from './ingest/names.ts';
import { withinFrames } from './inspect/frames.ts';
import type { Inspection } from './inspect/inspection.ts';
import { captureQueue, type Order } from './queue.ts';

/** Longest time from the last byte of a copy until it has the time of its original, nanoseconds. */
const COPIED = 1_000_000_000n;
/** How often a full disk is looked at again, milliseconds. */
const RETRY = 1000;

export interface PipelineOptions extends Pick<CommitOptions, 'onCondition'> {
  /** The watched folder. */
  readonly folder: string;
  /** Captures inspected at the same time. */
  readonly concurrency: number;
  readonly order: Order;
  /** Most files that wait in memory, each with its captures. */
  readonly queue: number;
  /** Most captures in one file. */
  readonly frames: number;
  /** Captures were left out for want of room, and there is some again: they are to be found anew. */
  readonly onRoom: () => void;
  readonly ledger: Pick<LedgerRecords, 'record' | 'unrecorded' | 'following'>;
  readonly inspect: (file: string | Buffer, frame: number) => Promise<Inspection>;
  /** What stands at the name of a capture now; null when nothing does. */
  readonly look: (capture: Capture) => Promise<Capture | null>;
  /** Why nothing may be scored now (a full disk), or null. */
  readonly obstacle: () => Promise<string | null>;
  readonly verdictOf: (capture: Capture, inspection: Inspection, place: Place) => Verdict;
  readonly onRecorded: (verdict: Verdict, capture: Capture) => void;
  /** A file changed while it was read: its new version is to be considered. */
  readonly onChanged: (name: string) => void;
  readonly faultPoint: FaultPoint;
}

export interface Pipeline {
  /** `urgent`: it has just come, somebody waits. Beyond the queue's bound the last in line is left out. */
  add(file: Capture, urgent: boolean): void;
  /** Whether a file that nobody waits for would be kept now. */
  hasRoom(file: Capture): boolean;
  /** Whether this version is queued or in work. */
  has(file: Capture): boolean;
  /** Settled files without a record of all their captures that are held in memory. */
  readonly queued: number;
  /** Milliseconds for which the oldest capture has been inspected; null when none is. */
  readonly inspecting: number | null;
  /** Resolves when nothing is queued or in work. */
  idle(): Promise<void>;
  /** Lets captures in work end for at most `milliseconds`; the rest is found again at the next start. */
  close(milliseconds: number): Promise<void>;
}

export function startPipeline(options: PipelineOptions): Pipeline {
  const queue = captureQueue(options.order, options.queue);
  let leftOut = false;
  /** Files by how often they stand in line or are in work: several times while frames are committed and the next has its turn. */
  const known = new Map<string, number>();
  const working = new Set<Promise<void>>();
  /** Of those in work, the ones whose inspection is not over. */
  const uninspected = new Set<Capture>();
  const inspections = new Set<{ readonly since: number }>();
  const stop = new AbortController();
  const idleWaiters: (() => void)[] = [];

  const enter = (capture: Capture, urgent: boolean) => {
    const last = queue.add(capture, urgent);
    known.set(keyOf(capture), (known.get(keyOf(capture)) ?? 0) + 1);
    if (last === null) return;
    leave(last);
    leftOut = true;
  };
  const leave = (capture: Capture) => {
    const times = known.get(keyOf(capture))! - 1;
    if (times === 0) known.delete(keyOf(capture));
    else known.set(keyOf(capture), times);
  };

  const inspect = async (file: string | Buffer, frame: number) => {
    const inspection = { since: performance.now() };
    inspections.add(inspection);
    try {
      return await options.inspect(file, frame);
    } finally {
      inspections.delete(inspection);
    }
  };

  const isFree = () =>
    uninspected.size < options.concurrency && working.size < options.concurrency + MOST_TOGETHER;
  const commits = openCommits({ ...options, expectsMore: () => uninspected.size > 0, stop: stop.signal });

  const next = () => {
    while (!stop.signal.aborted && isFree() && queue.length > 0) {
      const capture = queue.next()!;
      const inspected = () => {
        if (uninspected.delete(capture)) next();
      };
      uninspected.add(capture);
      const onward = (following: Capture) => {
        enter(following, false); // whoever waits has the first verdict; what has come meanwhile goes before
        next();
      };
      const work = handle(capture, { ...options, inspect, commits }, { inspected, onward }, stop.signal)
        .catch((error) => {
          if (!stop.signal.aborted) throw error; // stopped in the middle: found again at the next start
        })
        .finally(() => {
          uninspected.delete(capture);
          working.delete(work);
          leave(capture);
          next();
        });
      working.add(work);
    }
    if (leftOut && queue.length <= options.queue / 2 && !stop.signal.aborted) {
      leftOut = false;
      options.onRoom();
    }
    if (working.size === 0 && queue.length === 0) for (const resolve of idleWaiters.splice(0)) resolve();
  };

  return {
    add(file, urgent) {
      enter(file, urgent);
      options.faultPoint('settled');
      next();
    },
    hasRoom(capture) {
      const room = queue.hasRoom(capture);
      leftOut ||= !room;
      return room;
    },
    has: (capture) => known.has(keyOf(capture)),
    get queued() {
      return queue.length + working.size;
    },
    get inspecting() {
      const [oldest] = inspections;
      return oldest === undefined ? null : performance.now() - oldest.since;
    },
    async idle() {
      if (working.size === 0 && queue.length === 0) return;
      await new Promise<void>((resolve) => idleWaiters.push(resolve));
    },
    async close(milliseconds) {
      stop.abort();
      const timer = new AbortController();
      await Promise.race([
        Promise.all(working),
        delay(milliseconds, undefined, { signal: timer.signal }).catch(() => {}),
      ]);
      timer.abort();
    },
  };
}

/** Of a file, whichever its capture. */
function keyOf({ name, size, modifiedNanoseconds, kind }: Capture): string {
  return `${kind}/${size}/${modifiedNanoseconds}/${name}`;
}

interface Turn {
  /** The capture's inspection is over. */
  readonly inspected: () => void;
  /** Another capture of its file is to have its turn. */
  readonly onward: (following: Capture) => void;
}

/** @param first a file, of which the first capture without a record is meant; or, with a frame, that very capture. */
async function handle(
  first: Capture,
  options: PipelineOptions & { readonly commits: Commits },
  { inspected, onward }: Turn,
  stop: AbortSignal,
): Promise<void> {
  if (!(await clear(options, stop))) return;
  const { ledger } = options;
  const capture =
    first.frame === undefined ? await answered(() => ledger.unrecorded(first), { ...options, stop }) : first;
  if (capture === null) return;
  let inspection =
    capture.kind === 'file'
      ? await options.inspect(pathTo(options.folder, capture.name), frameOf(capture))
      : unscorable(capture.kind);
  inspection = withinFrames(inspection, options.frames);
  // Of several frames the next is put in line before: the process holds their file, and shall not take another.
  if ((inspection.frames ?? 1) === 1) inspected();
  const now = await options.look(capture);
  // What vanished after it was read was read as it stood. What changed may have been read half old, half new.
  const changed = capture.kind === 'file' && now !== null && !sameVersion(now, capture);
  // A copy that sets an older time as soon as it is done (`cp -p`): the same file, which now settles with its own time.
  const older = changed && now.size === capture.size && now.modifiedNanoseconds < capture.modifiedNanoseconds;
  const between = older ? timeBetween(capture, now) : null;
  if (between !== null && between < COPIED) return options.onChanged(capture.name);
  if (changed) inspection = unscorable('changed-while-reading');
  options.faultPoint('inspected');
  const frames = inspection.frames ?? 1;
  const following =
    frames > 1 ? await answered(() => ledger.following(capture, frames), { ...options, stop }) : null;
  if (following !== null) onward(following);
  inspected();
  const verdict = await options.commits.add({
    capture,
    contentSha256: inspection.sha256,
    passing: inspection.outcome === 'unscorable' && PASSING.includes(inspection.reason),
    frames: inspection.frames,
    makeVerdict: (place) => options.verdictOf(capture, inspection, place),
  });
  if (verdict !== null) options.onRecorded(verdict, capture);
  if (changed) options.onChanged(capture.name);
}

function unscorable(reason: UnscorableReason): Inspection {
  return { outcome: 'unscorable', reason, message: REASONS[reason], bytes: 0, sha256: null, frames: null };
}

/** Waits until nothing stands in the way. False: stopped meanwhile. */
async function clear(options: PipelineOptions, stop: AbortSignal): Promise<boolean> {
  for (;;) {
    const obstacle = await options.obstacle();
    options.onCondition('disk-full', obstacle);
    if (obstacle === null || stop.aborted) return !stop.aborted;
    await delay(RETRY, undefined, { signal: stop }).catch(() => {});
  }
}
