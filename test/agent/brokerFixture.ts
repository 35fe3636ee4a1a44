/** A real broker (aedes) that a test can stop, start again on the same port, and listen to; and an agent's publishing on it. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { Aedes, type AedesOptions } from 'aedes';
import { type Logger, pino } from 'pino';
import { type Ledger, openLedger } from '../../agent/deliver/ledger.ts';
import { type Publishing, startPublishing } from '../../agent/deliver/publish.ts';
import { noFault } from '../../agent/faultPoints.ts';
import type { AgentSettings, SettingKey } from '../../config/agent.ts';
import { readSettings } from '../../config/settings.ts';
import type { Info } from '../../config/topics.ts';
import type { Verdict } from '../../config/verdict.ts';
import { capture, DEVICE, recordOne, verdictOn } from './verdictFixture.ts';

export interface Received {
  readonly topic: string;
  /** Last level or levels of the topic, after the device. */
  readonly what: string;
  readonly retain: boolean;
  readonly payload: string;
}

export class TestBroker {
  readonly received: Received[] = [];
  readonly hooks: AedesOptions;
  port = 0;
  aedes: Aedes | undefined;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();

  constructor(hooks: AedesOptions = {}) {
    this.hooks = hooks;
  }

  async start(): Promise<void> {
    const aedes = await Aedes.createBroker(this.hooks);
    aedes.on('publish', ({ topic, payload, retain }) => {
      if (topic.startsWith('$SYS')) return;
      const what = topic.split('/').slice(4).join('/');
      this.received.push({ topic, what, retain, payload: payload.toString() });
      this.check();
    });
    for (const event of ['clientReady', 'clientDisconnect', 'clientError', 'subscribe'] as const)
      aedes.on(event as 'clientReady', () => this.check());
    this.aedes = aedes;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      aedes.handle(socket);
    }).listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Away at once, connections cut. */
  async stop(): Promise<void> {
    if (this.aedes === undefined || this.#server === undefined) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.aedes.close();
    await closed;
    this.aedes = undefined;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  verdicts(): Verdict[] {
    return this.received.filter((m) => m.what === 'verdict').map((m) => JSON.parse(m.payload));
  }

  last(what: string) {
    const message = this.received.findLast((m) => m.what === what);
    return message === undefined ? undefined : JSON.parse(message.payload);
  }

  /** Tries the conditions of `until` again. */
  check(): void {
    for (const look of this.#waiting) look();
  }

  /** Resolves as soon as `condition` holds, looked at after everything that happens at the broker. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

export async function startBroker(t: TestContext, hooks?: AedesOptions): Promise<TestBroker> {
  const broker = new TestBroker(hooks);
  await broker.start();
  t.after(() => broker.stop());
  return broker;
}

export function temporaryFolder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'agent-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function settingsFor(url: string, more: Partial<Record<SettingKey, string>> = {}): AgentSettings {
  return readSettings({ environment: {}, arguments: { 'mqtt.url': url, device: DEVICE, ...more } });
}

/** A logger, and what it has written. */
export function listeningLog(onLine: () => void = () => {}): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk));
      onLine();
      done();
    },
  });
  return { log: pino({ level: 'debug' }, stream), lines };
}

export const INFO: Info = {
  schema: 'plumbline/info/1',
  agent: '0.1.0',
  node: 'v24.0.0',
  platform: 'linux-x64',
  executionProvider: 'cpu',
  startedAt: '2026-01-02T03:04:05.678Z',
  model: { name: 'phantom', version: '1', digest: `sha256:${'0'.repeat(64)}` },
  threshold: { rule: { rule: 'fixed', value: 0.5 }, upper: 0.5, lower: null, revision: 1 },
  ledger: { schemaVersion: 2, rebuiltAt: null, setAside: null },
};

export interface TestAgent {
  readonly ledger: Ledger;
  readonly publishing: Publishing;
  /** Ends publishing and closes the ledger. */
  stop(): Promise<void>;
  readonly lines: readonly string[];
  readonly desired: string[];
  /** Records `count` captures, numbered on from the last, and wakes the outbox after each. */
  record(count: number, padding?: number): Verdict[];
  /** The same in one transaction, and wakes the outbox once. */
  recordAll(count: number): Verdict[];
}

/** Ledger and publishing as the agent puts them together, with short waits. */
export async function startAgent(
  t: TestContext,
  settings: AgentSettings,
  more: { state?: string; broker?: TestBroker } = {},
): Promise<TestAgent> {
  const ledger = await openLedger(more.state ?? temporaryFolder(t));
  const { log, lines } = listeningLog(() => more.broker?.check());
  const desired: string[] = [];
  const publishing: Publishing = await startPublishing({
    settings,
    ledger,
    info: () => INFO,
    vitals: () => ({ queued: 0, unsettled: 0, diskFreeBytes: 1e9, scorerRestarts: 0 }),
    onDesired: (payload) => {
      desired.push(payload.toString());
      more.broker?.check();
    },
    onCondition: (code, message) =>
      message === null ? publishing.clear(code) : publishing.raise(code, message),
    faultPoint: noFault,
    log,
    backoff: { first: 20, most: 100, stable: 10 },
  });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= publishing.stop().then(() => ledger.close());
    return stopped;
  };
  t.after(stop);
  let recorded = 0;
  return {
    ledger,
    publishing,
    stop,
    lines,
    desired,
    record: (count, padding) =>
      Array.from({ length: count }, () => {
        const of = capture(`c${recorded++}`);
        const verdict = recordOne(ledger, of, null, verdictOn(of, padding))!;
        publishing.wake();
        return verdict;
      }),
    recordAll(count) {
      const entries = Array.from({ length: count }, () => {
        const of = capture(`c${recorded++}`);
        return { capture: of, contentSha256: null, makeVerdict: verdictOn(of) };
      });
      const verdicts = ledger.record(entries).map((verdict) => verdict!); // none is dropped: all are new
      publishing.wake();
      return verdicts;
    },
  };
}
