/** Mosquitto as broker and mosquitto_sub as dashboard, as a hospital would run them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../test/support/port.ts';
import { MissingPrerequisite } from '../bench.ts';

export interface Mosquitto {
  readonly url: string;
  /** Ends the broker cleanly and starts it again on the same port and persistence file. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface Dashboard {
  /** Every message so far: topic and payload as it came. */
  readonly messages: { readonly topic: string; readonly payload: string }[];
  close(): Promise<void>;
}

/** Starts Mosquitto on loopback with persistence in `folder`. */
export async function startMosquitto(folder: string): Promise<Mosquitto> {
  const port = await freePort();
  const config = path.join(folder, 'mosquitto.conf');
  // Started as root, Mosquitto would become the user `mosquitto`, who may not write here.
  await writeFile(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location ${folder}/\nmax_queued_messages 0\n`,
  );
  let broker = await start();
  return {
    url: `mqtt://127.0.0.1:${port}`,
    async restart() {
      await end(broker);
      broker = await start();
    },
    close: () => end(broker),
  };

  async function start(): Promise<ChildProcess> {
    const child = spawn('mosquitto', ['-c', config, '-v'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const lines = createInterface({ input: child.stderr });
    const running = (async () => {
      for await (const line of lines) if (/running$/.test(line)) return true;
      return false;
    })();
    if (!(await running)) throw new Error('Mosquitto ended at its start.');
    child.stderr.resume();
    return child;
  }
}

/** Subscribes to everything with a session that outlives the broker's restarts. */
export async function openDashboard(url: string): Promise<Dashboard> {
  const port = new URL(url).port;
  const args = [
    '-h',
    '127.0.0.1',
    '-p',
    port,
    '-V',
    '5',
    '-i',
    'dashboard',
    '-c',
    '-x',
    '3600',
    '-q',
    '1',
    '-t',
    'plumbline/#',
    '-F',
    '%t %p',
    '-d',
  ];
  // Line by line: mosquitto_sub leaves its debug lines in a buffer when it writes into a pipe.
  const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const messages: { topic: string; payload: string }[] = [];
  const subscribed = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('Subscribed')) subscribed.resolve();
    const match = /^(plumbline\/\S+) (\{.*)$/.exec(line);
    if (match !== null) messages.push({ topic: match[1]!, payload: match[2]! });
  });
  await subscribed.promise;
  return { messages, close: () => end(child) };
}

/** @throws MissingPrerequisite where Mosquitto and its clients are not installed. */
export function needMosquitto(): void {
  for (const program of ['mosquitto', 'mosquitto_sub'])
    if (spawnSync(program, ['-h'], { stdio: 'ignore' }).error !== undefined)
      throw new MissingPrerequisite(
        `${program} is not installed. On Debian: apt-get install mosquitto mosquitto-clients`,
      );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = new AbortController();
  await Promise.race([
    ended,
    delay(5000, undefined, { signal: patience.signal }).then(
      () => child.kill('SIGKILL'),
      () => {},
    ),
  ]);
  patience.abort();
}
