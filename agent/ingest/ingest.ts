/** From a folder to complete files. Events are hints, scanning is the truth, and every file passes one gate. */
import type { Logger } from 'pino';
import { type Capture, tooDeep } from '../capture.ts';
import { degradedMessage, missingMessage, UNMOUNTED } from './conditions.ts';
import { openGate } from './gate.ts';
import { ignoreMatcher } from './ignore.ts';
import { keepWatch } from './keep.ts';
import { isImageName } from './look.ts';
import { type Swept, sweep } from './sweep.ts';
import { takeTurns } from './turns.ts';

/** How often a missing folder is looked for, milliseconds. */
const RETRY = 1000;
export type IngestCondition = 'watch-missing' | 'watch-degraded';

export interface IngestOptions {
  readonly folder: string;
  /** Patterns of names that are no captures. */
  readonly ignore: readonly string[];
  readonly settleMilliseconds: number;
  readonly sweepMilliseconds: number;
  /** Milliseconds between two readings of the folder instead of events; null: events, and a sweep now and then. */
  readonly pollingMilliseconds: number | null;
  /** Most folders from the watched one down to a file. */
  readonly depth: number;
  /** Whether this version has a record or is on its way to one; must be true once `onCapture` has returned. */
  readonly isKnown: (capture: Capture) => boolean;
  /** Whether a capture that was found, not told of by an event, would be taken now; else a later sweep brings it. */
  readonly hasRoom: (capture: Capture) => boolean;
  /** Each version of each file, once, when it is complete. `urgent`: an event told of it, somebody may wait. */
  readonly onCapture: (capture: Capture, urgent: boolean) => void;
  /** Called on changes; `null` when the condition is over. Messages hold no file name. */
  readonly onCondition: (code: IngestCondition, message: string | null) => void;
  readonly log: Logger;
}

export interface Ingest {
  /** Resolves when every file found by the first sweep is handed over, known or unsettled. */
  readonly swept: Promise<void>;
  /** Resolves when nothing is unsettled and no sweep runs. */
  idle(): Promise<void>;
  /** Files that are neither handed over nor known yet. */
  readonly unsettled: number;
  /** Milliseconds for which a sweep has been running; null when none is. */
  readonly sweeping: number | null;
  /** Looks at one name again, such as a file that changed while it was read. */
  reconsider(name: string): void;
  /** Reads the whole folder now; resolves when that is done. */
  sweepNow(): Promise<void>;
  close(): Promise<void>;
}

/** Starts watching and sweeping. Resolves when events are heard and the first sweep has begun. */
export async function startIngest(options: IngestOptions): Promise<Ingest> {
  const { folder, log, onCondition } = options;
  const interval = options.pollingMilliseconds ?? options.sweepMilliseconds;
  const ignored = ignoreMatcher(options.ignore);
  const said = new Map<IngestCondition, string | null>();
  const timers = new Set<NodeJS.Timeout>();
  const idleWaiters: (() => void)[] = [];
  const folderTurns = takeTurns(4);
  /** Folders being read after a hint; true: to be read again. */
  const reading = new Map<string, boolean>();
  const heard = Promise.withResolvers<void>();
  let running: Promise<void> | null = null;
  let runningSince = 0;
  let following: Promise<void> | null = null;
  /** Why looks fail, said once between two readings of the folder. */
  let failure = '';
  let closed = false;

  const say = (code: IngestCondition, message: string | null) => {
    if (closed || (said.get(code) ?? null) === message) return;
    said.set(code, message);
    onCondition(code, message);
  };

  const later = (milliseconds: number, task: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      task();
    }, milliseconds);
    timers.add(timer);
    return timer;
  };

  const isIdle = () => gate.pending === 0 && running === null && reading.size === 0;
  const checkIdle = () => {
    if (isIdle()) for (const resolve of idleWaiters.splice(0)) resolve();
  };

  const handOver = (capture: Capture, urgent: boolean) => {
    log.debug({ path: capture.name, bytes: capture.size, kind: capture.kind }, 'capture complete');
    options.onCapture(capture, urgent);
  };

  const gate = openGate({
    folder,
    settleMilliseconds: options.settleMilliseconds,
    isKnown: options.isKnown,
    hasRoom: options.hasRoom,
    onCapture: (capture, urgent) => handOver(capture, urgent),
    onError: (err) => {
      if (String(err) === failure) return;
      failure = String(err);
      log.error({ err }, 'files cannot be looked at; they are tried again');
    },
    onIdle: checkIdle,
    onRoom: () => void sweepNow(),
  });

  const sweepFrom = (from: string, urgent: boolean): Promise<Swept> =>
    sweep({
      folder,
      from,
      ignored,
      onName: (name) => gate.consider(name, urgent),
      wantsFolder: isImageName,
      onFolder: watch.listen,
      depth: options.depth,
      onTooDeep: (name) => {
        const capture = tooDeep(name);
        if (!options.isKnown(capture)) handOver(capture, urgent);
      },
      stopped: () => closed,
    });

  const consider = async (name: string) => {
    if (await gate.consider(name, true)) readFolder(name);
  };

  const readFolder = (name: string) => {
    const busy = reading.has(name);
    reading.set(name, busy);
    if (busy) return;
    void folderTurns(true, () => sweepFrom(name, true)).then(() => {
      const again = reading.get(name) === true;
      reading.delete(name);
      if (again && !closed) readFolder(name);
      else checkIdle();
    });
  };

  const watch = keepWatch(
    {
      folder,
      onName: (name) => {
        if (!ignored(name)) void consider(name);
      },
      onSelf: () => void sweepNow(),
    },
    options.pollingMilliseconds === null,
  );

  const sayDegraded = (unreadable: string | null) =>
    say('watch-degraded', degradedMessage(watch.failure, unreadable, interval));

  const sweepOnce = async () => {
    const start = performance.now();
    failure = '';
    const absent = await watch.ensure();
    heard.resolve();
    const swept = absent === null ? await sweepFrom('', false) : null;
    if (closed) return;
    const missing = absent ?? swept?.missing ?? null;
    const absence = missing === null ? null : missingMessage(missing);
    say('watch-missing', absence ?? (watch.unmounted ? UNMOUNTED : null));
    sayDegraded(swept?.unreadable ?? null);
    log.debug({ names: swept?.names ?? 0, milliseconds: Math.round(performance.now() - start) }, 'swept');
    clearTimeout(next);
    timers.delete(next);
    const pause = missing === null && !watch.unmounted ? interval : Math.min(interval, RETRY);
    next = later(pause, () => void sweepNow());
  };
  let next: NodeJS.Timeout;

  const sweepNow = (): Promise<void> => {
    if (closed) return Promise.resolve();
    if (running === null) {
      runningSince = performance.now();
      running = sweepOnce().finally(() => {
        running = null;
        checkIdle();
      });
      return running;
    }
    // What runs may have passed the place that matters: another one follows.
    following ??= running.then(() => {
      following = null;
      return sweepNow();
    });
    return following;
  };

  const swept = sweepNow();
  await heard.promise;
  return {
    swept,
    async idle() {
      if (!isIdle()) await new Promise<void>((resolve) => idleWaiters.push(resolve));
    },
    get unsettled() {
      return gate.pending;
    },
    get sweeping() {
      return running === null ? null : performance.now() - runningSince;
    },
    reconsider: (name) => void consider(name),
    sweepNow,
    async close() {
      closed = true;
      gate.close();
      for (const timer of timers) clearTimeout(timer);
      await running;
      watch.close();
      for (const resolve of idleWaiters.splice(0)) resolve();
    },
  };
}
