/** The broker within the agent, for a PC without one: MQTT 3.1.1 on loopback only, nothing kept on disk. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { ConfigError } from '../../config/errors.ts';

export interface EmbeddedBroker {
  readonly port: number;
  /** `mqtt://127.0.0.1:<port>` */
  readonly url: string;
  /** Disconnects every client and frees the port. */
  close(): Promise<void>;
}

/** Milliseconds that subscribers get to read the last messages. */
const GRACE = 500;

/**
 * Listens on 127.0.0.1; `port` 0 takes any free one.
 * @throws ConfigError when the port is taken or not permitted.
 */
export async function startEmbeddedBroker(port: number): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    aedes.handle(socket);
  });
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (cause) {
    aedes.close();
    const code = (cause as NodeJS.ErrnoException).code;
    const problem =
      code === 'EADDRINUSE' ? 'is in use, perhaps by another broker' : `cannot be had (${code})`;
    throw new ConfigError(
      `Port ${port} on 127.0.0.1 ${problem}. Set mqtt.url to use that broker, or mqtt.embeddedPort to another port (0: any free one).`,
      { cause },
    );
  }
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    url: `mqtt://127.0.0.1:${address.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      aedes.close(); // ends each connection after what is still to be written on it
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, GRACE);
      await closed;
      clearTimeout(timer);
    },
  };
}
