/** Captures that come one by one, and agents that wait for them. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Peer, type RunningPeer, startPeer } from './peers.ts';
import { familyOf, processorSeconds, residentBytes } from './usage.ts';

/** Milliseconds between two captures. */
const PAUSE = 150;
/** Seconds for which idle agents are watched. */
const IDLE = 20;

export interface OneByOne {
  /** Milliseconds from file complete to PUBLISH. */
  readonly latencies: number[];
  /** Milliseconds of these, by the verdicts of ours. */
  readonly decode: number[];
  readonly score: number[];
  /** Milliseconds from the start of the process to ready. */
  readonly starts: number[];
  residentBytes: number;
  /** Share of one core. */
  idleLoad: number;
}

export async function measureOneByOne(
  peers: readonly [Peer, Peer],
  options: {
    readonly folder: string;
    readonly pictures: readonly string[];
    readonly captures: number;
    readonly turns: number;
    readonly report: (text: string) => void;
  },
): Promise<[OneByOne, OneByOne]> {
  const { folder, pictures, captures, turns, report } = options;
  const results: [OneByOne, OneByOne] = [newResult(), newResult()];
  let running: RunningPeer[] = [];
  for (let turn = 0; turn <= turns; turn++) {
    for (const peer of running) await peer.stop();
    running = [];
    for (const [i, peer] of peers.entries()) {
      report(`${peer.name} starts\n`);
      const started = await startPeer(peer, await mkdtemp(path.join(folder, 'single-')), 1);
      if (turn > 0) results[i]!.starts.push(started.startMilliseconds); // the first start fills caches
      running.push(started);
    }
  }
  report(`${captures} captures to each in turn\n`);
  for (let at = 0; at < captures; at++) {
    const content = await readFile(pictures[at % pictures.length]!);
    for (const [i, peer] of running.entries()) {
      await writeFile(path.join(peer.watch, `${at}.jpg`), content);
      const complete = performance.now();
      await peer.until(at + 1);
      const { at: published, payload } = peer.verdicts[at]!;
      results[i]!.latencies.push(published - complete);
      const { milliseconds } = JSON.parse(payload.toString());
      if (milliseconds !== undefined) {
        results[i]!.decode.push(milliseconds.decode);
        results[i]!.score.push(milliseconds.score);
      }
      await delay(PAUSE);
    }
  }
  report('both idle\n');
  const families = running.map(({ pid }) => familyOf(pid));
  const before = families.map(processorSeconds);
  await delay(IDLE * 1000);
  for (const [i, family] of families.entries()) {
    results[i]!.idleLoad = (processorSeconds(family) - before[i]!) / IDLE;
    results[i]!.residentBytes = residentBytes(family);
  }
  for (const peer of running) await peer.stop();
  return results;
}

function newResult(): OneByOne {
  return { latencies: [], decode: [], score: [], starts: [], residentBytes: 0, idleLoad: 0 };
}
