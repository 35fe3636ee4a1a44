/** What only MQTT 5 can do, against Mosquitto. Skipped where it is not installed (Debian: apt-get install mosquitto). */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt';
import { freePort } from '../support/port.ts';
import { settingsFor, startAgent } from './brokerFixture.ts';

const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
const missing = spawnSync('mosquitto', ['-h'], { env: environment }).error !== undefined;
const skip = missing ? 'needs Mosquitto' : false;

class Mosquitto {
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

async function start(
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
async function subscriber(t: TestContext, url: string, id = 'dashboard') {
  const packets: IPublishPacket[] = [];
  const client: MqttClient = await connectAsync(url, {
    protocolVersion: 5,
    clientId: id,
    clean: false,
    properties: { sessionExpiryInterval: 600 },
    reconnectPeriod: 50,
  });
  t.after(() => client.endAsync(true));
  let look = () => {};
  client.on('message', (_topic, _payload, packet) => {
    packets.push(packet);
    look();
  });
  await client.subscribeAsync('plumbline/v1/#', { qos: 1 });
  return {
    client,
    packets,
    of: (what: string) => packets.filter((p) => p.topic.endsWith(`/${what}`)),
    verdicts: () =>
      packets.filter((p) => p.topic.endsWith('/verdict')).map((p) => JSON.parse(p.payload.toString())),
    until: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        look = () => condition() && resolve();
        look();
      }),
  };
}

test('messages carry content type and health an expiry; the version spoken is 5', { skip }, async (t) => {
  const mosquitto = await start(t);
  const dashboard = await subscriber(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url, { 'health.interval': '7' }));
  agent.record(1);
  await dashboard.until(() =>
    ['state', 'info', 'health', 'verdict'].every((w) => dashboard.of(w).length > 0),
  );
  for (const packet of dashboard.packets) assert.equal(packet.properties?.contentType, 'application/json');
  const expiry = dashboard.of('health')[0]?.properties?.messageExpiryInterval;
  assert.ok(expiry !== undefined && expiry > 0 && expiry <= 21);
  assert.ok(agent.lines.some((line) => /connected to the broker/.test(line) && /"version":"5"/.test(line)));
});

test('a PUBACK that denies keeps the verdict, says why, and it is sent again later', { skip }, async (t) => {
  const acl = (folder: string, rules: string) => {
    writeFileSync(join(folder, 'acl'), `topic readwrite plumbline/#\n${rules}`);
    return `acl_file ${folder}/acl`;
  };
  const mosquitto = await start(t, (folder) =>
    acl(folder, 'topic deny plumbline/v1/site/camera-1/verdict\n'),
  );
  const dashboard = await subscriber(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url));
  const recorded = agent.record(50);
  const refusal = () =>
    agent.lines.map((line) => JSON.parse(line)).find((line) => /refuses a verdict/.test(line.msg));
  while (refusal() === undefined) await delay(5);
  assert.equal(refusal().code, 135);
  assert.match(refusal().reason, /Not authorized/);
  assert.equal(agent.ledger.outbox.size().verdicts, 50);
  assert.equal(agent.publishing.connected(), true);
  acl(mosquitto.folder, '');
  mosquitto.reload();
  await dashboard.until(() => dashboard.verdicts().length >= 50);
  assert.deepEqual(
    dashboard
      .verdicts()
      .map((v) => v.id)
      .sort(),
    recorded.map((v) => v.id).sort(),
  );
});

test('a broker that is restarted twice in the middle gets every verdict', { skip }, async (t) => {
  const persistent = (folder: string) =>
    `persistence true\npersistence_location ${folder}/\nautosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0`;
  const mosquitto = await start(t, persistent);
  const dashboard = await subscriber(t, mosquitto.url);
  const agent = await startAgent(t, settingsFor(mosquitto.url));
  const recorded = agent.record(500);
  for (const seen of [80, 250]) {
    await dashboard.until(() => dashboard.verdicts().length >= seen);
    await mosquitto.stop('SIGTERM');
    await mosquitto.start(persistent(mosquitto.folder));
  }
  const ids = () => new Set(dashboard.verdicts().map((v) => v.id));
  await dashboard.until(() => ids().size === 500);
  assert.deepEqual([...ids()].sort(), recorded.map((v) => v.id).sort());
  for (const verdict of dashboard.verdicts()) assert.deepEqual(verdict, recorded[verdict.seq - 1]);
});

test('the receive maximum of the broker bounds what is in flight, presence included', { skip }, async (t) => {
  const mosquitto = await start(t, () => 'max_inflight_messages 2');
  const dashboard = await subscriber(t, mosquitto.url);
  const slow = await slowLine(t, mosquitto.port);
  const agent = await startAgent(t, settingsFor(slow.url, { 'mqtt.window': '50' }));
  agent.record(30);
  agent.publishing.raise('disk-full');
  await dashboard.until(() => dashboard.verdicts().length === 30);
  assert.equal(slow.mostUnacknowledged(), 2);
});

/**
 * A line to the broker on which its answers take 10 ms, for Mosquitto itself does not enforce its receive maximum on
 * QoS 1. Counts the QoS 1 messages underway.
 */
async function slowLine(t: TestContext, port: number) {
  let unacknowledged = 0;
  let most = 0;
  const sockets = new Set<Socket>();
  const server = createServer((agent) => {
    const broker = connect(port, '127.0.0.1');
    const sent = packetTypes((type, flags) => {
      if (type === 3 && (flags & 0b0110) === 0b0010) most = Math.max(most, ++unacknowledged);
    });
    const answered = packetTypes((type) => {
      if (type === 4) unacknowledged--;
    });
    agent.on('data', (data) => {
      sent(data);
      broker.write(data);
    });
    broker.on('data', (data) =>
      setTimeout(() => {
        answered(data);
        agent.write(data);
      }, 10),
    );
    for (const socket of [agent, broker]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
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
  return { url: `mqtt://127.0.0.1:${own}`, mostUnacknowledged: () => most };
}

/** Calls back with type and flags of every MQTT packet in the bytes it is fed (MQTT 5, section 2.1). */
function packetTypes(onPacket: (type: number, flags: number) => void): (data: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (data) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      let length = 0;
      let at = 1;
      do length += ((rest[at] ?? 0x7fffff) % 128) * 128 ** (at - 1);
      while ((rest[at++] ?? 0) >= 128);
      if (rest.length < at + length) return;
      onPacket(rest[0]! >> 4, rest[0]! & 0x0f);
      rest = rest.subarray(at + length);
    }
  };
}
