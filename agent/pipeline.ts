/** From a settled capture to its record: score, look again, judge, commit. Nothing is published from here. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Alert } from '../config/topics.ts';
import { REASONS, type UnscorableReason, type Verdict } from '../config/verdict.ts';
import { type Capture, sameCapture } from './capture.ts';
import type { LedgerRecords, Place } from './deliver/ledgerRecords.ts';
import { LedgerError } from './deliver/transaction.ts';
import type { FaultPoint } from './faultPoints.ts';
import { pathTo } from './ingest/names.ts';
import type { Inspection } from './inspect/inspection.ts';
import { captureQueue, type Order } from './queue.ts';

/** Captures in work for each that is inspected: while one is committed to disk, the next is inspected already. */
const IN_WORK = 2;
/** How often a full disk or failing ledger is tried again, milliseconds. */
const RETRY = 1000;

export interface PipelineOptions {
  /** The watched folder. */
  readonly folder: string;
  /** Captures inspected at the same time. */
  readonly concurrency: number;
  readonly order: Order;
  /** Most captures that wait in memory. */
  readonly queue: number;
  /** Captures were left out for want of room, and there is some again: they are to be found anew. */
  readonly onRoom: () => void;
  readonly inspect: (file: string | Buffer) => Promise<Inspection>;
  /** The capture that stands at a name now; null when there is none. */
  readonly look: (name: string) => Promise<Capture | null>;
  /** Why nothing may be scored now (a full disk), or null. */
  readonly obstacle: () => Promise<string | null>;
  readonly ledger: Pick<LedgerRecords, 'record'>;
  readonly verdictOf: (capture: Capture, inspection: Inspection, place: Place) => Verdict;
  readonly onRecorded: (verdict: Verdict, capture: Capture) => void;
  /** A file changed while it was read: its new version is to be considered. */
  readonly onChanged: (name: string) => void;
  readonly onCondition: (code: Alert, message: string | null) => void;
  /** The ledger is damaged: the agent has to start anew, which mends it. */
  readonly onDamage: (error: LedgerError) => void;
  readonly faultPoint: FaultPoint;
}

export interface Pipeline {
  /** `urgent`: it has just come, somebody waits. Beyond the queue's bound the last in line is left out. */
  add(capture: Capture, urgent: boolean): void;
  /** Whether a capture that nobody waits for would be kept now. */
  hasRoom(capture: Capture): boolean;
  /** Whether this version is queued or in work. */
  has(capture: Capture): boolean;
  /** Settled captures without a record that are held in memory. */
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
  const known = new Set<string>();
  const working = new Set<Promise<void>>();
  /** Of those in work, the ones whose inspection is not over. */
  const uninspected = new Set<Capture>();
  const inspections = new Set<{ readonly since: number }>();
  const stop = new AbortController();
  const idleWaiters: (() => void)[] = [];

  const inspect = async (file: string | Buffer) => {
    const inspection = { since: performance.now() };
    inspections.add(inspection);
    try {
      return await options.inspect(file);
    } finally {
      inspections.delete(inspection);
    }
  };

  const isFree = () => uninspected.size < options.concurrency && working.size < IN_WORK * options.concurrency;

  const next = () => {
    while (!stop.signal.aborted && isFree() && queue.length > 0) {
      const capture = queue.next()!;
      const inspected = () => {
        if (uninspected.delete(capture)) next();
      };
      uninspected.add(capture);
      const work = handle(capture, { ...options, inspect }, inspected, stop.signal)
        .catch((error) => {
          if (!stop.signal.aborted) throw error; // stopped in the middle: found again at the next start
        })
        .finally(() => {
          uninspected.delete(capture);
          working.delete(work);
          known.delete(keyOf(capture));
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
    add(capture, urgent) {
      const last = queue.add(capture, urgent);
      known.add(keyOf(capture));
      if (last !== null) {
        known.delete(keyOf(last));
        leftOut = true;
      }
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

function keyOf({ name, size, modifiedNanoseconds, kind }: Capture): string {
  return `${kind}/${size}/${modifiedNanoseconds}/${name}`;
}

async function handle(
  capture: Capture,
  options: PipelineOptions,
  inspected: () => void,
  stop: AbortSignal,
): Promise<void> {
  if (!(await clear(options, stop))) return;
  let inspection =
    capture.kind === 'file'
      ? await options.inspect(pathTo(options.folder, capture.name))
      : unscorable(capture.kind);
  inspected();
  const now = await options.look(capture.name);
  // What vanished after it was read was read as it stood. What changed may have been read half old, half new.
  const changed = capture.kind === 'file' && now !== null && !sameCapture(now, capture);
  // A copy that sets an older time when it is done (`cp -p`): the same file, which now settles with its own time.
  if (changed && now.size === capture.size && now.modifiedNanoseconds < capture.modifiedNanoseconds)
    return options.onChanged(capture.name);
  if (changed) inspection = unscorable('changed-while-reading');
  options.faultPoint('inspected');
  const verdict = await record(capture, inspection, options, stop);
  if (verdict !== null) options.onRecorded(verdict, capture);
  if (changed) options.onChanged(capture.name);
}

function unscorable(reason: UnscorableReason): Inspection {
  return { outcome: 'unscorable', reason, message: REASONS[reason], bytes: 0, sha256: null };
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

/** Commits the verdict, again and again until it is on disk. null: stopped before it was, or recorded already. */
async function record(
  capture: Capture,
  inspection: Inspection,
  options: PipelineOptions,
  stop: AbortSignal,
): Promise<Verdict | null> {
  for (;;) {
    try {
      const verdict = options.ledger.record(capture, inspection.sha256, (place) =>
        options.verdictOf(capture, inspection, place),
      );
      options.onCondition('ledger-failing', null);
      options.onCondition('disk-full', null);
      return verdict;
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      options.onCondition(error.alert, error.message);
      if (error.damaged) options.onDamage(error);
    }
    if (stop.aborted) return null;
    await delay(RETRY, undefined, { signal: stop }).catch(() => {});
  }
}
