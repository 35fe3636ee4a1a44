/** Captures that lie there when the agent starts. */
import { link, mkdir, mkdtemp } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { type Peer, startPeer } from './peers.ts';

/** Captures a second of each peer, one for each turn; the peers alternate. */
export async function measureBacklog(
  peers: readonly [Peer, Peer],
  options: {
    readonly folder: string;
    readonly pictures: readonly string[];
    readonly backlog: number;
    readonly turns: number;
    readonly report: (text: string) => void;
  },
): Promise<[number[], number[]]> {
  const { folder, pictures, backlog, turns, report } = options;
  const rates: [number[], number[]] = [[], []];
  for (let turn = 0; turn < turns; turn++)
    for (const [i, peer] of peers.entries()) {
      report(`${peer.name}: backlog of ${backlog}, turn ${turn + 1} of ${turns}\n`);
      const place = await mkdtemp(path.join(folder, 'backlog-'));
      await mkdir(path.join(place, 'captures'));
      for (let n = 0; n < backlog; n++)
        await link(pictures[n % pictures.length]!, path.join(place, 'captures', `${n}.jpg`));
      const running = await startPeer(peer, place, availableParallelism());
      await running.until(backlog);
      const [first, last] = [running.verdicts[0]!.at, running.verdicts[backlog - 1]!.at];
      rates[i]!.push((1000 * (backlog - 1)) / (last - first));
      await running.stop();
    }
  return rates;
}
