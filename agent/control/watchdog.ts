/** When the watchdog of systemd is fed: while everything that a restart could mend is well. */
import type { Logger } from 'pino';
import type { Notifier } from './notify.ts';

/** A part of the agent, at one moment. */
export interface Vital {
  readonly part: 'scan' | 'scorer' | 'disk';
  /**
   * Milliseconds for which it has been at one piece of work; null when it is idle, or waits for something known that a
   * restart does not bring (a missing folder, a full disk). The broker is no part: it may be away for days.
   */
  readonly busy: number | null;
  /** Milliseconds that one piece of work may take. */
  readonly allowed: number;
}

export interface WatchdogOptions {
  /** Value of `WATCHDOG_USEC`: systemd ends the agent when it is not fed for so long, microseconds. */
  readonly microseconds: number;
  readonly vitals: () => readonly Vital[];
  readonly notifier: Notifier;
  readonly log: Logger;
}

/** The parts that are stuck. */
export function stuck(vitals: readonly Vital[]): Vital['part'][] {
  return vitals.filter(({ busy, allowed }) => busy !== null && busy > allowed).map(({ part }) => part);
}

/**
 * Feeds the watchdog three times in its interval, unless a part is stuck. The event loop needs no vital of its own:
 * the feeding runs on it.
 */
export function startWatchdog({ microseconds, vitals, notifier, log }: WatchdogOptions): { close(): void } {
  let said = '';
  const feed = () => {
    const parts = stuck(vitals());
    if (parts.length === 0) notifier.watchdog();
    if (parts.join() !== said && parts.length > 0)
      log.fatal({ stuck: parts }, 'no progress: systemd will end the agent and start it again');
    said = parts.join();
  };
  feed();
  const timer = setInterval(feed, microseconds / 3000);
  return { close: () => clearInterval(timer) };
}
