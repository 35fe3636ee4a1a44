/** Announces gaps: what a subscriber would wait for in vain. At least once each, like verdicts. */
import type { Logger } from 'pino';
import type { FaultPoint } from '../faultPoints.ts';
import type { LedgerGaps } from './ledgerGaps.ts';
import { DeniedError, type Session } from './session.ts';

export interface GapsOptions {
  readonly ledger: LedgerGaps;
  readonly topic: string;
  readonly faultPoint: FaultPoint;
  readonly log: Logger;
}

export interface Gaps {
  /** A gap was written down. */
  wake(): void;
  /** Announces on this connection from now on. */
  attach(session: Session): void;
}

export function startGaps({ ledger, topic, faultPoint, log }: GapsOptions): Gaps {
  let session: Session | null = null;
  /** Sent on this connection. */
  const sent = new Set<number>();

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
      .then(() => ledger.announced(number))
      .catch((error) => {
        if (on !== session) return; // ended: announced on the next one
        const reason = (error as Error).message;
        if (error instanceof DeniedError)
          log.error({ topic, reason }, 'the broker refuses this topic. Check what this client may publish');
        else log.error({ err: error }, 'a gap was announced, and is announced again on the next connection');
      });
    faultPoint('gap-sent');
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
