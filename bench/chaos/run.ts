/** One seed: the script is written while everything around the agent is killed, cut and turned back. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startProgram } from '../../test/support/agent.ts';
import { random } from '../../test/support/images.ts';
import { openClock } from './clock.ts';
import { NAIVE_TOPIC } from './naive.ts';
import { type Network, openNetwork } from './network.ts';
import { compare, type Findings, keyOfMessage, keyOfVersion, readSiteKey, verdictsOf } from './oracle.ts';
import { type Kept, keepAgent, keepRunning } from './processes.ts';
import { playScript, type Written } from './script.ts';
import type { Site } from './site.ts';
import type { Place, Version } from './ways.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly captures: number;
  readonly agentKills: number;
  readonly scorerKills: number;
  readonly brokerRestarts: number;
  readonly networkCuts: number;
  /** Empty when it is called; on one file system with everything that is written. Holds agent.log afterwards. */
  readonly folder: string;
  readonly bundle: string;
  readonly site: Site;
  /** Whether the naive agent runs beside. */
  readonly naive: boolean;
  /** Seconds without any new verdict after which those that are missing are given up: a backlog takes its time. */
  readonly patience: number;
  readonly report: (text: string) => void;
}

export interface ChaosOutcome {
  readonly written: number;
  readonly findings: Findings;
  /** Ends of the agent that nobody asked for. */
  readonly crashes: readonly string[];
  readonly scorerKills: number;
  readonly clockJumps: number;
  readonly naiveLost: number | null;
  readonly seconds: number;
}

export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const started = performance.now();
  const { folder, site, seed, captures, report } = options;
  const choose = random(seed * 31_337);
  const network = await openNetwork(site.port);
  const clock = await openClock(folder);
  const place = await makePlace(folder, 'agent');
  const naivePlace = options.naive ? await makePlace(folder, 'naive') : null;
  const state = path.join(folder, 'state');
  const agent = keepAgent(agentArguments(options, place, state, network), clock?.environment ?? {});
  const naive = naivePlace === null ? null : keepNaive(options, naivePlace, network, folder);
  await agent.ready();

  /** Kills of the agent so far, with what has passed of the time until the next: sets the pace of the writing. */
  let progress = 0;
  const judged = untilJudged(site, state, options.patience);
  const playing = playScript({
    seed,
    captures,
    places: naivePlace === null ? [place] : [place, naivePlace],
    turn: async (number) => {
      while (number / captures > progress / options.agentKills) await delay(10);
    },
    judged,
  });

  let scorerKills = 0;
  let clockJumps = 0;
  const due = (count: number, kill: number) =>
    Math.floor(((kill + 1) * count) / options.agentKills) - Math.floor((kill * count) / options.agentKills);
  for (let kill = 0; kill < options.agentKills; kill++) {
    report(
      `\rseed ${seed}: ${kill} of ${options.agentKills} kills, ${verdictsOf(site.messages).length} verdicts  `,
    );
    if (clock !== null && choose() < 0.5) {
      await clock.jump(Math.round(172_800 * (choose() - 0.5)));
      clockJumps++;
    }
    const around = [
      ...Array.from({ length: due(options.scorerKills, kill) }, async () => {
        await delay(1500 * choose());
        while (!agent.killScorer(choose)) await delay(20);
        scorerKills++;
      }),
      ...Array.from({ length: due(options.brokerRestarts, kill) }, async () => {
        await delay(1000 * choose());
        await site.restart(network);
      }),
      ...Array.from({ length: due(options.networkCuts, kill) }, async () => {
        await delay(1000 * choose());
        if (choose() < 0.5) network.cut();
        else network.hang();
        await delay(3000 * choose());
        network.pass();
      }),
    ];
    // Three in four kills find it at work, the others at its start.
    if (choose() < 0.75) await agent.ready();
    // Mostly soon; now and then it lives long enough to judge what waits for quiet time.
    await delay(5000 * choose() ** 2);
    await Promise.all([agent.kill(), naive?.kill()]);
    await Promise.all(around);
    progress = kill + 1;
  }
  network.pass();
  const [written, naiveWritten] = await playing;
  report(`\rseed ${seed}: ${written!.due.length} captures written, waiting for the last verdicts      `);
  await Promise.all(written!.due.map(judged));
  await delay(2000); // for messages that should not come
  await agent.ready();
  const crashes = [...agent.crashes];
  const end = await agent.stop();
  if (end !== 0) crashes.push(`ended with ${end} when it was asked to stop`);
  await writeFile(path.join(folder, 'agent.log'), agent.output());
  await naive?.stop();
  await network.close();
  report('\n');
  return {
    written: written!.due.length,
    findings: compare(written!, verdictsOf(site.messages), state),
    crashes,
    scorerKills,
    clockJumps,
    naiveLost: naiveWritten === undefined ? null : lostBy(naiveWritten, site),
    seconds: (performance.now() - started) / 1000,
  };
}

async function makePlace(folder: string, name: string): Promise<Place> {
  const place = { watch: path.join(folder, name, 'captures'), staging: path.join(folder, name, 'staging') };
  for (const made of [place.watch, place.staging]) await mkdir(made, { recursive: true });
  return place;
}

function agentArguments(
  { bundle, seed }: ChaosOptions,
  place: Place,
  state: string,
  network: Network,
): string[] {
  const settings = {
    bundle,
    watch: place.watch,
    state,
    broker: network.url,
    site: 'chaos',
    device: `seed-${seed}`,
    'watch-settle': '2',
    'watch-sweep': '10',
    'mqtt-acknowledge': '2',
    'scorer-processes': String(1 + (seed % 2)),
  };
  return ['run', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])];
}

function keepNaive({ bundle }: ChaosOptions, place: Place, network: Network, folder: string): Kept {
  const program = path.join(import.meta.dirname, 'naive.ts');
  const args = [program, bundle, place.watch, path.join(folder, 'naive', 'done'), network.url];
  return keepRunning(
    () => startProgram(process.execPath, ['--disable-warning=ExperimentalWarning', ...args]),
    (output) => output.includes('ready'),
  );
}

/** Resolves when the subscriber has a verdict on that version, or none on any capture came for `patience` seconds. */
function untilJudged(site: Site, state: string, patience: number): (version: Version) => Promise<void> {
  const siteKey = readSiteKey(state);
  const judged = new Set<string>();
  let read = 0;
  let news = performance.now();
  const readOn = () => {
    const before = judged.size;
    for (const message of verdictsOf(site.messages.slice(read))) judged.add(keyOfMessage(message));
    read = site.messages.length;
    if (judged.size > before) news = performance.now();
  };
  return async (version) => {
    const key = keyOfVersion(siteKey, version);
    const asked = performance.now();
    for (;;) {
      readOn();
      if (judged.has(key) || performance.now() - Math.max(asked, news) > patience * 1000) return;
      await delay(100);
    }
  };
}

function lostBy({ due }: Written, { messages }: Site): number {
  const got = new Set(
    messages.filter(({ topic }) => topic === NAIVE_TOPIC).map(({ payload }) => JSON.parse(payload).sha256),
  );
  return due.filter(({ sha256 }) => !got.has(sha256)).length;
}
