/** From a folder to complete files. Events are hints, scanning is the truth, and every file passes one gate. */
import type { Logger } from 'pino';
import type { Capture } from '../capture.ts';
import { degradedMessage, missingMessage } from './conditions.ts';
import { openGate } from './gate.ts';
import { ignoreMatcher } from './ignore.ts';
import { keepWatch } from './keep.ts';
import { isImageName } from './look.ts';
import { type Swept, sweep } from './sweep.ts';
import { takeTurns } from './turns.ts';

/** How often a missing folder is looked for, milliseconds. */
const RETRY = 1000;
/**
 * A new folder is read when it is announced and once more after this long, milliseconds: chokidar announces it just
 * before it watches it, so that a file created in between would wait for the next sweep.
 */
const SECOND_READING = 250;

export type IngestCondition = 'watch-missing' | 'watch-degraded';

export interface IngestOptions {
  readonly folder: string;
  /** Patterns of names that are no captures. */
  readonly ignore: readonly string[];
  readonly settleMilliseconds: number;
  readonly sweepMilliseconds: number;
  /** Whether this version has a record or is on its way to one; must be true once `onCapture` has returned. */
  readonly isKnown: (capture: Capture) => boolean;
  /** Each version of each file, once, when it is complete. */
  readonly onCapture: (capture: Capture) => void;
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

  const gate = openGate({
    folder,
    settleMilliseconds: options.settleMilliseconds,
    isKnown: options.isKnown,
    onCapture: (capture) => {
      log.debug({ path: capture.name, bytes: capture.size, kind: capture.kind }, 'capture complete');
      options.onCapture(capture);
    },
    onIdle: checkIdle,
  });

  const sweepFrom = (from: string, urgent: boolean): Promise<Swept> =>
    sweep({
      folder,
      from,
      ignored,
      onName: (name) => gate.consider(name, urgent),
      wantsFolder: isImageName,
      stopped: () => closed,
    });

  const consider = async (name: string) => {
    if (await gate.consider(name, true)) readFolder(name);
  };

  const readFolder = (name: string) => {
    if (name === '') return void sweepNow();
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

  const watch = keepWatch({
    folder,
    ignored,
    onName: (name) => void consider(name),
    onFolder: (name) => {
      readFolder(name);
      later(SECOND_READING, () => readFolder(name));
    },
    onError: () => sayDegraded(null),
  });

  const sayDegraded = (unreadable: string | null) =>
    say('watch-degraded', degradedMessage(watch.failure, unreadable, options.sweepMilliseconds));

  const sweepOnce = async () => {
    const start = performance.now();
    const absent = await watch.ensure();
    heard.resolve();
    const swept = absent === null ? await sweepFrom('', false) : null;
    if (closed) return;
    const missing = absent ?? swept?.missing ?? null;
    say('watch-missing', missing === null ? null : missingMessage(missing));
    sayDegraded(swept?.unreadable ?? null);
    log.debug({ names: swept?.names ?? 0, milliseconds: Math.round(performance.now() - start) }, 'swept');
    clearTimeout(next);
    timers.delete(next);
    next = later(missing === null ? options.sweepMilliseconds : RETRY, () => void sweepNow());
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
      await watch.close();
      for (const resolve of idleWaiters.splice(0)) resolve();
    },
  };
}
