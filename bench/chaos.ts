/** Is a capture ever lost? Agent, scorers, broker, network and clock fail at random while captures are written. */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { makeTestBundle } from '../test/support/bundle.ts';
import type { Bench, Table } from './bench.ts';
import { type ChaosOutcome, runChaos } from './chaos/run.ts';
import { openMosquittoSite } from './chaos/site.ts';
import { needMosquitto } from './delivery/mosquitto.ts';

export const chaos: Bench = {
  name: 'chaos',
  title:
    'captures written in every way while agent, scorers, broker, network and clock fail: lost, duplicated',
  counts: { seed: 1, seeds: 5, captures: 2000, kills: 100 },
  async run({ counts, report }) {
    needMosquitto();
    const { seed = 1, seeds = 1, captures = 0, kills = 1 } = counts;
    const load = loadavg()[0]!.toFixed(1);
    const outcomes = new Map<number, ChaosOutcome>();
    const kept: string[] = [];
    for (let at = seed; at < seed + seeds; at++) {
      const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-chaos-'));
      const site = await openMosquittoSite(folder);
      let clean = false;
      try {
        const bundle = (await makeTestBundle(folder)).path;
        const around = {
          agentKills: kills,
          scorerKills: kills,
          brokerRestarts: Math.ceil(kills / 5),
          networkCuts: Math.ceil(kills / 4),
        };
        const where = { folder, bundle, site, naive: true, patience: 180, report };
        const outcome = await runChaos({ seed: at, captures, ...around, ...where });
        outcomes.set(at, outcome);
        clean = brokenIn(outcome).length === 0;
      } finally {
        await site.close();
        if (clean) await rm(folder, { recursive: true, force: true });
        else kept.push(`Captures, state and agent.log of seed ${at} are kept in ${folder}.`);
      }
    }
    return [table(outcomes, { kills, load, kept })];
  },
};

function table(
  outcomes: ReadonlyMap<number, ChaosOutcome>,
  how: { kills: number; load: string; kept: readonly string[] },
): Table {
  const all = [...outcomes];
  const broken = all.flatMap(([seed, outcome]) => brokenIn(outcome).map((words) => `SEED ${seed}, ${words}`));
  const jumps = all.reduce((sum, [, { clockJumps }]) => sum + clockJumps, 0);
  return {
    title: 'Captures written while everything fails, and what an independent subscriber and the ledger have',
    columns: [
      'seed',
      'captures',
      'lost',
      'duplicated',
      'unacknowledged',
      'unrecorded',
      'crashes',
      'records',
      'judged early',
      'given up',
      'messages repeated',
      'scorer kills',
      'naive agent lost',
      'seconds',
    ],
    rows: all.map(([seed, outcome]) => [
      seed,
      outcome.written,
      outcome.findings.lost.length,
      outcome.findings.duplicated.length,
      outcome.findings.unacknowledged.length,
      outcome.findings.unrecorded.length,
      outcome.crashes.length,
      outcome.findings.records,
      outcome.findings.early.length,
      outcome.findings.givenUp,
      outcome.findings.repeated,
      outcome.scorerKills,
      outcome.naiveLost ?? 'not run',
      Math.round(outcome.seconds),
    ]),
    notes: [
      `Each seed: ${how.kills} SIGKILLs of the agent, one of a scoring process for each, Mosquitto (with persistence) restarted after every 5th, network cut or swallowed by a proxy after every 4th.`,
      jumps === 0
        ? 'Clock jumps: none, libfaketime is not installed (on Debian: apt-get install libfaketime). File times hours ago and ahead all the same.'
        : `Clock of the agent moved by up to a day, ${jumps} times in all (libfaketime); file times hours ago and ahead besides.`,
      'Lost: no record of that content, or mosquitto_sub never got it. Duplicated: several ids or records of one content at one name. Unacknowledged: records that wait. Unrecorded: messages without a record. All of these, and crashes, must be 0.',
      'Judged early: records of what the writer overwrote or went on writing; each whole capture has its own beside. Given up: scoring processes were killed twice on one file (`scorer-crashed`).',
      'Naive agent: chokidar with awaitWriteFinish, the same decoder and graph, mqtt.js with its own store, a list of the names that are done (bench/chaos/naive.ts); the same captures at the same time, killed at the same moments.',
      `Load average ${how.load} at the start. One seed again: --seed N --seeds 1.`,
      ...broken,
      ...how.kept,
    ],
    failed: broken.length > 0,
  };
}

/** At most five of each promise. */
function brokenIn({ findings, crashes }: ChaosOutcome): string[] {
  const { lost, duplicated, unacknowledged, unrecorded } = findings;
  return Object.entries({ lost, duplicated, unacknowledged, unrecorded, crash: crashes }).flatMap(
    ([what, found]) => found.slice(0, 5).map((words) => `${what}: ${words}`),
  );
}
