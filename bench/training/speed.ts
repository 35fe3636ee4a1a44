/** Images a second of one net, trainers taking turns, and whether they learn the same. */
import { loadavg } from 'node:os';
import type { Table } from '../bench.ts';
import { median } from '../table.ts';
import { LEARNING_RATE, type Net } from './nets.ts';
import type { Peer, Timing } from './peer.ts';
import { NCHW, OURS, REFERENCE, type Setting, startPeers, TFJS_NODE, WASM } from './peers.ts';

const THREADS = [1, 2];
/** How long each peer trains in a turn. */
const SECONDS = 1.5;
const LOSSES = 50;

export interface Speed {
  readonly table: Table;
  /** For each number of threads the turns of each peer. */
  readonly timings: ReadonlyMap<number, Timings>;
}

type Timings = ReadonlyMap<string, readonly Timing[]>;

export async function measureSpeed(
  setting: Setting,
  net: Net,
  turns: number,
  report: (text: string) => void,
): Promise<Speed> {
  const rows: Table['rows'][number][] = [];
  const load = loadavg()[0]!.toFixed(1);
  const timings = new Map<number, Timings>();
  for (const threads of THREADS) {
    // wasm has one thread only; beside two of the others it would idle.
    const peers = startPeers(threads === 1 ? setting : { ...setting, wasm: undefined }, net, threads);
    try {
      report(`${net.name}, ${threads} thread${threads === 1 ? '' : 's'}: `);
      const own = await takeTurns(peers, turns, () => report('.'));
      report('\n');
      const wasm = own.get(WASM) ?? timings.get(1)?.get(WASM);
      timings.set(threads, wasm ? new Map([...own, [WASM, wasm]]) : own);
      for (const [name, list] of own) {
        const ratios = [REFERENCE, NCHW, TFJS_NODE, WASM].map(
          (peer) => ratio(timings.get(threads)!, perSecond, name, peer) ?? '',
        );
        rows.push([
          threads,
          name,
          median(list.map(perSecond)),
          median(list.map(perProcessorSecond)),
          ...ratios,
        ]);
      }
    } finally {
      await Promise.all(peers.map((peer) => peer.close()));
    }
  }
  const table = {
    title: `Training speed: ${net.title}`,
    columns: [
      'threads',
      'trainer',
      'images/s',
      'images/CPU s',
      'x PyTorch cl',
      'x PyTorch NCHW',
      'x tfjs-node',
      'x wasm',
    ],
    rows,
    notes: [
      `Medians of ${turns} turns of ${SECONDS} s, peers taking turns while the others idle; ratios are medians of those of each turn; load average ${load} at the start.`,
      'Same initial weights and batches; every peer reads the loss after every step. Adam.',
    ],
  };
  return { table, timings };
}

/** One row for each goal of the net and each number of threads. */
export function goalRows(net: Net, { timings }: Speed): Table['rows'][number][] {
  return [...timings].flatMap(([threads, own]) =>
    net.goals.map((goal): Table['rows'][number] => {
      const peers = goal.peer === 'the best peer' ? [REFERENCE, NCHW, TFJS_NODE] : [goal.peer];
      const [figure, perProcessor] = [perSecond, perProcessorSecond].map((measure) =>
        Math.min(...peers.flatMap((peer) => ratio(own, measure, OURS, peer) ?? [])),
      ) as [number, number];
      const wanted = `>= ${goal.factor}x ${goal.peer}`;
      if (figure === Number.POSITIVE_INFINITY) return [net.name, threads, wanted, 'not measured', '', ''];
      return [net.name, threads, wanted, figure, perProcessor, figure >= goal.factor ? 'yes' : 'no'];
    }),
  );
}

export async function compareLosses(
  setting: Setting,
  net: Net,
  report: (text: string) => void,
): Promise<Table> {
  const peers = startPeers(setting, net, 1);
  try {
    const curves = new Map<string, number[]>();
    for (const peer of peers) {
      report(`${net.name}, losses of ${LOSSES} steps: ${peer.name}\n`);
      curves.set(peer.name, await peer.losses(LOSSES));
    }
    const reference = curves.get(REFERENCE)!;
    return {
      title: `Losses over ${LOSSES} steps from equal weights and batches: ${net.name}`,
      columns: ['trainer', 'first loss', 'last loss', 'largest relative difference'],
      rows: [...curves].map(([name, losses]) => {
        const differences = losses.map((loss, i) => Math.abs(loss - reference[i]!) / reference[i]!);
        return [name, losses[0]!, losses.at(-1)!, Math.max(...differences)];
      }),
      notes: [
        `Differences are from ${REFERENCE}; wanted: below 0.001. Learning rate ${LEARNING_RATE}.`,
        'The two PyTorch rows show what rounding alone does.',
      ],
    };
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
  }
}

/** Median over the turns; nothing where one of the two was not measured. */
function ratio(
  timings: Timings,
  measure: (timing: Timing) => number,
  of: string,
  by: string,
): number | undefined {
  const [own, peer] = [timings.get(of), timings.get(by)];
  if (own === undefined || peer === undefined) return undefined;
  return median(own.map((timing, turn) => measure(timing) / measure(peer[turn]!)));
}

/** Timings of each peer by name, after one turn that compiles and warms up. */
async function takeTurns(
  peers: readonly Peer[],
  turns: number,
  onTurn: () => void,
): Promise<Map<string, Timing[]>> {
  const timings = new Map<string, Timing[]>(peers.map(({ name }) => [name, []]));
  for (let turn = 0; turn <= turns; turn++) {
    for (const peer of peers) {
      const timing = await peer.time(SECONDS);
      if (turn > 0) timings.get(peer.name)!.push(timing);
    }
    onTurn();
  }
  return timings;
}

function perSecond({ images, seconds }: Timing): number {
  return images / seconds;
}

function perProcessorSecond({ images, processorSeconds }: Timing): number {
  return images / processorSeconds;
}
