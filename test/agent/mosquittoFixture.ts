/** Mosquitto for a test, a dashboard at it, and a line to it that can be slow, cut, or dead without saying so. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Verdict } from '../../config/verdict.ts';
import { freePort } from '../support/port.ts';

const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
const missing = spawnSync('mosquitto', ['-h'], { env: environment }).error !== undefined;
export const skip = missing ? 'needs Mosquitto (Debian: apt-get install mosquitto)' : false;

export class Mosquitto {
  readonly folder: string;
  port = 0;
  #process: ChildProcess | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Resolves when it listens. */
  async start(configuration: string): Promise<void> {
    this.port ||= await freePort();
    const file = join(this.folder, 'mosquitto.conf');
    writeFileSync(
      file,
      `listener ${this.port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_type all\n${configuration}\n`,
    );
    this.#process = spawn('mosquitto', ['-v', '-c', file], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const lines = createInterface({ input: this.#process.stderr! });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      lines.on('line', (line) => {
        said += `${line}\n`;
        if (/mosquitto version .* running/.test(line)) resolve();
      });
      this.#process!.once('exit', (code) => reject(new Error(`mosquitto ended with ${code}: ${said}`)));
    });
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  reload(): void {
    this.#process!.kill('SIGHUP');
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }
}

export async function startMosquitto(
  t: TestContext,
  configuration: (folder: string) => string = () => '',
): Promise<Mosquitto> {
  const mosquitto = new Mosquitto(mkdtempSync(join(tmpdir(), 'mosquitto-')));
  t.after(async () => {
    await mosquitto.stop('SIGKILL');
    rmSync(mosquitto.folder, { recursive: true, force: true });
  });
  await mosquitto.start(configuration(mosquitto.folder));
  return mosquitto;
}

/** A dashboard that survives restarts of the broker; `until` looks after every message. */
export async function subscribe(t: TestContext, url: string, id = 'dashboard') {
  const packets: IPublishPacket[] = [];
  const verdicts: Verdict[] = [];
  const client: MqttClient = await connectAsync(url, {
    protocolVersion: 5,
    clientId: id,
    clean: false,
    properties: { sessionExpiryInterval: 600 },
    reconnectPeriod: 50,
  });
  t.after(() => client.endAsync(true));
  let look = () => {};
  client.on('message', (topic, payload, packet) => {
    packets.push(packet);
    if (topic.endsWith('/verdict')) verdicts.push(JSON.parse(payload.toString()));
    look();
  });
  await client.subscribeAsync('plumbline/v1/#', { qos: 1 });
  return {
    client,
    packets,
    of: (what: string) => packets.filter((p) => p.topic.endsWith(`/${what}`)),
    verdicts: () => verdicts,
    until: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        look = () => condition() && resolve();
        look();
      }),
  };
}

export interface Line {
  readonly url: string;
  /** Connections made so far. */
  readonly connections: number;
  /** Most QoS 1 messages that were underway to the broker at the same time. */
  readonly mostUnacknowledged: number;
  /** While true, whoever connects is cut off at once. */
  refusing: boolean;
  /** From now on the connections that stand are dead: nothing goes through them, and neither end is told. */
  freeze(): void;
}

/**
 * A line to the broker on `port`. It counts the QoS 1 messages underway, for Mosquitto itself does not enforce its
 * receive maximum on QoS 1.
 * @param pause milliseconds that each piece of what the broker says takes, one after the other.
 */
export async function openLine(t: TestContext, port: number, pause = 0): Promise<Line> {
  let unacknowledged = 0;
  const sockets = new Set<Socket>();
  const frozen = new Set<Socket>();
  const server = createServer((agent) => {
    if (line.refusing) return void agent.destroy();
    line.connections++;
    const broker = connect(port, '127.0.0.1');
    const sent = packetTypes((type, flags) => {
      if (type === 3 && (flags & 0b0110) === 0b0010)
        line.mostUnacknowledged = Math.max(line.mostUnacknowledged, ++unacknowledged);
    });
    let answers = Promise.resolve();
    const answer = (bytes: Buffer, type: number) => {
      answers = answers.then(async () => {
        if (pause > 0) await delay(pause);
        if (type === 4) unacknowledged--;
        if (!frozen.has(agent)) agent.write(bytes);
      });
    };
    const answered = packetTypes((type, _flags, bytes) => answer(bytes, type));
    agent.on('data', (data) => {
      if (frozen.has(agent)) return;
      sent(data);
      broker.write(data);
    });
    broker.on('data', answered);
    for (const socket of [agent, broker]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        if (frozen.has(agent)) return;
        agent.destroy();
        broker.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server, 'listening');
  const { port: own } = server.address() as { port: number };
  const line = {
    url: `mqtt://127.0.0.1:${own}`,
    connections: 0,
    mostUnacknowledged: 0,
    refusing: false,
    freeze() {
      for (const socket of sockets) frozen.add(socket);
    },
  };
  return line;
}

/** Calls back with type, flags and bytes of every MQTT packet in what it is fed (MQTT 5, section 2.1). */
function packetTypes(onPacket: (type: number, flags: number, bytes: Buffer) => void): (data: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (data) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      let length = 0;
      let at = 1;
      do length += ((rest[at] ?? 0x7fffff) % 128) * 128 ** (at - 1);
      while ((rest[at++] ?? 0) >= 128);
      if (rest.length < at + length) return;
      onPacket(rest[0]! >> 4, rest[0]! & 0x0f, rest.subarray(0, at + length));
      rest = rest.subarray(at + length);
    }
  };
}
