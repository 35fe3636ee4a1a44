/** How fast is the agent, and how small, beside one written in Python for the purpose? Both in the same run, in turns. */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { measureBacklog } from './agent/backlog.ts';
import { measureOneByOne, type OneByOne } from './agent/oneByOne.ts';
import { plumbline, python } from './agent/peers.ts';
import { drawPictures } from './agent/pictures.ts';
import type { Bench, Table } from './bench.ts';
import { decodersOf } from './python/decoders.ts';
import { pythonEnvironment, pythonScript } from './python/environment.ts';
import { median, quantile } from './table.ts';
import { trainFundus } from './trained.ts';

const MEBI = 2 ** 20;

export const agent: Bench = {
  name: 'agent',
  title:
    'latency, backlog, start, memory and idle load beside a Python agent (watchdog, onnxruntime, paho-mqtt)',
  counts: { captures: 200, backlog: 2000, turns: 3 },
  async run(context) {
    const { captures = 0, backlog = 0, turns = 0 } = context.counts;
    const { report } = context;
    const interpreter = await pythonEnvironment(context, 'agent');
    const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-agent-'));
    try {
      report('training the fundus network for one epoch on phantoms\n');
      const bundle = await trainFundus(folder);
      const pictures = await drawPictures(folder);
      const decoders = await decodersOf(interpreter, pictures[0]!);
      const fastest = Object.keys(decoders).reduce((a, b) => (decoders[a]! <= decoders[b]! ? a : b));
      const peers = [
        plumbline(bundle),
        python(interpreter, pythonScript('agent.py'), fastest, bundle),
      ] as const;
      const load = loadavg()[0]!.toFixed(1);
      const single = await measureOneByOne(peers, { folder, pictures, captures, turns, report });
      const many = await measureBacklog(peers, { folder, pictures, backlog, turns, report });
      const took = Object.entries(decoders).map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`);
      const notes = [
        `${captures} captures of 760 x 570 pixels, one every 150 ms, to both in turns; fundus network, one scoring process and one thread for each; MQTT broker (aedes) in the measuring process. Complete: after close().`,
        `Backlog: ${backlog} captures that lie there at the start, ${availableParallelism()} scoring processes and threads, from the first PUBLISH to the last, median of ${turns} turns. Possible: cores / (decoding + graph) of the captures that came one by one.`,
        `Python decodes with ${fastest}, the fastest of: ${took.join(', ')}. It takes a file as complete when it is closed or moved, and records before it publishes (SQLite, synchronous FULL), as ours does.`,
        `Resident: sum over the processes, shared pages counted in each. Idle: 20 s. Load average ${load} at the start.`,
      ];
      return [figures(single, many, notes), breakdown(single[0])];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

type Pair<T> = readonly [plumbline: T, python: T];

function figures(single: Pair<OneByOne>, many: Pair<readonly number[]>, notes: readonly string[]): Table {
  const [ours, theirs] = single;
  const of = (measure: (one: OneByOne) => number) => [measure(ours), measure(theirs)] as const;
  const latency = of(({ latencies }) => median(latencies));
  const tail = of(({ latencies }) => quantile(latencies, 0.99));
  const starts = of((one) => median(one.starts));
  const resident = of((one) => one.residentBytes / MEBI);
  const idle = of((one) => 100 * one.idleLoad);
  const rates = [median(many[0]), median(many[1])] as const;
  const possible = (1000 * availableParallelism()) / (median(ours.decode) + median(ours.score));
  const share = rates[0] / possible;
  const row = (what: string, [a, b]: Pair<number>, goal: string, reached: boolean) => [
    what,
    a,
    b,
    a / b,
    goal,
    reached ? 'yes' : 'no',
  ];
  return {
    title: 'The agent beside one written in Python for the purpose',
    columns: ['', 'Plumbline', 'Python', 'ratio', 'goal', 'reached'],
    rows: [
      row(
        'file complete -> PUBLISH, median ms',
        latency,
        '<= 40, <= 0.7x',
        latency[0] <= 40 && latency[0] <= 0.7 * latency[1],
      ),
      row('file complete -> PUBLISH, 99 % ms', tail, '<= 120', tail[0] <= 120),
      row('backlog, captures/s', rates, '>= 1.5x', rates[0] >= 1.5 * rates[1]),
      ['of what is possible', share, '', '', '>= 0.9', share >= 0.9 ? 'yes' : 'no'],
      row('start -> ready, ms', starts, '<= 1500', starts[0] <= 1500),
      row('resident, MiB', resident, '<= 300', resident[0] <= 300),
      row('idle, % of one core', idle, '<= 0.5', idle[0] <= 0.5),
    ],
    notes,
  };
}

/** Where the milliseconds of one capture go. */
function breakdown({ latencies, decode, score }: OneByOne): Table {
  const rest = latencies.map((whole, i) => whole - decode[i]! - score[i]!);
  return {
    title: 'Plumbline, one capture: where its milliseconds go',
    columns: ['', 'median ms'],
    rows: [
      ['reading and decoding', median(decode)],
      ['graph', median(score)],
      ['noticing, gate, record on disk, publishing', median(rest)],
    ],
    notes: [],
  };
}
