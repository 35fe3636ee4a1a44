/** The two agents that are compared: started the same way, seen through the broker and /proc alone. */
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type AgentProcess, startAgent, startProgram } from '../../test/support/agent.ts';
import { startBroker } from '../../test/support/broker.ts';

export interface Peer {
  readonly name: string;
  /** @param workers scoring processes or threads. */
  start(place: PeerPlace, workers: number): AgentProcess;
  /** Whether a message says that it is ready. */
  isReady(topic: string, payload: Buffer): boolean;
  isVerdict(topic: string): boolean;
}

export interface PeerPlace {
  readonly watch: string;
  readonly state: string;
  /** Of the broker on loopback. */
  readonly port: number;
}

export interface Verdict {
  /** When its PUBLISH came in, performance.now(). */
  readonly at: number;
  readonly payload: Buffer;
}

export interface RunningPeer {
  readonly pid: number;
  readonly watch: string;
  /** Milliseconds from the start of the process until it said that it is ready. */
  readonly startMilliseconds: number;
  readonly verdicts: readonly Verdict[];
  /** Resolves when so many verdicts have come since the start. */
  until(count: number): Promise<void>;
  /** The first verdict of Plumbline on the image with this `image.ref`, once it has come. */
  verdictOn(ref: string): Promise<Verdict>;
  stop(): Promise<void>;
}

/** @param more settings beside those of every peer. */
export function plumbline(bundle: string, more: Readonly<Record<string, number>> = {}): Peer {
  return {
    name: 'Plumbline',
    start({ watch, state, port }, workers) {
      const settings = { bundle, watch, state, 'scorer-processes': workers, 'log-level': 'error', ...more };
      const broker = ['--broker', `mqtt://127.0.0.1:${port}`];
      const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
      return startAgent(['run', ...args, ...broker]);
    },
    isReady: (topic, payload) => topic.endsWith('/state') && JSON.parse(payload.toString()).state === 'ready',
    isVerdict: (topic) => topic.endsWith('/verdict'),
  };
}

export function python(interpreter: string, script: string, decoder: string, bundle: string): Peer {
  return {
    name: 'Python',
    start: ({ watch, state, port }, workers) =>
      startProgram(interpreter, [
        ...[script, 'run', decoder, String(workers), bundle, watch],
        ...[path.join(state, 'records.sqlite'), String(port)],
      ]),
    isReady: (topic) => topic === 'python/ready',
    isVerdict: (topic) => topic === 'python/verdict',
  };
}

/** Starts a peer with a broker of its own in `folder`, which is made; resolves when it is ready. */
export async function startPeer(peer: Peer, folder: string, workers: number): Promise<RunningPeer> {
  const broker = await startBroker();
  const place = {
    watch: path.join(folder, 'captures'),
    state: path.join(folder, 'state'),
    port: broker.port,
  };
  for (const made of [place.watch, place.state]) await mkdir(made, { recursive: true });
  const verdicts: Verdict[] = [];
  const arrived = new EventTarget();
  const ready = Promise.withResolvers<number>();
  broker.onPublish((topic, payload) => {
    const at = performance.now();
    if (peer.isReady(topic, payload)) ready.resolve(at);
    if (!peer.isVerdict(topic)) return;
    verdicts.push({ at, payload });
    arrived.dispatchEvent(new Event('verdict'));
  });
  const started = performance.now();
  const process = peer.start(place, workers);
  const early = process.ended.then(() => {
    throw new Error(`${peer.name} ended: ${process.output()}`);
  });
  const readyAt = await Promise.race([ready.promise, early]);
  return {
    pid: process.pid,
    watch: place.watch,
    startMilliseconds: readyAt - started,
    verdicts,
    async until(count) {
      while (verdicts.length < count) await Promise.race([once(arrived, 'verdict'), early]);
    },
    async verdictOn(ref) {
      for (let seen = 0; ; ) {
        for (; seen < verdicts.length; seen++)
          if (JSON.parse(verdicts[seen]!.payload.toString()).image.ref === ref) return verdicts[seen]!;
        await Promise.race([once(arrived, 'verdict'), early]);
      }
    },
    async stop() {
      early.catch(() => {});
      process.child.kill('SIGTERM');
      await process.ended;
      await broker.close();
    },
  };
}
