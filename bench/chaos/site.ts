/** A broker that can be restarted, and a subscriber that nothing of the agent knows: what it got is what counts. */
import { setTimeout as delay } from 'node:timers/promises';
import mqtt from 'mqtt';
import { startBroker } from '../../test/support/broker.ts';
import { openDashboard, startMosquitto } from '../delivery/mosquitto.ts';
import type { Network } from './network.ts';

export interface Site {
  readonly port: number;
  /** Everything received so far. */
  readonly messages: readonly { readonly topic: string; readonly payload: string }[];
  /** @param network the way from the agent to this broker. */
  restart(network: Network): Promise<void>;
  close(): Promise<void>;
}

/** Mosquitto with persistence in `folder`, and mosquitto_sub with a persistent session. */
export async function openMosquittoSite(folder: string): Promise<Site> {
  const broker = await startMosquitto(folder);
  const dashboard = await openDashboard(broker.url);
  return {
    port: Number(new URL(broker.url).port),
    messages: dashboard.messages,
    restart: () => broker.restart(),
    async close() {
      await dashboard.close();
      await broker.close();
    },
  };
}

/**
 * aedes, for where no Mosquitto is. It forgets everything with a restart, so the agent is cut off before, and until
 * the subscriber is there again: what it acknowledged has then reached the subscriber.
 */
export async function openAedesSite(): Promise<Site> {
  let broker = await startBroker();
  const { port } = broker;
  const messages: { topic: string; payload: string }[] = [];
  const client = mqtt.connect(broker.url, { protocolVersion: 4, reconnectPeriod: 50 });
  client.on('error', () => {}); // connects again by itself
  client.on('connect', () => client.subscribe('plumbline/#', { qos: 1 }));
  client.on('message', (topic, payload) => messages.push({ topic, payload: payload.toString() }));
  /** Resolves when a message of its own has come back: everything before it has come, too. */
  const caughtUp = async () => {
    const mark = `plumbline/mark/${Math.random()}`;
    while (!messages.some(({ topic }) => topic === mark)) {
      if (client.connected) client.publish(mark, '{}', { qos: 0 });
      await delay(20);
    }
  };
  await caughtUp();
  return {
    port,
    messages,
    async restart(network) {
      network.cut();
      await caughtUp();
      await broker.close();
      broker = await startBroker(port);
      await caughtUp();
      network.pass();
    },
    async close() {
      await client.endAsync(true);
      await broker.close();
    },
  };
}
