/** A real broker (aedes) for tests, and a subscriber that awaits messages. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';

export interface TestBroker {
  readonly port: number;
  readonly url: string;
  /** Calls with each PUBLISH as it comes in. */
  onPublish(listener: (topic: string, payload: Buffer) => void): void;
  close(): Promise<void>;
}

/** Starts aedes on loopback; port 0: a free one. */
export async function startBroker(port = 0): Promise<TestBroker> {
  const aedes = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    aedes.handle(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: actual } = server.address() as { port: number };
  return {
    port: actual,
    url: `mqtt://127.0.0.1:${actual}`,
    onPublish: (listener) => {
      aedes.on('publish', ({ topic, payload }, client) => {
        if (client !== null) listener(topic, Buffer.from(payload)); // else it is the broker's own
      });
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
    },
  };
}

export interface Message<T = Record<string, unknown>> {
  readonly topic: string;
  readonly payload: T;
  readonly retain: boolean;
}

export interface Subscriber {
  readonly messages: Message[];
  /** The first message, past or future, for which `wanted` holds. */
  until(wanted: (message: Message) => boolean): Promise<Message>;
  /** Resolves when `done`, asked after every message, holds. */
  settle(done: () => boolean): Promise<void>;
  publish(topic: string, payload: unknown, options?: { retain?: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** Subscribes to everything at `url`, and again after the broker was away. Payloads are JSON. aedes speaks 3.1.1 (version 4) only. */
export async function subscribe(
  url: string,
  options: { readonly version?: 4 | 5 } = {},
): Promise<Subscriber> {
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  const client = mqtt.connect(url, { protocolVersion: options.version ?? 4, reconnectPeriod: 50 });
  client.on('message', (topic, payload, packet) => {
    messages.push({ topic, payload: JSON.parse(payload.toString()), retain: packet.retain });
    for (const look of waiting) look();
  });
  await new Promise<void>((resolve, reject) => {
    client.on('connect', () => {
      client.subscribeAsync('#', { qos: 1 }).then(() => resolve(), reject);
    });
  });
  client.on('error', () => {}); // reconnects by itself
  const settle = (done: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!done()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return {
    messages,
    settle,
    async until(wanted) {
      await settle(() => messages.some(wanted));
      return messages.find(wanted)!;
    },
    async publish(topic, payload, how = {}) {
      const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
      await client.publishAsync(topic, text, { qos: 1, retain: how.retain ?? false });
    },
    async close() {
      await client.endAsync(true);
    },
  };
}
