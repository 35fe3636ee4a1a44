/** The network between an agent and its broker, to be cut: a TCP proxy on loopback. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Network {
  /** `mqtt://127.0.0.1:<port>` */
  readonly url: string;
  /** Forwards again. Connections that were swallowed go on with what they hold. */
  pass(): void;
  /** Resets every connection, and every new one. */
  cut(): void;
  /** Swallows: connections stay open, are accepted even, and nothing gets through (half-open). */
  hang(): void;
  close(): Promise<void>;
}

/** Forwards connections to `port` on 127.0.0.1. */
export async function openNetwork(port: number): Promise<Network> {
  const sockets = new Set<Socket>();
  let state: 'pass' | 'cut' | 'hang' = 'pass';
  const keep = (socket: Socket) => {
    sockets.add(socket);
    if (state === 'hang') socket.pause();
    socket.on('error', () => {}); // seen as its close
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    keep(near);
    if (state === 'cut') return near.resetAndDestroy();
    const far = connect(port, '127.0.0.1');
    keep(far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes: Buffer) => to.write(bytes));
      from.once('close', () => to.destroy());
    }
    if (state === 'hang') for (const socket of [near, far]) socket.pause();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pass() {
      state = 'pass';
      for (const socket of sockets) socket.resume();
    },
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.resetAndDestroy();
    },
    hang() {
      state = 'hang';
      for (const socket of sockets) socket.pause();
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
