/** Scoring processes with deadlines: whatever a file does to one of them, the agent lives and the next file goes on. */
import type { Logger } from 'pino';
import type { Manifest } from '../../config/bundle.ts';
import { REASONS } from '../../config/verdict.ts';
import { BundleError } from '../inspect/bundleError.ts';
import type { Inspection, Limits } from '../inspect/inspection.ts';
import type { ExecutionProvider } from '../inspect/score.ts';
import { type Beyond, type Bounds, type BoundsWatch, watchBounds } from './bounds.ts';
import { forkScorer, type ScorerEnd, type ScorerProcess } from './process.ts';

/** Deaths on one file after which it is given up. */
const MOST_DEATHS = 2;
/** Starts of a process after which the pool does not open. One that is killed while it loads says nothing yet. */
const MOST_STARTS = 3;
/**
 * Pause before a process is replaced, milliseconds: none after the first end, then FIRST doubling to LAST. A process
 * that inspected a file, or was ready for longer than LAST, begins anew.
 */
const FIRST = 100;
const LAST = 10_000;
export interface PoolOptions extends Bounds {
  /** Path of the bundle. */
  readonly bundle: string;
  readonly processes: number;
  /** Of each process. */
  readonly threads: number;
  readonly executionProvider: ExecutionProvider;
  readonly limits: Limits;
  readonly log: Logger;
  /** Called on changes; `null` when processes start again. */
  readonly onCondition: (code: 'scorer-failing', message: string | null) => void;
  /** Called with the processes that run, whenever one is started. */
  readonly onProcesses?: (pids: readonly number[]) => void;
}

export interface Pool {
  /** Of the bundle that every process has loaded and proven. */
  readonly manifest: Manifest;
  /**
   * Inspects a file, or another of its frames than the first, in the next free process. Rejects only when the pool is
   * closed: a file on which two processes died is `scorer-crashed`, one beyond a limit is `decoding-timeout`, `timeout`
   * or `out-of-memory`. Behind such a frame no other of its file is to be inspected: it might do the same.
   */
  inspect(file: string | Buffer, frame?: number): Promise<Inspection>;
  /** Files that wait for a free process. */
  readonly queued: number;
  /** Processes replaced so far. */
  readonly restarts: number;
  /** The processes that run now, and whether each has a file in work. */
  readonly processes: readonly { readonly pid: number; readonly busy: boolean }[];
  /** Ends all processes; what was not inspected is rejected. */
  close(): Promise<void>;
}

interface Job {
  readonly file: string | Buffer;
  readonly frame: number;
  readonly resolve: (inspection: Inspection) => void;
  readonly reject: (error: Error) => void;
  deaths: number;
}

interface Slot {
  process: ScorerProcess | null;
  /** When it became ready, performance.now(); null while it loads. */
  ready: number | null;
  /** In work, or to be tried again by the replacement: it shall not take a neighbour along. */
  job: Job | null;
  /** The limit that its file went beyond, for which it is being ended. */
  beyond: Beyond | null;
  bounds: BoundsWatch | undefined;
  /** Of the replacement. */
  timer: NodeJS.Timeout | undefined;
  /** Ends since a file was last inspected. */
  ends: number;
  /** Why it does not start. */
  failure: string | null;
}

/**
 * Forks all processes and waits until each has proven the bundle.
 * @throws BundleError with the words of the process when the bundle is refused.
 */
export async function openPool(options: PoolOptions): Promise<Pool> {
  const { log } = options;
  const slots = Array.from({ length: options.processes }, newSlot);
  const waiting: Job[] = [];
  const opened = Promise.withResolvers<Manifest>();
  const ended = Promise.withResolvers<void>();
  let manifest: Manifest | null = null;
  let open = false;
  let closed = false;
  let restarts = 0;
  let said: string | null = null;

  const start = (slot: Slot) => {
    slot.process = forkScorer(
      {
        bundlePath: options.bundle,
        executionProvider: options.executionProvider,
        threads: options.threads,
        limits: options.limits,
      },
      {
        onReady: (loaded) => ready(slot, loaded),
        onDecoded: () => slot.bounds?.decoded(),
        onInspected: (inspection) => inspected(slot, inspection),
        onEnd: (end) => over(slot, end),
      },
    );
    options.onProcesses?.(slots.flatMap(({ process }) => process?.pid ?? []));
  };

  const ready = (slot: Slot, loaded: Manifest) => {
    manifest ??= loaded;
    if (loaded.digest !== manifest.digest) {
      slot.failure = `The bundle was replaced by another one (${loaded.digest}, expected ${manifest.digest}). Restart the agent to take it.`;
      slot.process?.kill();
      return;
    }
    slot.ready = performance.now();
    slot.failure = null;
    sayFailing();
    if (slots.every((other) => other.ready !== null)) opened.resolve(manifest);
    if (slot.job === null) next();
    else give(slot, slot.job);
  };

  const inspected = (slot: Slot, inspection: Inspection) => {
    if (slot.beyond !== null) return; // killed already
    slot.bounds?.stop();
    slot.ends = 0;
    slot.job?.resolve(inspection);
    slot.job = null;
    next();
  };

  const over = (slot: Slot, end: ScorerEnd) => {
    slot.bounds?.stop();
    const { job, ready: readySince, beyond } = slot;
    slot.process = null;
    slot.ready = null;
    if (closed) {
      if (slots.every((other) => other.process === null)) ended.resolve();
      return;
    }
    if (!open && (end.bundle || slot.ends + 1 >= MOST_STARTS))
      return opened.reject(end.bundle ? new BundleError(end.message) : new Error(end.message));
    // From here on the words travel, over MQTT as well: without paths.
    const message = end.message.replaceAll(options.bundle, '[bundle]');
    const lastWords = job === null ? end.lastWords : end.lastWords.replaceAll(String(job.file), '[file]');
    log.warn({ reason: beyond ?? message, lastWords }, 'scoring process ended');
    if (readySince === null) {
      slot.failure ??= message;
      sayFailing();
      slot.job = null;
      if (job !== null) waiting.unshift(job); // a neighbour may take it, for this one does not start
      next();
    } else if (job !== null && !(end.shortage && beyond === null)) {
      const inspection = giveUp(job, beyond);
      if (inspection !== null) {
        slot.job = null;
        job.resolve(inspection);
      }
    }
    if (readySince !== null && performance.now() - readySince > LAST) slot.ends = 0;
    replace(slot);
  };

  const giveUp = (job: Job, beyond: Beyond | null): Inspection | null => {
    if (beyond !== null) return unscorable(job, beyond, REASONS[beyond]);
    job.deaths++;
    return job.deaths < MOST_DEATHS
      ? null
      : unscorable(job, 'scorer-crashed', `The scoring process died on it ${job.deaths} times.`);
  };

  const replace = (slot: Slot) => {
    slot.ends++;
    slot.beyond = null;
    slot.timer = setTimeout(
      () => {
        restarts++;
        start(slot);
      },
      slot.ends === 1 ? 0 : Math.min(LAST, FIRST * 2 ** (slot.ends - 2)),
    );
  };

  const next = () => {
    for (const slot of slots) {
      if (slot.ready === null || slot.job !== null) continue;
      const job = waiting.shift();
      if (job === undefined) return;
      give(slot, job);
    }
  };

  const give = (slot: Slot, job: Job) => {
    slot.job = job;
    slot.bounds = watchBounds(slot.process?.pid ?? 0, options, (which) => {
      if (slot.job !== job) return;
      slot.beyond ??= which;
      slot.process?.kill();
    });
    slot.process?.inspect(job.file, job.frame);
  };

  const sayFailing = () => {
    const message = slots.find((slot) => slot.failure !== null)?.failure ?? null;
    if (message === said) return;
    said = message;
    options.onCondition('scorer-failing', message);
  };

  const close = async () => {
    if (!closed) {
      closed = true;
      for (const slot of slots) {
        clearTimeout(slot.timer);
        slot.bounds?.stop();
        slot.job?.reject(new Error('The scoring processes were closed.'));
        slot.process?.kill();
      }
      for (const job of waiting.splice(0)) job.reject(new Error('The scoring processes were closed.'));
      if (slots.every((slot) => slot.process === null)) ended.resolve();
    }
    await ended.promise;
  };

  for (const slot of slots) start(slot);
  try {
    const loaded = await opened.promise;
    open = true;
    return {
      manifest: loaded,
      inspect: (file, frame = 1) =>
        new Promise((resolve, reject) => {
          if (closed) return reject(new Error('The scoring processes were closed.'));
          waiting.push({ file, frame, resolve, reject, deaths: 0 });
          next();
        }),
      get queued() {
        return waiting.length;
      },
      get restarts() {
        return restarts;
      },
      get processes() {
        return slots.flatMap(({ process, ready, job }) =>
          process?.pid === undefined ? [] : { pid: process.pid, busy: ready !== null && job !== null },
        );
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function newSlot(): Slot {
  return {
    process: null,
    ready: null,
    job: null,
    beyond: null,
    bounds: undefined,
    timer: undefined,
    ends: 0,
    failure: null,
  };
}

function unscorable({ frame }: Job, reason: Beyond | 'scorer-crashed', said: string): Inspection {
  const message = frame === 1 ? said : `${said} The frames after this one are not judged.`;
  return { outcome: 'unscorable', reason, message, bytes: 0, sha256: null, frames: null };
}
