/** A folder that holds very many files already: how soon is the agent ready, how large, and does a new capture wait behind them? */
import { link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { imageRef, siteKey } from '../agent/deliver/identity.ts';
import { openLedger } from '../agent/deliver/ledger.ts';
import { captureAt } from '../agent/ingest/look.ts';
import { verdictOn } from '../test/agent/verdictFixture.ts';
import { plumbline, startPeer } from './agent/peers.ts';
import { drawPictures } from './agent/pictures.ts';
import { residentBytes } from './agent/usage.ts';
import type { Bench, Table } from './bench.ts';
import { median } from './table.ts';
import { trainFundus } from './trained.ts';

/** Milliseconds between two new captures. */
const PAUSE = 1000;
/** Entries of the ledger that are written in one transaction. */
const TOGETHER = 1000;
const MEBI = 2 ** 20;

export const crowded: Bench = {
  name: 'crowded',
  title: 'start, memory and new captures beside very many files that lie in the folder already',
  counts: { files: 100_000, captures: 20 },
  async run({ counts, report }) {
    const { files = 1, captures = 1 } = counts;
    const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-crowded-'));
    const load = loadavg()[0]!;
    try {
      report('training the fundus network for one epoch on phantoms\n');
      const bundle = await trainFundus(folder);
      const pictures = await drawPictures(folder);
      const rows: (string | number)[][] = [];
      let failed = false;
      for (const judged of [true, false]) {
        const what = judged ? 'all judged before' : 'none judged';
        report(`${files} files, ${what}\n`);
        const place = path.join(folder, what);
        await fill(place, pictures, files);
        if (judged) await judgeAll(place);
        const measured = await measure(bundle, place, pictures, captures);
        failed ||= measured.startMilliseconds > 3000;
        const { startMilliseconds, latencies, memoryAtReady, memoryAtEnd, backlog } = measured;
        rows.push([
          ...[what, startMilliseconds / 1000, median(latencies), Math.max(...latencies)],
          ...[memoryAtReady, memoryAtEnd, backlog],
        ]);
      }
      return [table(rows, { files, captures, load, failed })];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** Hard links of the pictures, a thousand in each of the folders. */
async function fill(place: string, pictures: readonly string[], files: number): Promise<void> {
  for (let i = 0; i < files; i++) {
    const within = path.join(place, 'captures', `day ${Math.floor(i / 1000)}`);
    if (i % 1000 === 0) await mkdir(within, { recursive: true });
    await link(pictures[i % pictures.length]!, path.join(within, `${i}.jpg`));
  }
}

/** Gives every file a verdict in the ledger, as an agent would have done that ran before. */
async function judgeAll(place: string): Promise<void> {
  const watch = path.join(place, 'captures');
  const names = (await readdir(watch, { recursive: true })).filter((name) => name.endsWith('.jpg'));
  const ledger = await openLedger(path.join(place, 'state'));
  try {
    for (let from = 0; from < names.length; from += TOGETHER) {
      const some = await Promise.all(
        names.slice(from, from + TOGETHER).map((name) => captureAt(watch, name)),
      );
      const verdicts = ledger.record(
        some.map((capture) => ({
          capture: capture!,
          contentSha256: null,
          makeVerdict: verdictOn(capture!),
        })),
      );
      ledger.outbox.acknowledge(verdicts.map((verdict) => verdict!.seq));
    }
  } finally {
    ledger.close();
  }
}

async function measure(bundle: string, place: string, pictures: readonly string[], captures: number) {
  const agent = await startPeer(plumbline(bundle), place, 1);
  const { startMilliseconds } = agent;
  const resident = () => residentBytes([agent.pid]) / MEBI;
  const memoryAtReady = resident();
  const key = siteKey(path.join(place, 'state'));
  const latencies: number[] = [];
  for (let i = 0; i < captures; i++) {
    const name = `new ${i}.jpg`;
    const ref = imageRef(key, name);
    await writeFile(path.join(agent.watch, name), await readFile(pictures[i % pictures.length]!));
    const complete = performance.now();
    latencies.push((await agent.verdictOn(ref)).at - complete);
    await delay(PAUSE);
  }
  const memoryAtEnd = resident();
  const backlog = agent.verdicts.length - captures;
  await agent.stop();
  return { startMilliseconds, latencies, memoryAtReady, memoryAtEnd, backlog };
}

function table(
  rows: (string | number)[][],
  { files, captures, load, failed }: { files: number; captures: number; load: number; failed: boolean },
): Table {
  return {
    title: `${files} files in the folder at the start`,
    columns: [
      '',
      'start -> ready, s',
      'new capture: median ms',
      'largest ms',
      'main MiB at ready',
      'main MiB at the end',
      'old ones judged meanwhile',
    ],
    rows,
    notes: [
      'Wanted: ready within 3 s. Milliseconds from file complete to PUBLISH, which a new capture may wait for one of the old ones that is scored just then; one scoring process, 760 x 570 JPEG, fundus network.',
      `${captures} new captures, one a second. The files are hard links, a thousand to a folder. Load average ${load.toFixed(1)} at the start.`,
    ],
    failed,
  };
}
