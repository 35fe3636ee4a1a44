/** From the last byte of a capture to its verdict at a subscriber, through the real agent and broker. */
import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { imageRef, siteKey } from '../agent/deliver/identity.ts';
import { topics } from '../config/topics.ts';
import { drawPhantom } from '../test/demo/phantoms.ts';
import { startAgent } from '../test/support/agent.ts';
import { startBroker, subscribe } from '../test/support/broker.ts';
import type { Bench, Table } from './bench.ts';
import { median, quantile } from './table.ts';
import { trainFundus } from './trained.ts';

const CAPTURES = 60;
const WAYS = ['written in place, in 16 KiB chunks', 'written aside, then renamed'] as const;

export const latency: Bench = {
  name: 'latency',
  title: 'milliseconds from file complete to verdict received, 760x570 JPEG, fundus network',
  async run({ report }) {
    const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-latency-'));
    try {
      report('training the fundus network for one epoch on phantoms\n');
      const bundle = await trainFundus(folder);
      const rows: (string | number)[][] = [];
      for (const way of WAYS) {
        report(`${CAPTURES} captures, ${way}\n`);
        const { total, decode, score } = await measure(folder, bundle, way);
        rows.push([
          way,
          median(total),
          quantile(total, 0.9),
          Math.max(...total),
          median(decode),
          median(score),
        ]);
      }
      return [table(rows)];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

function table(rows: (string | number)[][]): Table {
  return {
    title: 'File complete -> verdict at the subscriber, milliseconds (goal: median under 100)',
    columns: ['capture', 'median', '90 %', 'largest', 'of it decoding', 'of it scoring'],
    rows,
    notes: [
      `${CAPTURES} captures of 760 x 570 pixels, one every 150 ms; one scorer with one thread; MQTT broker (aedes) on loopback in the measuring process.`,
      'Complete: after close() of the last write, or after rename(). Received: when the subscriber has the message.',
    ],
  };
}

async function measure(folder: string, bundle: string, way: (typeof WAYS)[number]) {
  const watch = await mkdtemp(path.join(folder, 'watch-'));
  const state = await mkdtemp(path.join(folder, 'state-'));
  const broker = await startBroker();
  const subscriber = await subscribe(broker.url);
  const topic = topics('plumbline', 'bench', 'camera');
  const arrived = new Map<unknown, number>();
  const agent = startAgent([
    'run',
    '--bundle',
    bundle,
    '--watch',
    watch,
    '--state',
    state,
    '--broker',
    broker.url,
    '--site',
    'bench',
    '--device',
    'camera',
    '--log-level',
    'error',
  ]);
  await Promise.race([
    subscriber.until((m) => m.topic === topic.state && m.payload.state === 'ready'),
    agent.ended.then(() => Promise.reject(new Error(`The agent does not start: ${agent.output()}`))),
  ]);
  const key = siteKey(state);
  const total: number[] = [];
  const decode: number[] = [];
  const score: number[] = [];
  for (let i = 0; i < CAPTURES; i++) {
    const jpeg = await sharp(await drawPhantom(500 + i))
      .resize(760, 570, { fit: 'fill' })
      .jpeg({ quality: 90 })
      .toBuffer();
    const name = `${i}.jpg`;
    const complete = await write(path.join(watch, name), jpeg, way);
    const ref = imageRef(key, name);
    const { payload } = await subscriber.until((m) => {
      const mine = m.topic === topic.verdict && (m.payload.image as { ref: string }).ref === ref;
      if (mine && !arrived.has(ref)) arrived.set(ref, performance.now());
      return mine;
    });
    total.push(arrived.get(ref)! - complete);
    const milliseconds = payload.milliseconds as { decode: number; score: number };
    decode.push(milliseconds.decode);
    score.push(milliseconds.score);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  agent.child.kill('SIGTERM');
  await agent.ended;
  await subscriber.close();
  await broker.close();
  return { total, decode, score };
}

/** Writes a capture; the time at which it was complete. */
async function write(file: string, content: Buffer, way: (typeof WAYS)[number]): Promise<number> {
  const target = way === WAYS[1] ? path.join(path.dirname(file), `.${path.basename(file)}.part`) : file;
  const handle = await open(target, 'w');
  for (let at = 0; at < content.length; at += 16384) await handle.write(content.subarray(at, at + 16384));
  await handle.close();
  if (target !== file) await rename(target, file);
  return performance.now();
}
