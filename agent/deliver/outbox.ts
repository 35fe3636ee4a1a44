/** Sends what waits in the ledger's outbox until the broker has acknowledged it. At least once, never less. */
import type { Logger } from 'pino';
import type { FaultPoint } from '../faultPoints.ts';
import type { LedgerOutbox, Waiting } from './ledgerOutbox.ts';
import { sendOrder } from './sendOrder.ts';
import { DeniedError, PACKET_TOO_LARGE, type Session } from './session.ts';
import { findSuspect } from './suspect.ts';
import { type OnLedger, telling } from './telling.ts';

export interface OutboxOptions {
  readonly ledger: LedgerOutbox;
  readonly topic: string;
  /** Most verdicts in flight; fewer when the broker's receive maximum is smaller. */
  readonly window: number;
  /** Seconds without any acknowledgement while verdicts are in flight after which `renew` is called. */
  readonly acknowledge: number;
  readonly renew: (reason: string) => void;
  readonly faultPoint: FaultPoint;
  /** Called on changes: the broker refuses verdicts, in words; null: it takes them again. */
  readonly onRefused: (message: string | null) => void;
  /** The ledger cannot be read, which is tried again; null: it can again. */
  readonly onCondition: OnLedger;
  readonly log: Logger;
  /** Waits after a denial, milliseconds. */
  readonly denial?: { readonly first: number; readonly most: number };
}

export interface Outbox {
  /** Something was recorded. */
  wake(): void;
  /** Sends on this connection from now on, all that is not acknowledged. */
  attach(session: Session): void;
  /** Goes on until nothing waits or `patience` milliseconds have passed; then sends no more. */
  stop(patience: number): Promise<void>;
}

const DENIAL = { first: 1000, most: 300_000 };
/** So many denials in a row mean that the broker takes none at all: no need to try them all. */
const DENIALS_TO_HOLD = 3;
/** Acknowledgements are written down together, so long after the first, milliseconds. Losing one costs a repeat. */
const WRITE_DOWN = 100;
/** Wait before a failing ledger is tried again, milliseconds. */
const LEDGER_RETRY = 1000;

export function startOutbox(options: OutboxOptions): Outbox {
  const { ledger, log, denial = DENIAL } = options;
  let session: Session | null = null;
  let stopped = false;
  const order = sendOrder(ledger, options.window);
  // Apart: that one of them can be read does not mean that the other can.
  const [beginning, next] = [telling(options.onCondition), telling(options.onCondition)];
  const suspect = findSuspect();
  /** Each ends every connection on which it is sent, so the others go first. */
  const culprits = new Set<number>();
  /** The one of them that is tried again; where the broker takes it now, all are. */
  let trial: number | null = null;
  /** Sent, not answered: number -> when, oldest first. */
  const inFlight = new Map<number, number>();
  /** performance.now() */
  let lastAnswer = 0;
  /** Acknowledged, not written down yet. */
  const taken = new Set<number>();
  /** Called when nothing waits any more. */
  let onDrained: (() => void) | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let writing: NodeJS.Timeout | undefined;
  let retrying: NodeJS.Timeout | undefined;
  let rereading: NodeJS.Timeout | undefined;
  let denialsInRow = 0;
  let deniedThisRound = 0;
  let retryDelay = denial.first;
  /** The refusal that was told last. */
  let said: string | null = null;

  function pump(): void {
    if (session === null || stopped || denialsInRow >= DENIALS_TO_HOLD) return;
    const window = suspect.careful ? 1 : Math.min(options.window, session.receiveMaximum);
    try {
      while (inFlight.size < window) {
        const row = next(() => order.next());
        if (row === null) break;
        if (!inFlight.has(row.seq) && !taken.has(row.seq) && !culprits.has(row.seq)) send(session, row);
      }
    } catch (error) {
      unreadable(error);
      return;
    }
    if (inFlight.size > 0) return;
    if (deniedThisRound === 0) {
      retryDelay = denial.first;
      sayRefused(null);
    }
    if (onDrained !== undefined && drained()) onDrained();
  }

  /** Everything that happens meanwhile asks again, too: one timer is enough, and one line in the log for each of its turns. */
  function unreadable(error: unknown): void {
    if (rereading !== undefined) return;
    log.error({ err: error }, 'the outbox cannot be read; trying again');
    rereading = setTimeout(() => {
      rereading = undefined;
      beginRound();
    }, LEDGER_RETRY);
  }

  function drained(): boolean {
    try {
      return inFlight.size === 0 && ledger.size().verdicts <= taken.size;
    } catch {
      return false; // unknown; pump says what is wrong with the ledger
    }
  }

  function send(on: Session, { seq, payload }: Waiting): void {
    inFlight.set(seq, performance.now());
    if (inFlight.size === 1) watchOldest();
    on.publish({ topic: options.topic, payload, qos: 1, retain: false }).then(
      () => {
        options.faultPoint('taken');
        denialsInRow = 0;
        taken.add(seq);
        writing ??= setTimeout(writeDown, WRITE_DOWN);
        if (seq === trial) tryCulpritsAgain();
        if (on === session) answered(seq);
      },
      (error: Error) => {
        // Else the connection has ended: `attach` begins anew on the next one.
        if (on !== session || !(error instanceof DeniedError)) return;
        denied(seq, error);
        answered(seq);
      },
    );
    options.faultPoint('sent');
  }

  function tryCulpritsAgain(): void {
    trial = null;
    if (culprits.size === 0) return;
    culprits.clear();
    retryDelay = denial.first;
    beginRound();
  }

  function answered(seq: number): void {
    inFlight.delete(seq);
    lastAnswer = performance.now();
    suspect.answered();
    watchOldest();
    pump();
  }

  function denied(seq: number, error: DeniedError): void {
    // Too large is this one alone.
    if (error.code !== PACKET_TOO_LARGE) denialsInRow++;
    refused(seq, error.message, error.code);
  }

  /** It is kept, the others go on, and all that wait are tried again later. */
  function refused(seq: number, reason: string, code: number | null): void {
    if (deniedThisRound++ === 0) {
      log.error(
        { seq, code, reason, retrySeconds: retryDelay / 1000 },
        'the broker refuses a verdict; it is kept and sent again. Check what this client may publish',
      );
      sayRefused(`The broker refuses verdicts: ${reason}. They are kept and sent again.`);
    }
    if (retrying !== undefined) return;
    retrying = setTimeout(() => {
      retrying = undefined;
      // One at a time, as each that is still refused ends a connection: the others, and what is new, go on between.
      const [first = null] = culprits;
      if (first !== null) culprits.delete(first);
      trial = first;
      beginRound();
    }, retryDelay);
    retryDelay = Math.min(denial.most, retryDelay * 2);
  }

  function sayRefused(message: string | null): void {
    if (said === message) return;
    said = message;
    options.onRefused(message);
  }

  function beginRound(): void {
    denialsInRow = 0;
    deniedThisRound = 0;
    try {
      beginning(() => order.begin());
    } catch (error) {
      unreadable(error);
      return;
    }
    for (const seq of culprits) refused(seq, 'a verdict ends the connection each time it is sent', null);
    pump();
  }

  function watchOldest(): void {
    clearTimeout(deadline);
    const [oldest] = inFlight.values();
    if (oldest === undefined) return;
    const left = Math.max(oldest, lastAnswer) + options.acknowledge * 1000 - performance.now();
    deadline = setTimeout(
      () => options.renew(`no acknowledgement within ${options.acknowledge} s (mqtt.acknowledge)`),
      Math.max(0, left),
    );
  }

  function writeDown(): void {
    clearTimeout(writing);
    writing = undefined;
    if (taken.size === 0) return;
    try {
      ledger.acknowledge([...taken]);
      taken.clear();
    } catch (error) {
      log.error({ err: error }, 'acknowledgements cannot be written down; trying again');
      if (!stopped) writing = setTimeout(writeDown, LEDGER_RETRY);
    }
  }

  return {
    wake: pump,
    attach(attached) {
      session = attached;
      inFlight.clear();
      watchOldest();
      attached.ended.then(() => {
        if (session !== attached) return;
        session = null;
        const found = suspect.ended([...inFlight.keys()]);
        if (found !== null) culprits.add(found);
        inFlight.clear();
        watchOldest();
      });
      beginRound();
    },
    async stop(patience) {
      if (!drained()) {
        const { promise, resolve } = Promise.withResolvers<void>();
        onDrained = resolve;
        const timer = setTimeout(resolve, patience);
        await promise;
        clearTimeout(timer);
      }
      stopped = true;
      for (const timer of [deadline, retrying, rereading]) clearTimeout(timer);
      session = null;
      writeDown();
    },
  };
}
