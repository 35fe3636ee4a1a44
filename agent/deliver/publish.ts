/** Everything that leaves over MQTT, put together: connection, presence, outbox, and the ear for desired settings. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AgentSettings } from '../../config/agent.ts';
import {
  type Alert,
  GAP_REASONS,
  type Health,
  type Info,
  type Reported,
  topics,
} from '../../config/topics.ts';
import type { FaultPoint } from '../faultPoints.ts';
import { type Backoff, keepConnected } from './broker.ts';
import { startEmbeddedBroker } from './embedded.ts';
import { startGaps } from './gaps.ts';
import type { Ledger } from './ledger.ts';
import { startOutbox } from './outbox.ts';
import { lastWill, startPresence } from './presence.ts';
import { startRetention } from './retention.ts';
import { DeniedError, type Message, type Session } from './session.ts';
import type { OnLedger } from './telling.ts';

/** What the ledger and the process itself do not know about the agent's health. */
export type Vitals = Pick<Health, 'queued' | 'unsettled' | 'diskFreeBytes' | 'scorerRestarts'>;

export interface PublishingOptions {
  readonly settings: AgentSettings;
  readonly ledger: Ledger;
  readonly info: () => Info;
  readonly vitals: () => Vitals;
  /** Called with every message on `config/desired`, the retained one after each connection included. */
  readonly onDesired: (payload: Buffer) => void;
  readonly onCondition: OnLedger;
  readonly faultPoint: FaultPoint;
  readonly log: Logger;
  readonly backoff?: Backoff;
}

export interface Publishing {
  /** Where the embedded broker listens; null when there is none. */
  readonly embeddedUrl: string | null;
  connected(): boolean;
  /** A verdict was recorded: send it. */
  wake(): void;
  ready(): void;
  raise(alert: Alert, message?: string): void;
  clear(alert: Alert): void;
  /** The threshold or the model changed. */
  infoChanged(): void;
  report(reported: Reported): void;
  /**
   * Delivers what waits, for up to `patience` milliseconds (default 1500), says `stopping`, disconnects. What could
   * not be delivered waits on disk for the next start.
   */
  stop(patience?: number): Promise<void>;
}

/** Milliseconds that `stop` gives the waiting verdicts, and then the last word. */
const PATIENCE = 1500;

/** @throws ConfigError when the port of the embedded broker is taken. */
export async function startPublishing(options: PublishingOptions): Promise<Publishing> {
  const { settings, ledger, log } = options;
  const topic = topics(settings['mqtt.root'], settings.site, settings.device);
  const embedded =
    settings['mqtt.url'] === '' ? await startEmbeddedBroker(settings['mqtt.embeddedPort']) : null;
  if (embedded !== null) log.info({ broker: embedded.url }, 'embedded broker listens');

  const refusals = new Map<'verdict' | 'gap', string | null>();
  const presence = startPresence({
    topics: topic,
    info: options.info,
    health: () => {
      try {
        return healthNow(ledger, options.vitals());
      } catch (error) {
        log.error({ err: error }, 'health cannot be told');
        return null;
      }
    },
    interval: settings['health.interval'],
    send: (message) => {
      const session = broker.session();
      if (session !== null) say(session, message);
    },
  });
  const outbox = startOutbox({
    ledger: ledger.outbox,
    topic: topic.verdict,
    window: settings['mqtt.window'],
    acknowledge: settings['mqtt.acknowledge'],
    renew: (reason) => broker.renew(reason),
    onRefused: (message) => sayRefused('verdict', message),
    onCondition: options.onCondition,
    faultPoint: options.faultPoint,
    log,
  });
  const gaps = startGaps({
    ledger: ledger.gaps,
    topic: topic.gap,
    onRefused: (message) => sayRefused('gap', message),
    faultPoint: options.faultPoint,
    log,
  });
  const retention = startRetention({
    ledger,
    settings,
    onGap: ({ reason, first, last, verdicts }) => {
      log.error({ reason, first, last, verdicts }, GAP_REASONS[reason]);
      gaps.wake();
    },
    log,
  });
  const broker = keepConnected({
    settings,
    ...(embedded === null ? {} : { embeddedUrl: embedded.url }),
    ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
    will: lastWill(topic),
    onSession(session) {
      presence.announce();
      session.subscribe(topic.desired).catch((error) => unsaid(topic.desired, error));
      gaps.attach(session);
      outbox.attach(session);
    },
    onMessage: (_, payload) => options.onDesired(payload),
    log,
  });

  function sayRefused(what: 'verdict' | 'gap', message: string | null): void {
    refusals.set(what, message);
    const said = [...refusals.values()].find((each) => each !== null);
    if (said === undefined) presence.clear('delivery-refused');
    else presence.raise('delivery-refused', said);
  }
  function say(session: Session, message: Message): Promise<void> {
    return session.publish(message).catch((error) => unsaid(message.topic, error));
  }
  /** Presence is said anew on the next connection; only a refusal is news. */
  function unsaid(on: string, error: Error): void {
    if (error instanceof DeniedError)
      log.error(
        { topic: on, reason: error.message },
        'the broker refuses this topic. Check what this client may do',
      );
  }

  return {
    embeddedUrl: embedded?.url ?? null,
    connected: () => broker.session() !== null,
    wake() {
      retention.recorded();
      outbox.wake();
    },
    ready: presence.ready,
    raise: presence.raise,
    clear: presence.clear,
    infoChanged: presence.infoChanged,
    report: presence.report,
    async stop(patience = PATIENCE) {
      retention.close();
      await outbox.stop(patience);
      const last = presence.stopping();
      const session = broker.session();
      if (session !== null)
        await Promise.race([say(session, last), delay(PATIENCE, undefined, { ref: false })]);
      await broker.stop();
      await embedded?.close();
    },
  };
}

function healthNow(ledger: Ledger, vitals: Vitals): Health {
  return {
    schema: 'plumbline/health/1',
    at: new Date().toISOString(),
    uptimeSeconds: Math.round(process.uptime()),
    ...vitals,
    outbox: ledger.outbox.size().verdicts,
    verdicts: ledger.counts(),
    lastVerdictAt: ledger.lastVerdictAt(),
    residentBytes: process.memoryUsage.rss(),
  };
}
