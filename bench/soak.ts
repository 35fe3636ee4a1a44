/** Does the agent stay as it is over hours? Memory, descriptors, ledger, latency. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { imageRef, siteKey } from '../agent/deliver/identity.ts';
import { plumbline, type RunningPeer, startPeer } from './agent/peers.ts';
import { drawPictures } from './agent/pictures.ts';
import { familyOf, residentBytes } from './agent/usage.ts';
import type { Bench, Table } from './bench.ts';
import { quantile } from './table.ts';
import { trainFundus } from './trained.ts';

/** Captures that stay in the folder; older ones are removed, as a PC at a camera does. */
const KEPT = 1000;
/** Seconds between two looks at the processes. */
const LOOK = 5;
const MEBI = 2 ** 20;

interface Sample {
  readonly hours: number;
  readonly main: number;
  readonly scorer: number;
  readonly descriptors: number;
  readonly ledger: number;
}

export const soak: Bench = {
  name: 'soak',
  title: 'memory, descriptors, ledger and latency over hours of captures',
  counts: { minutes: 120, rate: 5 },
  async run({ counts, report }) {
    const { minutes = 1, rate = 1 } = counts;
    const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-soak-'));
    try {
      report('training the fundus network for one epoch on phantoms\n');
      const bundle = await trainFundus(folder);
      const pictures = await drawPictures(folder);
      const place = path.join(folder, 'place');
      const load = [loadavg()[0]!];
      const agent = await startPeer(plumbline(bundle), place, 1);
      const measured = await feed(agent, place, pictures, {
        captures: Math.round(minutes * 60 * rate),
        rate,
        report,
      });
      load.push(loadavg()[0]!);
      await agent.stop();
      return [table(measured, { minutes, rate, load })];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function feed(
  agent: RunningPeer,
  place: string,
  pictures: readonly string[],
  { captures, rate, report }: { captures: number; rate: number; report: (text: string) => void },
) {
  const contents = await Promise.all(pictures.map((file) => readFile(file)));
  const completed = new Map<string, number>();
  const samples: Sample[] = [];
  const key = siteKey(path.join(place, 'state'));
  const started = performance.now();
  for (let i = 0; i < captures; i++) {
    const name = `${i}.jpg`;
    await writeFile(path.join(agent.watch, name), contents[i % contents.length]!);
    completed.set(imageRef(key, name), performance.now());
    if (i >= KEPT) await rm(path.join(agent.watch, `${i - KEPT}.jpg`));
    if (i % (LOOK * rate) === 0) {
      samples.push(look(agent.pid, path.join(place, 'state'), performance.now() - started));
      report(`\r${i} of ${captures} captures, main process ${samples.at(-1)!.main.toFixed(0)} MiB  `);
    }
    await delay(Math.max(0, started + ((i + 1) * 1000) / rate - performance.now()));
  }
  report('\n');
  await agent.until(captures);
  samples.push(look(agent.pid, path.join(place, 'state'), performance.now() - started));
  const latencies = agent.verdicts.map(
    ({ at, payload }) => at - completed.get(JSON.parse(payload.toString()).image.ref)!,
  );
  return { samples, latencies, captures };
}

function look(pid: number, state: string, milliseconds: number): Sample {
  const [main, ...scorers] = familyOf(pid);
  const ledger = ['ledger.sqlite', 'ledger.sqlite-wal']
    .map((name) => path.join(state, name))
    .filter(existsSync);
  return {
    hours: milliseconds / 3_600_000,
    main: residentBytes([main!]) / MEBI,
    scorer: residentBytes(scorers) / MEBI,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    ledger: ledger.reduce((sum, file) => sum + statSync(file).size, 0) / MEBI,
  };
}

function table(
  { samples, latencies, captures }: { samples: Sample[]; latencies: number[]; captures: number },
  { minutes, rate, load }: { minutes: number; rate: number; load: number[] },
): Table {
  const tenth = Math.ceil(captures / 10);
  const settled = samples.slice(Math.floor(samples.length / 2));
  const row = (what: string, { main, scorer, descriptors, ledger }: Sample, some: number[]) => [
    ...[what, quantile(some, 0.5), quantile(some, 0.99), main, scorer, descriptors, ledger],
  ];
  const slope = (of: (sample: Sample) => number) =>
    slopeOf(settled.map((sample) => [sample.hours, of(sample)]));
  return {
    title: `${captures} captures in ${minutes} minutes, ${rate} a second`,
    columns: ['', 'median ms', '99 % ms', 'main MiB', 'scorer MiB', 'descriptors', 'ledger MiB'],
    rows: [
      row('first tenth', samples[Math.floor(samples.length / 10)]!, latencies.slice(0, tenth)),
      row('last tenth', samples.at(-1)!, latencies.slice(-tenth)),
      [
        'slope in an hour',
        '',
        '',
        slope((s) => s.main),
        slope((s) => s.scorer),
        slope((s) => s.descriptors),
        slope((s) => s.ledger),
      ],
    ],
    notes: [
      'Milliseconds from file complete to PUBLISH; 760 x 570 JPEG, fundus network, one scoring process.',
      `Slope: least squares over the second half. The folder keeps ${KEPT} captures. Verdicts: ${latencies.length}, one for each capture.`,
      `Load average ${load.map((one) => one.toFixed(1)).join(' at the start, ')} at the end.`,
    ],
  };
}

/** Of the straight line through points `[x, y]`, by least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
