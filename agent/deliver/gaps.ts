/** Announces gaps: what a subscriber would wait for in vain. At least once each, like verdicts. */
import type { Logger } from 'pino';
import type { FaultPoint } from '../faultPoints.ts';
import type { LedgerGaps } from './ledgerGaps.ts';
import { DeniedError, type Session } from './session.ts';

export interface GapsOptions {
  readonly ledger: LedgerGaps;
  readonly topic: string;
  readonly faultPoint: FaultPoint;
  /** Called on changes: the broker refuses the topic, in words; null: it takes gaps again. */
  readonly onRefused: (message: string | null) => void;
  readonly log: Logger;
}

/** Waits after a refusal, milliseconds: from FIRST doubling to LAST. */
const FIRST = 1000;
const LAST = 300_000;

export interface Gaps {
  /** A gap was written down. */
  wake(): void;
  /** Announces on this connection from now on. */
  attach(session: Session): void;
}

export function startGaps(options: GapsOptions): Gaps {
  const { ledger, topic, faultPoint, onRefused, log } = options;
  let session: Session | null = null;
  /** Sent on this connection. */
  const sent = new Set<number>();
  let retrying: NodeJS.Timeout | undefined;
  /** After the next refusal, milliseconds; null: the last gap was taken. */
  let pause: number | null = null;

  const wake = () => {
    if (session === null) return;
    try {
      for (const { number, gap } of ledger.unannounced())
        if (!sent.has(number)) announce(session, number, JSON.stringify(gap));
    } catch (error) {
      log.error({ err: error }, 'gaps cannot be read; they are announced on the next connection');
    }
  };

  function announce(on: Session, number: number, payload: string): void {
    sent.add(number);
    on.publish({ topic, payload, qos: 1, retain: false })
      .then(() => {
        ledger.announced(number);
        if (pause !== null) onRefused(null);
        pause = null;
      })
      .catch((error) => {
        if (on !== session) return; // ended: announced on the next one
        if (error instanceof DeniedError) denied(number, error.message);
        else log.error({ err: error }, 'a gap was announced, and is announced again on the next connection');
      });
    faultPoint('gap-sent');
  }

  function denied(number: number, reason: string): void {
    sent.delete(number);
    if (pause === null)
      log.error({ topic, reason }, 'the broker refuses this topic. Check what this client may publish');
    onRefused(`The broker refuses to be told of gaps: ${reason}. They are kept and sent again.`);
    if (retrying !== undefined) return; // several at once
    pause ??= FIRST;
    retrying = setTimeout(() => {
      retrying = undefined;
      wake();
    }, pause).unref();
    pause = Math.min(LAST, pause * 2);
  }

  return {
    wake,
    attach(next) {
      session = next;
      sent.clear();
      next.ended.then(() => {
        if (session === next) session = null;
      });
      wake();
    },
  };
}
