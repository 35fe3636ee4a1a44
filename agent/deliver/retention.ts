/** Keeps ledger and outbox within their limits while the agent runs. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AgentSettings } from '../../config/agent.ts';
import type { Gap } from '../../config/topics.ts';
import type { Ledger } from './ledger.ts';

export interface RetentionOptions {
  readonly ledger: Pick<Ledger, 'outbox' | 'retention'>;
  readonly settings: Pick<AgentSettings, 'outbox.bytes' | 'outbox.age' | 'ledger.bytes' | 'ledger.age'>;
  readonly onGap: (gap: Gap) => void;
  readonly log: Logger;
}

export interface Retention {
  /** A verdict was recorded: the outbox may have become too large. */
  recorded(): void;
  close(): void;
}

const DAY = 86_400_000;
/** How often ages are looked at, milliseconds. */
const INTERVAL = 3_600_000;

/** Looks at once, and then every hour. */
export function startRetention({ ledger, settings, onGap, log }: RetentionOptions): Retention {
  let closed = false;
  const trim = () => {
    try {
      const limits = { bytes: settings['outbox.bytes'], before: beginning(settings['outbox.age']) };
      for (const gap of ledger.outbox.trim(limits)) onGap(gap);
    } catch (error) {
      log.error({ err: error }, 'the outbox cannot be trimmed; tried again with the next verdict');
    }
  };
  const prune = async () => {
    const limits = { bytes: settings['ledger.bytes'], before: beginning(settings['ledger.age']) };
    let pruned = 0;
    try {
      for (let some = 1; some > 0 && !closed; await turn()) {
        some = ledger.retention.prune(limits);
        pruned += some;
      }
    } catch (error) {
      log.error({ err: error }, 'the ledger cannot be pruned; tried again in an hour');
    }
    if (pruned > 0) log.info({ verdicts: pruned }, 'pruned the ledger (ledger.bytes, ledger.age)');
  };
  const look = () => {
    trim();
    void prune();
  };
  look();
  const timer = setInterval(look, INTERVAL);
  return {
    recorded: trim,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** Milliseconds since 1970: what was recorded before is older than so many days; 0 days: nothing is. */
function beginning(days: number): number {
  return days === 0 ? Number.NEGATIVE_INFINITY : Date.now() - days * DAY;
}
