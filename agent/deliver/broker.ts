/**
 * Keeps a connection to the broker: a fresh client for every one, with our own backoff. mqtt.js's reconnecting is not
 * used: it stops for good on a refused CONNACK, knows no jitter, and loses messages published during its store replay.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AgentSettings } from '../../config/agent.ts';
import { describe, type Message, openSession, type Session } from './session.ts';

export interface Backoff {
  /** Wait after the first failure, milliseconds; doubled after each. Between half of it and the whole is waited. */
  readonly first: number;
  readonly most: number;
  /** A connection that lasted so long makes the next wait the first again. */
  readonly stable: number;
}

/** So many connections in a row that ended within SOON milliseconds look like two clients with one id. */
const MANY = 3;
const SOON = 10_000;

const BACKOFF: Backoff = { first: 500, most: 30_000, stable: 10_000 };

export interface BrokerOptions {
  readonly settings: AgentSettings;
  /** Broker to use when `mqtt.url` is empty. */
  readonly embeddedUrl?: string;
  /** What the broker says when the connection breaks. */
  readonly will: Message;
  /** Called with every new connection, before anything else is sent on it. */
  readonly onSession: (session: Session) => void;
  readonly onMessage: (topic: string, payload: Buffer) => void;
  readonly log: Logger;
  readonly backoff?: Backoff;
}

export interface Broker {
  /** The connection in force; null while there is none. */
  session(): Session | null;
  /** Drops the connection in force; a new one is made. */
  renew(reason: string): void;
  /** Says goodbye and stays away. */
  stop(): Promise<void>;
}

/**
 * Milliseconds to wait after so many failures, at least one, in a row.
 * @param random 0 to 1: a broker that returns is not met by all its devices at the same moment.
 */
export function waitAfter(failures: number, { first, most }: Backoff, random: number): number {
  return Math.min(most, first * 2 ** (failures - 1)) * (0.5 + random / 2);
}

/** CONNACK reason codes for "that protocol version is not spoken here": MQTT 3.1.1 table 3.1, MQTT 5 table 3-1. */
function versionRefused(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 1 || code === 132;
}

export function keepConnected(options: BrokerOptions): Broker {
  const { log, onSession, backoff = BACKOFF } = options;
  const stopping = new AbortController();
  const url = options.settings['mqtt.url'] || options.embeddedUrl || '';
  const broker = redacted(url);
  let session: Session | null = null;
  let version: 4 | 5 = options.settings['mqtt.url'] === '' ? 4 : 5; // the embedded broker speaks 3.1.1 only
  let failures = 0;
  let endedSoon = 0;
  let lastReason = '';

  const failed = (reason: string) => {
    failures++;
    log[reason === lastReason ? 'debug' : 'warn'](
      { broker, reason },
      'no connection to the broker; verdicts wait',
    );
    lastReason = reason;
  };

  async function once(): Promise<void> {
    let opened: Session;
    try {
      opened = await openSession(
        { ...access(options.settings, url), version, will: options.will, onMessage: options.onMessage },
        stopping.signal,
      );
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (version === 5 && versionRefused(error)) {
        version = 4;
        log.warn(
          { broker },
          'the broker does not speak MQTT 5; going on with 3.1.1, where it cannot refuse a message with a reason',
        );
        return;
      }
      return failed(describe(error as Error));
    }
    const since = performance.now();
    session = opened;
    log.info({ broker, version: version === 5 ? '5' : '3.1.1' }, 'connected to the broker');
    lastReason = '';
    onSession(opened);
    const reason = await opened.ended;
    session = null;
    if (stopping.signal.aborted) return;
    const lasted = performance.now() - since;
    if (lasted >= backoff.stable) failures = 0;
    endedSoon = lasted < SOON ? endedSoon + 1 : 0;
    failed(
      endedSoon < MANY
        ? reason
        : `${reason}. No connection lasts: is a second agent running with the same site and device?`,
    );
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await once();
      if (failures === 0 || stopping.signal.aborted) continue;
      const wait = waitAfter(failures, backoff, Math.random());
      await delay(wait, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  const running = run();
  return {
    session: () => session,
    renew: (reason) => session?.abort(reason),
    async stop() {
      stopping.abort();
      await session?.close();
      await running;
    },
  };
}

/** Connects once and says goodbye, for `agent check`: what was found. @throws Error saying why not. */
export async function tryBroker(settings: AgentSettings): Promise<string> {
  const url = settings['mqtt.url'];
  if (url === '') return `none set: the agent starts its own on 127.0.0.1:${settings['mqtt.embeddedPort']}`;
  const will = { topic: `${settings['mqtt.root']}/check`, payload: '', qos: 0, retain: false } as const;
  const { clientId, ...rest } = access(settings, url);
  const open = (version: 4 | 5) =>
    openSession(
      { ...rest, clientId: `${clientId}-check`, version, will, onMessage: () => {} },
      AbortSignal.timeout(10_000),
    );
  try {
    const session = await open(5).catch((error) => {
      if (versionRefused(error)) return open(4);
      throw error;
    });
    await session.close();
    return `${redacted(url)} accepts us with MQTT ${session.version === 5 ? '5' : '3.1.1'}`;
  } catch (cause) {
    throw new Error(
      `${redacted(url)} does not accept us: ${describe(cause as Error)}. Check mqtt.url, the network and the password.`,
      { cause },
    );
  }
}

/** The URL without user name and password, fit for a log. */
export function redacted(url: string): string {
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  return parsed.href;
}

/**
 * How to reach the broker. Read anew for every connection, so that renewed certificates and passwords are picked up.
 * User name and password within the URL stand back behind the settings of their own.
 */
function access(settings: AgentSettings, url: string) {
  const { username: urlUser, password: urlPassword } = new URL(url);
  const username = settings['mqtt.username'] || decodeURIComponent(urlUser);
  const passwordFile = secretFile(settings, 'mqtt.passwordFile')
    ?.toString('utf8')
    .replace(/\r?\n$/, '');
  const password = settings['mqtt.password'] || passwordFile || decodeURIComponent(urlPassword);
  const ca = secretFile(settings, 'mqtt.ca');
  const cert = secretFile(settings, 'mqtt.cert');
  const key = secretFile(settings, 'mqtt.key');
  return {
    url: redacted(url),
    clientId: `plumbline-${settings.site}-${settings.device}`,
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function secretFile(
  settings: AgentSettings,
  setting: 'mqtt.passwordFile' | 'mqtt.ca' | 'mqtt.cert' | 'mqtt.key',
): Buffer | undefined {
  const path = settings[setting];
  if (path === '') return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Error(`${setting} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}
